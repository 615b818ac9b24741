"""Latency by percentile: the arms' curves over each other, from the median to the longest call."""

from collections.abc import Iterable, Mapping
from typing import Final

from mcp_perf import numbers
from mcp_perf.results.document.document import ArmNumbers
from mcp_perf.results.render.charts.bounds import GateBound, Limit, on
from mcp_perf.results.render.charts.charts import Stroke, chart, line, looks
from mcp_perf.results.render.charts.scales import Scale, of_fractions, of_values

_READ_AT: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1.0)
_FRACTIONS: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999, "max": 1.0}
_HALF: Final = 0.04
"""How far a bound's line reaches from its percentile, as a fraction of the plot."""


def from_median(curve: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return what is drawn of a curve of fractions and milliseconds."""
    return [(fraction, ms) for fraction, ms in curve if fraction >= _READ_AT[0]]


def draw(arms: Mapping[str, ArmNumbers], gates: Iterable[GateBound] = ()) -> str:
    """Draw each arm's latency by percentile; an empty string if no arm has a curve."""
    curves = {
        name: from_median(arm.percentile_curve)
        for name, arm in arms.items()
        if arm.percentile_curve
    }
    if not curves:
        return ""
    known = on(gates, *_FRACTIONS)
    x = of_fractions(fraction for curve in curves.values() for fraction, _ in curve)
    times = [time_ms for curve in curves.values() for _, time_ms in curve]
    y = of_values([*times, *(bound.value for bound in known)]).in_unit(f"{numbers.THIN}ms")
    styles = looks(arms)
    lines: list[Stroke] = []
    for name, curve in curves.items():
        lines += line(f"line dashed {styles[name].css}", [(x.at(f), y.at(ms)) for f, ms in curve])
    shown = [fraction for fraction in _READ_AT if fraction == 1 or x.at(fraction) < 0.99]
    return chart(
        "percentiles",
        "Latency by percentile",
        f"Milliseconds over percentile, from the median to the longest, for {', '.join(curves)}.",
        (x, y),
        lines,
        [(x.at(fraction), _reading(fraction, curves)) for fraction in shown],
        limits=_limits(known, x, y),
    )


def _limits(known: Iterable[GateBound], x: Scale, y: Scale) -> list[Limit]:
    texts = dict.fromkeys(
        (x.at(_FRACTIONS[bound.metric]), y.at(bound.value), bound.text) for bound in known
    )
    return [
        Limit(text, (max(0.0, left - _HALF), top), (min(1.0, left + _HALF), top))
        for left, top, text in texts
    ]


def _reading(fraction: float, curves: Mapping[str, list[tuple[float, float]]]) -> str:
    """Say what each curve is at a fraction: the first recorded point that reaches it."""
    lines = [f"p{100 * fraction:.10g}" if fraction < 1 else "longest"]
    for name, curve in curves.items():
        reached = next((time for at, time in curve if at >= fraction - 1e-9), curve[-1][1])
        lines.append(f"{name}: {numbers.ms(reached)}")
    return "\n".join(lines)
