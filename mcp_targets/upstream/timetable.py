"""Faults at their times: which rates hold when, and else those that were set by hand."""

from typing import Annotated

import msgspec

from mcp_targets.serving.faults import Faults, Rates

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

    def __init__(self, windows: tuple[Window, ...] = (), now_s: float = 0.0) -> None:
        self._windows = [
            (now_s + window.at_s, now_s + window.at_s + window.for_s, window, Faults(window))
            for window in windows
        ]

    def faults(self, route: str, now_s: float) -> Faults | None:
        """Return what befalls a route at a time; None outside all windows."""
        for start_s, end_s, window, faults in self._windows:
            if start_s <= now_s < end_s and window.route in (None, route):
                return faults
        return None

    def sources(self) -> list[Faults]:
        return [faults for *_, faults in self._windows]


def outage(text: str) -> tuple[str, Window]:
    """Read `PROVIDER:AT:FOR`, such as `hubspot:20s:10s`: when it fails. Raises ValueError."""
    name, _, times = text.partition(":")
    at, _, length = times.partition(":")
    if not all(part.endswith("s") and part[:-1].isdecimal() for part in (at, length)):
        raise ValueError(f"{text!r} is no outage: write PROVIDER:AT:FOR, such as hubspot:20s:10s")
    return name, Window(error_rate=1.0, at_s=float(at[:-1]), for_s=float(length[:-1]))
