"""Faults at their times: which rates hold when, and else those that were set by hand."""

from typing import Annotated

import msgspec

from mcp_targets.serving.faults import Faults, Rates, share

Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Window(Rates, frozen=True, kw_only=True, rename={"at_s": "at", "for_s": "for"}):
    """Rates for a while."""

    at_s: Seconds
    """After the timetable was set, …"""
    for_s: Seconds
    """… for so long, in seconds."""
    route: str | None = None
    """For one route only."""


class Timetable:
    """The windows of one provider. Where two overlap, the earlier of the list holds."""

    def __init__(self, windows: tuple[Window, ...] = (), began_s: float | None = None) -> None:
        """Without a beginning, its times run from the first question."""
        self._windows = [(window, Faults(window)) for window in windows]
        self._began_s = began_s

    def faults(self, route: str, now_s: float) -> Faults | None:
        """Return what befalls a route at a time; None outside all windows."""
        if self._began_s is None:
            self._began_s = now_s
        at_s = now_s - self._began_s
        for window, faults in self._windows:
            if 0 <= at_s - window.at_s < window.for_s and window.route in (None, route):
                return faults
        return None

    def sources(self) -> list[Faults]:
        return [faults for _, faults in self._windows]


def outages(text: str) -> list[tuple[str, Window]]:
    """Read `PROVIDER:AT:FOR` or `PROVIDER:AT:FOR:SHARE`, and more after commas.

    `hubspot:20s:10s` fails for ten seconds, `jira:0s:60s:5%` at every twentieth request. Raises
    ValueError.
    """
    return [_outage(part) for part in text.split(",")]


def _outage(text: str) -> tuple[str, Window]:
    name, *parts = text.split(":")
    times, shares = parts[:2], parts[2:]
    if len(parts) not in (2, 3) or not all(
        part.endswith("s") and part[:-1].isdecimal() for part in times
    ):
        raise ValueError(
            f"{text!r} is not an outage: write PROVIDER:AT:FOR, such as hubspot:20s:10s, or "
            "PROVIDER:AT:FOR:SHARE, such as hubspot:0s:60s:5%"
        )
    at_s, for_s = (float(part[:-1]) for part in times)
    return name, Window(error_rate=share(shares[0]) if shares else 1.0, at_s=at_s, for_s=for_s)
