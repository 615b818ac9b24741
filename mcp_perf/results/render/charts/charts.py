"""Charts as inline SVG: pure functions from the document to text.

A plot stretches with the page while its text and strokes keep their size: positions are percentages
and lines are drawn in a square that is stretched. Colours, fonts and dashes are in report.css.
No chart needs a script: a `<title>` explains what a pointer rests on.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from mcp_perf import numbers
from mcp_perf.results.document.comparison import Comparison, Regression
from mcp_perf.results.document.document import PHASES, ArmNumbers, Phase, TimelinePoint
from mcp_perf.results.render.charts import svg
from mcp_perf.results.render.charts.bounds import GateBound, Limit, across, on
from mcp_perf.results.render.charts.scales import Scale, linear, of_time, of_values
from mcp_perf.results.render.charts.thinning import P, Series
from mcp_perf.results.render.words import grouping

COLOURS = 6
"""How many looks report.css has for arms; further arms start again."""
KEYS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MOST_BANDS = 450
_LETTERED_BANDS = 24
_SEEN = 0.03
"""Height of the smallest bar: one failure among a thousand calls must not be missed."""


class Look(NamedTuple):
    """What distinguishes an arm: a colour and dash of report.css, and a letter."""

    css: str
    key: str


def looks(arms: Iterable[str]) -> dict[str, Look]:
    """Give each arm its look, in the order of the document."""
    return {name: Look(f"arm-{i % COLOURS}", KEYS[i % len(KEYS)]) for i, name in enumerate(arms)}


@dataclass(frozen=True)
class TurnSpan:
    """A stretch of time in which one arm ran alone."""

    arm: str
    phase: Phase
    round: int
    start_s: float
    end_s: float

    @property
    def css(self) -> str:
        """Its class: all turns that are not measured look alike."""
        return "round" if self.phase == "round" else "warmup"

    @property
    def what(self) -> str:
        return PHASES[self.phase].format(self.round)


def turns(arms: Mapping[str, ArmNumbers]) -> list[TurnSpan]:
    """List the stretches of all turns; one ends at the latest when the next begins."""
    every = [
        TurnSpan(name, turn.phase, turn.round, turn.at_s, turn.at_s + turn.seconds)
        for name, turn in grouping.rounds(arms)
    ]
    cut = [replace(turn, end_s=min(turn.end_s, after.start_s)) for turn, after in pairwise(every)]
    return [*cut, *every[-1:]]


class Shade(NamedTuple):
    """A shaded band between two positions; a pointer on it shows its title."""

    left: float
    right: float
    css: str
    title: str
    key: str = ""
    """A letter above it."""


class Dot(NamedTuple):
    """A dot with its look."""

    x: float
    y: float
    css: str


Stroke = tuple[str, str]
"""Its look in report.css, and its path."""
Explanation = tuple[float, str]
"""A position, and what a pointer near it shows."""
Reads = Mapping[str, Callable[[P], float | None]]
"""The look of a line, and which number of a point it shows."""


def line(css: str, positions: list[tuple[float, float]]) -> list[Stroke]:
    """Draw a line through positions; a single one is a dot, and none draws nothing."""
    dot = " dot" if len(positions) == 1 else ""
    return [(css + dot, svg.path(positions))] if positions else []


def chart(
    name: str,
    title: str,
    description: str,
    scales: tuple[Scale, Scale],
    lines: Iterable[Stroke],
    readings: Sequence[Explanation],
    *,
    shades: Sequence[Shade] = (),
    limits: Sequence[Limit] = (),
    dots: Sequence[Dot] = (),
) -> str:
    """Draw a chart: its accessible name, grid, tick labels, shades, lines, limits and readings."""
    between = pairwise(position for position, _ in readings)
    edges = pairwise([0.0, *((left + right) / 2 for left, right in between), 1.0])
    columns = [(*edge, text) for edge, (_, text) in zip(edges, readings, strict=True)]
    drawn = (shades, list(lines), columns, limits, dots)
    return svg.draw("chart", name, title, description, *scales, *drawn)


def _bands(arms: Mapping[str, ArmNumbers], x: Scale) -> list[Shade]:
    """Shade each turn in its arm's colour; few turns carry the arm's letter as well."""
    run, styles = turns(arms), looks(arms)
    return [
        Shade(
            x.at(turn.start_s),
            x.at(turn.end_s),
            f"band {turn.css} {styles[turn.arm].css}",
            f"{turn.arm}, {turn.what}",
            styles[turn.arm].key if len(arms) > 1 and len(run) <= _LETTERED_BANDS else "",
        )
        for turn in run
        if len(run) <= _MOST_BANDS
    ]


def shaded(arms: Mapping[str, ArmNumbers]) -> bool:
    """Tell whether the timeline shades its turns: too many would only be stripes."""
    return len(turns(arms)) <= _MOST_BANDS


def time_axis(arms: Mapping[str, ArmNumbers], last_s: float) -> Scale:
    """Fit the axis of charts over the time of the run."""
    return of_time(max([last_s, *(turn.end_s for turn in turns(arms))]))


def over_time(
    name: str,
    title: str,
    arms: Mapping[str, ArmNumbers],
    scales: tuple[Scale, Scale],
    lines: Iterable[Stroke],
    readings: Sequence[Explanation],
    limits: Sequence[Limit] = (),
) -> str:
    """Draw a chart over the time of the run, its turns shaded."""
    description = f"{title} over the time of the run, for {', '.join(arms)}."
    shades = _bands(arms, scales[0])
    return chart(name, title, description, scales, lines, readings, shades=shades, limits=limits)


def curves(
    name: str,
    title: str,
    arms: Mapping[str, ArmNumbers],
    series: Series[P],
    scales: tuple[Scale, Scale],
    reads: Reads[P],
    told: Callable[[P], str],
    *,
    first: Iterable[Stroke] = (),
    limits: Sequence[Limit] = (),
) -> str:
    """Draw numbers of points over the time of the run; `reads` has a line for each number.

    A point is drawn as wide as the time it stands for. `first` is drawn below all lines.
    """
    (x, y), styles, lines = scales, looks(arms), [*first]
    for arm in arms:
        for part in series.stretches(arm):
            for css, read in reads.items():
                known = [(p, y.at(v)) for p in part if (v := read(p)) is not None]
                ends = [(end, at) for p, at in known for end in (p.at_s, p.at_s + p.seconds)]
                lines += line(f"{css} {styles[arm].css}", [(x.at(s), at) for s, at in ends])
    readings = [(x.at(point.at_s + point.seconds / 2), told(point)) for point in series.points]
    return over_time(name, title, arms, scales, lines, readings, limits)


def rates(
    arms: Mapping[str, ArmNumbers], series: Series[TimelinePoint], gates: Iterable[GateBound] = ()
) -> str:
    """Draw calls per second over the run, and failures per second if there are any."""
    points, known = series.points, on(gates, "calls_per_s")
    asked = [bound.value for bound in known]
    most = [max(point.calls_per_s, point.errors_per_s) for point in points]
    y = linear(max(1.0, *most, *asked)).in_unit("/s")
    x = time_axis(arms, series.last_s)
    failed: list[Stroke] = []
    for p in points:
        if p.errors_per_s > 0:
            top = max(_SEEN, y.at(p.errors_per_s))
            middle = x.at(p.at_s + p.seconds / 2)
            failed += line("failed", [(middle, 0.0), (middle, top)])
    reads: Reads[TimelinePoint] = {"line": lambda point: point.calls_per_s}
    name, title, limits = "rates", "Calls per second", across(known, y)
    return curves(name, title, arms, series, (x, y), reads, _at, first=failed, limits=limits)


def latencies(
    arms: Mapping[str, ArmNumbers], series: Series[TimelinePoint], gates: Iterable[GateBound] = ()
) -> str:
    """Draw p50 and p95 of the calls over the run; an empty string if no call was ok."""
    times = [v for p in series.points for v in (p.p50_ms, p.p95_ms) if v is not None]
    if not times:
        return ""
    known = on(gates, "p50", "p95")
    y = of_values([*times, *(bound.value for bound in known)]).in_unit(f"{numbers.THIN}ms")
    scales = time_axis(arms, series.last_s), y
    reads: Reads[TimelinePoint] = {
        "line p95": lambda point: point.p95_ms,
        "line thin p50": lambda point: point.p50_ms,
    }
    name, title, limits = "latencies", "Latency, p50 and p95", across(known, y)
    return curves(name, title, arms, series, scales, reads, _at, limits=limits)


def _at(point: TimelinePoint) -> str:
    return (
        f"{point.arm} at {numbers.seconds(point.at_s)}\n{numbers.rate(point.calls_per_s)},"
        f" {numbers.rate(point.errors_per_s)} failed\n"
        f"p50 {numbers.ms(point.p50_ms)}, p95 {numbers.ms(point.p95_ms)}"
    )


def interval(comparison: Comparison | Regression, x: Scale) -> str:
    """Draw a ratio and its interval around 1, above the band of effects too small to be seen."""
    ratio, ci95 = comparison.ratio, comparison.ci95
    reading = f"ratio {numbers.ratio(ratio)}, 95 % interval {numbers.interval(ci95, 'x')}"
    effect = comparison.effect_needed
    unseen = (x.at(1 / effect), x.at(effect)) if effect else None
    clear = ci95 is not None and not ci95[0] <= 1 <= ci95[1]
    ends = tuple(map(x.at, ci95)) if ci95 and all(map(math.isfinite, ci95)) else None
    dot = x.at(ratio) if ratio is not None and math.isfinite(ratio) else None
    return svg.draw("interval", reading, "clear" if clear else "unclear", unseen, ends, dot)


def interval_axis(ticks: Sequence[tuple[float, str]]) -> str:
    """Label the axis that all intervals of a table share."""
    return svg.draw("axis", ticks)
