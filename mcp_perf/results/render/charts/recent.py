"""The last minutes of a run in progress, as charts that begin where their points do."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from mcp_perf import numbers
from mcp_perf.results.document.document import TimelinePoint
from mcp_perf.results.render.charts.charts import Stroke, chart, line, looks
from mcp_perf.results.render.charts.scales import Scale, linear, of_values
from mcp_perf.results.render.charts.thinning import Series

_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60)
_MOST_TICKS: Final = 4
Read = Callable[[TimelinePoint], float | None]


def draw(arms: Iterable[str], points: Sequence[TimelinePoint]) -> Mapping[str, str]:
    """Draw the rate and the p95 of the calls; nothing without points."""
    if len(points) < 2:
        return {}
    x, names = _time(points[0].at_s, points[-1].at_s), [*arms]
    rate = linear(max(1.0, *(point.calls_per_s for point in points)))
    p95 = of_values(point.p95_ms for point in points if point.p95_ms is not None)

    def drawn(name: str, title: str, y: Scale, read: Read) -> str:
        about = f"{title}, lately, for {', '.join(names)}."
        strokes = list(_strokes(names, points, (x, y), read))
        # One reading for the whole chart: it is drawn again each second, which has to cost little.
        return chart(name, title, about, (x, y), strokes, [(0.5, _told(points[-1]))])

    return {
        "rates": drawn("live-rates", "Calls per second", rate, lambda point: point.calls_per_s),
        "p95": drawn("live-p95", "p95 of the calls, ms", p95, lambda point: point.p95_ms),
    }


def _time(first_s: float, last_s: float) -> Scale:
    """Fit an axis to a stretch of the run's time."""
    width = max(1.0, last_s - first_s)
    step = next((step for step in _STEPS_S if width / step <= _MOST_TICKS), _STEPS_S[-1])

    def at(at_s: float) -> float:
        return min(1.0, max(0.0, (at_s - first_s) / width))

    labelled = range(math.ceil(first_s / step) * step, math.floor(first_s + width) + 1, step)
    return Scale(at, tuple((at(tick), _label(tick)) for tick in labelled))


def _label(at_s: int) -> str:
    return f"{at_s}{numbers.THIN}s" if at_s < 100 else numbers.seconds(at_s)


def _strokes(
    arms: Iterable[str], points: Sequence[TimelinePoint], scales: tuple[Scale, Scale], read: Read
) -> Iterable[Stroke]:
    """Draw the line of each arm, cut where the arm paused."""
    (x, y), styles, series = scales, looks(arms), Series([*points], None)
    for arm in arms:
        for part in series.stretches(arm):
            known = [(x.at(p.at_s), y.at(value)) for p in part if (value := read(p)) is not None]
            yield from line(f"line {styles[arm].css}", known)


def _told(point: TimelinePoint) -> str:
    return (
        f"{point.arm} at {numbers.seconds(point.at_s)}\n{numbers.rate(point.calls_per_s)}, "
        f"p95 {numbers.ms(point.p95_ms)}"
    )
