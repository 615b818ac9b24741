"""What the targets used and held over the run, drawn on the time axis of the other charts."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from mcp_perf import numbers
from mcp_perf.results.document.document import ArmNumbers, ResourcePoint, SessionPoint
from mcp_perf.results.render.charts.bounds import GateBound, across, on
from mcp_perf.results.render.charts.charts import Stroke, curves, line, looks, over_time, time_axis
from mcp_perf.results.render.charts.scales import linear
from mcp_perf.results.render.charts.thinning import Series

_CHARTS: Final = {
    "CPU": ("cpu", "CPU, percent of one core", 0.01, "%"),
    "Resident memory": ("rss", "Resident memory, MB", 1e6, "MB"),
}
"""Title -> metric, what is drawn, the axis's unit in units of the metric, and its name."""
_MOST_POINTS: Final = 600
"""Points of one arm's sessions: more than a screen can show apart."""


def draw(
    arms: Mapping[str, ArmNumbers],
    series: Series[ResourcePoint],
    last_s: float,
    gates: Sequence[GateBound] = (),
) -> dict[str, str]:
    """Draw CPU use and resident memory by their titles; what is not known is left out."""
    drawn = {}
    for title, (name, shown, unit, label) in _CHARTS.items():
        read = _reader(name, unit)
        values = [value for point in series.points if (value := read(point)) is not None]
        if values:
            known = on(gates, name)
            asked = [bound.value / unit for bound in known]
            y = linear(max(1.0, *values, *asked)).in_unit(numbers.THIN + label)
            limits, scales = across(known, y, unit), (time_axis(arms, last_s), y)
            reads = {"line": read}
            drawn[title] = curves(name, shown, arms, series, scales, reads, _at, limits=limits)
    return drawn


def _reader(name: str, unit: float) -> Callable[[ResourcePoint], float | None]:
    def read(point: ResourcePoint) -> float | None:
        value = point.cpu if name == "cpu" else point.rss_bytes
        return None if value is None else value / unit

    return read


def sessions(
    arms: Mapping[str, ArmNumbers],
    points: Sequence[SessionPoint],
    last_s: float,
    gates: Sequence[GateBound] = (),
) -> str:
    """Draw the open sessions of each arm, as steps; nothing if there were none."""
    most = max((point.open for point in points), default=0)
    if not most:
        return ""
    known = on(gates, "sessions")
    y = linear(max([most, *(bound.value for bound in known)]))
    x, styles = time_axis(arms, last_s), looks(arms)
    lines: list[Stroke] = []
    shown = []
    for arm in arms:
        own = [point for point in points if point.arm == arm]
        own = own[:: -(-len(own) // _MOST_POINTS) or 1]
        positions = [(x.at(min(point.at_s, last_s)), y.at(point.open)) for point in own]
        shown += own
        lines += line(f"line {styles[arm].css}", _steps(positions))
    shown.sort(key=lambda point: point.at_s)
    readings = [(x.at(min(point.at_s, last_s)), _at_sessions(point)) for point in shown]
    limits = across(known, y)
    return over_time("sessions", "Sessions open", arms, (x, y), lines, readings, limits)


def _steps(positions: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Hold each number until the next one is known."""
    held = [corner for (_, y), (x, later) in pairwise(positions) for corner in ((x, y), (x, later))]
    return [*positions[:1], *held]


def _at(point: ResourcePoint) -> str:
    return (
        f"{point.arm} at {numbers.seconds(point.at_s)}\n"
        f"CPU {numbers.percent(point.cpu)}, {numbers.byte_size(point.rss_bytes)}\n"
        f"threads: {numbers.count(point.threads)}, descriptors: {numbers.count(point.fds)}"
    )


def _at_sessions(point: SessionPoint) -> str:
    return (
        f"{point.arm} at {numbers.seconds(point.at_s)}\n"
        f"{numbers.count(point.open)} sessions, {numbers.count(point.streams)} streams"
    )
