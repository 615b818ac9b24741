"""Scheduled faults: the rates that apply at each time, instead of rates set by hand."""

from typing import Annotated

import msgspec

from mcp_targets.serving.faults import Faults, Rates, share

Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Window(Rates, frozen=True, kw_only=True, rename={"at_s": "at", "for_s": "for"}):
    """Rates for a period."""

    at_s: Seconds
    """When it starts, in seconds after the timetable was set, …"""
    for_s: Seconds
    """… and how long it lasts, in seconds."""
    route: str | None = None
    """For one route only."""


class Timetable:
    """The windows of one provider. If two overlap, the first in the list applies."""

    def __init__(self, windows: tuple[Window, ...] = (), began_s: float | None = None) -> None:
        """Without `began_s`, its times count from the first call of `faults`."""
        self._windows = [(window, Faults(window)) for window in windows]
        self._began_s = began_s

    def faults(self, route: str, now_s: float) -> Faults | None:
        """Return the faults of a route at a time, or None outside all windows."""
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
    """Read `PROVIDER:AT:FOR` or `PROVIDER:AT:FOR:SHARE`, several of them with commas.

    `hubspot:20s:10s` fails for ten seconds, `jira:0s:60s:5%` for one request in twenty. Raises
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
