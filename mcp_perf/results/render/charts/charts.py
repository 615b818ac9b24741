"""Charts as inline SVG: pure functions from the document to text.

A plot stretches with the page while its text and strokes keep their size: positions are percentages
and lines are drawn in a square that is stretched. Colours, fonts and dashes are in report.css.
Nothing needs a script; what a pointer rests on is explained by a `<title>`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from xml.etree import ElementTree as ET

from mcp_perf.results.document.comparison import Comparison, Regression
from mcp_perf.results.document.document import ArmNumbers, TimelinePoint
from mcp_perf.results.render.charts import svg
from mcp_perf.results.render.charts.scales import Scale, linear, of_fractions, of_time, of_values
from mcp_perf.results.render.charts.svg import element, per_cent
from mcp_perf.results.render.charts.thinning import Series
from mcp_perf.results.render.words import numbers

COLOURS = 6
"""How many arms have a look of their own in report.css; more start again."""
KEYS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MOST_BANDS = 450
_LETTERED_BANDS = 24
_SEEN = 0.03
"""Height of the smallest bar: one failure among a thousand calls must not be missed."""


@dataclass(frozen=True)
class Look:
    """How an arm is told from the others: a colour and dash of report.css, and a letter."""

    css: str
    key: str


def looks(arms: Iterable[str]) -> dict[str, Look]:
    """Give each arm its look, in the order of the document."""
    return {name: Look(f"arm-{i % COLOURS}", KEYS[i % len(KEYS)]) for i, name in enumerate(arms)}


@dataclass(frozen=True)
class TurnSpan:
    """A stretch of time in which one arm ran alone."""

    arm: str
    phase: str
    round: int
    order: int
    start_s: float
    end_s: float


def turns(arms: Mapping[str, ArmNumbers]) -> list[TurnSpan]:
    """List every turn in the recorded order; a turn ends at the latest where the next begins."""
    every = sorted(
        (
            TurnSpan(name, turn.phase, turn.round, turn.order, turn.at_s, turn.at_s + turn.seconds)
            for name, arm in arms.items()
            for turn in arm.rounds
        ),
        key=lambda turn: turn.order,
    )
    cut = [replace(turn, end_s=min(turn.end_s, after.start_s)) for turn, after in pairwise(every)]
    return [*cut, *every[-1:]]


def frame(name: str, title: str, description: str, x: Scale, y: Scale) -> ET.Element:
    """Start a chart: its accessible name, grid lines and tick labels."""
    ids = f"{name}-title {name}-desc"
    chart = element("svg", class_="chart", role="img", aria_labelledby=ids)
    chart.append(element("title", title, id=f"{name}-title"))
    chart.append(element("desc", description, id=f"{name}-desc"))
    for position, label in y.ticks:
        at = per_cent(1 - position)
        chart.append(element("line", class_="grid", x1="0", x2="100%", y1=at, y2=at))
        chart.append(element("text", label, class_="y", x="-8", y=at, dy="0.32em"))
    for position, label in x.ticks:
        at = per_cent(position)
        chart.append(element("line", class_="tick", x1=at, x2=at, y1="0", y2="100%"))
        chart.append(element("text", label, class_="x", x=at, y="100%", dy="1.5em"))
    return chart


def column(left: float, right: float, css: str, title: str) -> ET.Element:
    """Span the height of the plot between two positions; a pointer reads its title there."""
    width = per_cent(max(0.0, right - left))
    return element(
        "rect",
        element("title", title),
        class_=css,
        x=per_cent(left),
        y="0",
        width=width,
        height="100%",
    )


def columns(positions: Sequence[float], titles: Sequence[str]) -> ET.Element:
    """Cover the plot with invisible columns, each around a position, that light up and explain."""
    edges = [0.0, *[(left + right) / 2 for left, right in pairwise(positions)], 1.0]
    rects = [
        column(left, right, "hit", title)
        for (left, right), title in zip(pairwise(edges), titles, strict=True)
    ]
    return element("g", *rects)


def line(css: str, positions: list[tuple[float, float]]) -> ET.Element:
    """Draw a line through positions, to be stretched; a single one is a dot."""
    dot = " dot" if len(positions) == 1 else ""
    return element("path", class_=css + dot, d=svg.path(positions))


def finished(
    chart: ET.Element,
    lines: Iterable[ET.Element],
    positions: Sequence[float],
    titles: Sequence[str],
) -> str:
    """Put lines into a chart, and at these positions what a pointer reads there."""
    chart.append(svg.stretched(*lines))
    chart.append(columns(positions, titles))
    return svg.text(chart)


def percentiles(arms: Mapping[str, ArmNumbers]) -> str:
    """Draw each arm's latency by percentile; an empty string where no arm has a curve."""
    curves = {name: arm.percentile_curve for name, arm in arms.items() if arm.percentile_curve}
    if not curves:
        return ""
    x = of_fractions(fraction for curve in curves.values() for fraction, _ in curve)
    y = of_values(time_ms for curve in curves.values() for _, time_ms in curve)
    chart = frame(
        "percentiles",
        "Latency by percentile",
        f"Milliseconds over percentile, from 0 to 100, for {', '.join(curves)}.",
        x,
        y,
    )
    styles = looks(arms)
    lines = [
        line(f"line dashed {styles[name].css}", [(x.at(f), y.at(time)) for f, time in curve])
        for name, curve in curves.items()
    ]
    read_at = [0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1.0]
    shown = [fraction for fraction in read_at if fraction == 1 or x.at(fraction) < 0.99]
    titles = [_reading(fraction, curves) for fraction in shown]
    return finished(chart, lines, [x.at(fraction) for fraction in shown], titles)


