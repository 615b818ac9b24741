"""The page of `mcp-perf trend`: one chart and one table per line of runs."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from mcp_perf import numbers
from mcp_perf.results.render.charts import charts
from mcp_perf.results.render.charts.scales import Scale, of_values
from mcp_perf.results.render.files import html
from mcp_perf.results.stats.trend import Line, Mark

_MOST_TICKS = 4


def render(lines: Sequence[Line]) -> str:
    """Write the page."""
    shown: list[dict[str, Any]] = [
        {
            "line": line,
            "chart": _chart(f"trend-{index}", line),
            "unit": unit_of(line.metric),
            "slope": slope(line),
            "remarks": [remark(mark) for mark in line.marks],
        }
        for index, line in enumerate(lines)
    ]
    return html.page("trend.html.j2", dict.fromkeys(line.arm for line in lines), lines=shown)


def unit_of(metric: str) -> str:
    """Return the unit of a metric, as `numbers.measured` takes it."""
    if metric in ("throughput", "calls_per_s"):
        return "/s"
    return "fraction" if metric == "error_rate" else "ms"


def slope(line: Line) -> str:
    """Say where a line goes, in a few words."""
    if line.slope is None or line.slope95 is None:
        return "Too few runs for a slope"
    low, high = line.slope95
    towards = f"{_per_cent(line.slope)} per run ({_per_cent(low)} to {_per_cent(high)}, 95 %)"
    return towards if not low <= 1 <= high else f"No slope shown: {towards}"


def remark(mark: Mark) -> str:
    """Say why a run is worth a look, if it is."""
    if mark.level is not None:
        return f"new level: {_per_cent(mark.level)}"
    return "stands out" if mark.stands_out else ""


def _per_cent(factor: float) -> str:
    return numbers.plain(numbers.change(factor - 1))


def _chart(name: str, line: Line) -> str:
    points = [mark.point for mark in line.marks]
    unit = {"/s": "/s", "ms": f"{numbers.THIN}ms"}.get(unit_of(line.metric), "")
    y = of_values([end for p in points for end in (p.low, p.value, p.high) if end is not None])
    y = y.in_unit(unit)
    step = -(-len(points) // _MOST_TICKS)
    ticks = [(_at(i, len(points)), points[i].started[5:10]) for i in range(0, len(points), step)]
    x = Scale(lambda i: _at(i, len(points)), tuple(ticks))
    title = f"{line.arm}.{line.metric} by run"
    positions = [(x.at(i), y.at(point.value)) for i, point in enumerate(points)]
    lines: list[charts.Stroke] = []
    for i, point in enumerate(points):
        if point.low is not None and point.high is not None:
            bar = [(x.at(i), y.at(point.low)), (x.at(i), y.at(point.high))]
            lines += charts.line("line thin arm-5", bar)
    for pair in pairwise(positions):
        lines += charts.line("line arm-0", list(pair))
    for mark, position in zip(line.marks, positions, strict=True):
        lines += charts.line("line arm-1" if remark(mark) else "line arm-0", [position])
        if mark.level is not None:
            lines += charts.line("line thin arm-1", [(position[0], 0), (position[0], 1)])
    readings = [
        (x.at(i), f"{p.run_id}\n{numbers.measured(p.value, unit_of(line.metric))}, {p.verdict}")
        for i, p in enumerate(points)
    ]
    description = f"{title}, the oldest at the left."
    return charts.chart(name, title, description, (x, y), lines, readings)


def _at(index: float, number: int) -> float:
    return (index + 0.5) / number
