"""What the targets used and held over the run, drawn on the time axis of the other charts."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from mcp_perf.results.document.document import ArmNumbers, ResourcePoint, SessionPoint
from mcp_perf.results.render.charts.charts import Stroke, curves, line, looks, over_time, time_axis
from mcp_perf.results.render.charts.scales import linear
from mcp_perf.results.render.charts.thinning import Series
from mcp_perf.results.render.words import numbers

_MOST_POINTS: Final = 600
"""Of the sessions of one arm: more than a screen can show apart."""


def draw(
    arms: Mapping[str, ArmNumbers], series: Series[ResourcePoint], last_s: float
) -> dict[str, str]:
    """Draw CPU use and resident memory by their titles; what nobody knows is left out."""
    charts: tuple[tuple[str, str, str, Callable[[ResourcePoint], float | None]], ...] = (
        (
            "CPU",
            "cpu",
            "CPU, percent of one core",
            lambda p: None if p.cpu is None else 100 * p.cpu,
        ),
        (
            *("Resident memory", "rss", "Resident memory, MB"),
            lambda p: None if p.rss_bytes is None else p.rss_bytes / 1e6,
        ),
    )
    drawn = {}
    for title, name, shown, read in charts:
        values = [value for point in series.points if (value := read(point)) is not None]
        if values:
            scales = time_axis(arms, last_s), linear(max(1.0, *values))
            drawn[title] = curves(name, shown, arms, series, scales, {"line": read}, _at)
    return drawn


def sessions(arms: Mapping[str, ArmNumbers], points: Sequence[SessionPoint], last_s: float) -> str:
    """Draw the open sessions of each arm, as steps; nothing where there were none."""
    most = max((point.open for point in points), default=0)
    if not most:
        return ""
    x, y, styles = time_axis(arms, last_s), linear(float(most)), looks(arms)
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
    return over_time("sessions", "Sessions open", arms, (x, y), lines, readings)


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