def _reading(fraction: float, curves: Mapping[str, list[tuple[float, float]]]) -> str:
    """Say what each curve is at a fraction: the first recorded point that reaches it."""
    lines = [f"{100 * fraction:.10g} %" if fraction < 1 else "longest"]
    for name, curve in curves.items():
        reached = next((time for at, time in curve if at >= fraction - 1e-9), curve[-1][1])
        lines.append(f"{name}: {numbers.ms(reached)}")
    return "\n".join(lines)


def _bands(run: Sequence[TurnSpan], x: Scale, styles: Mapping[str, Look]) -> ET.Element:
    """Shade each turn in its arm's colour; few turns carry the arm's letter as well."""
    group = element("g")
    for turn in run if len(run) <= _MOST_BANDS else ():
        left, right = x.at(turn.start_s), x.at(turn.end_s)
        what = "warm-up" if turn.phase == "warmup" else f"round {turn.round}"
        css = f"band {turn.phase} {styles[turn.arm].css}"
        group.append(column(left, right, css, f"{turn.arm}, {what}"))
        if len(run) <= _LETTERED_BANDS:
            key, middle = styles[turn.arm].key, per_cent((left + right) / 2)
            group.append(element("text", key, class_="key", x=middle, y="0", dy="-0.5em"))
    return group


def shaded(arms: Mapping[str, ArmNumbers]) -> bool:
    """Tell whether the timeline shades its turns: of too many only stripes would remain."""
    return len(turns(arms)) <= _MOST_BANDS


def over_time(
    name: str, title: str, arms: Mapping[str, ArmNumbers], last_s: float, y: Scale
) -> tuple[ET.Element, Scale]:
    """Start a chart over the time of the run, its turns shaded."""
    run = turns(arms)
    x = of_time(max([last_s + 1, *(turn.end_s for turn in run)]))
    description = f"{title} over the time of the run, for {', '.join(arms)}."
    chart = frame(name, title, description, x, y)
    chart.append(_bands(run, x, looks(arms)))
    return chart, x


def rates(arms: Mapping[str, ArmNumbers], series: Series[TimelinePoint]) -> str:
    """Draw calls per second over the run, and failures per second where there are any."""
    points = series.points
    y = linear(max(1.0, *(max(point.calls_per_s, point.errors_per_s) for point in points)))
    chart, x = over_time("rates", "Calls per second", arms, series.last_s, y)
    styles = looks(arms)
    bars = [
        line("failed", [(x.at(p.at_s), 0.0), (x.at(p.at_s), max(_SEEN, y.at(p.errors_per_s)))])
        for p in points
        if p.errors_per_s > 0
    ]
    lines = [
        line(
            f"line {styles[arm].css}",
            [(x.at(point.at_s), y.at(point.calls_per_s)) for point in part],
        )
        for arm in arms
        for part in series.stretches(arm)
    ]
    positions = [x.at(point.at_s) for point in points]
    return finished(chart, [*bars, *lines], positions, [_at(p) for p in points])


def latencies(arms: Mapping[str, ArmNumbers], series: Series[TimelinePoint]) -> str:
    """Draw p50 and p95 of the calls over the run."""
    points = series.points
    y = of_values(v for p in points for v in (p.p50_ms, p.p95_ms) if v is not None)
    chart, x = over_time("latencies", "Latency, p50 and p95", arms, series.last_s, y)
    styles = looks(arms)
    lines = []
    for arm in arms:
        for part in series.stretches(arm):
            p95 = [(x.at(p.at_s), y.at(p.p95_ms)) for p in part if p.p95_ms is not None]
            p50 = [(x.at(p.at_s), y.at(p.p50_ms)) for p in part if p.p50_ms is not None]
            lines += [line(f"line {styles[arm].css}", p95)] if p95 else []
            lines += [line(f"line thin {styles[arm].css}", p50)] if p50 else []
    positions = [x.at(point.at_s) for point in points]
    return finished(chart, lines, positions, [_at(p) for p in points])


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
    chart = element("svg", element("title", reading), class_="interval", role="img")
    chart.set("aria-label", reading)
    if comparison.effect_needed:
        low, high = x.at(1 / comparison.effect_needed), x.at(comparison.effect_needed)
        chart.append(column(low, high, "unseen", "an effect in here could not have been seen"))
    chart.append(element("line", class_="one", x1="50%", x2="50%", y1="0", y2="100%"))
    clear = ci95 is not None and not ci95[0] <= 1 <= ci95[1]
    css = "clear" if clear else "unclear"
    if ci95 is not None and all(map(math.isfinite, ci95)):
        ends = [per_cent(x.at(end)) for end in ci95]
        chart.append(element("line", class_=css, x1=ends[0], x2=ends[1], y1="50%", y2="50%"))
        for end in ends:
            chart.append(element("line", class_=css, x1=end, x2=end, y1="25%", y2="75%"))
    if ratio is not None and math.isfinite(ratio):
        chart.append(element("circle", class_=css, cx=per_cent(x.at(ratio)), cy="50%", r="3.5"))
    return svg.text(chart)


def interval_axis(x: Scale) -> str:
    """Label the axis which all intervals of a table share."""
    labels = [element("text", label, x=per_cent(position), y="75%") for position, label in x.ticks]
    return svg.text(element("svg", *labels, class_="interval axis", aria_hidden="true"))
