"""The bounds of gates, as lines of a chart whose axis they lie on."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mcp_perf.results.document.document import ArmNumbers, Latency, Report
from mcp_perf.results.render.charts.scales import Scale
from mcp_perf.scenario.model.gates import Gate, GateError, parse


class GateBound(NamedTuple):
    """What a gate asks of a number of a whole arm, in the metric's own unit."""

    arm: str
    metric: str
    text: str
    """The gate without its arm: `p95 < 200ms`."""
    value: float


class Limit(NamedTuple):
    """A line between two positions, and the text above its end."""

    text: str
    start: tuple[float, float]
    end: tuple[float, float]


def gate_bounds(report: Report) -> list[GateBound]:
    """List the bounds on numbers of whole arms; `3x control` is three times control's number."""
    found = []
    for judged in report.gates:
        try:
            gate = parse(judged.gate)
        except GateError:  # of a newer version
            continue
        value = _value(gate, report.arms)
        if value is not None and not gate.focus.kind:
            text = gate.text.partition(".")[2].strip()
            found.append(GateBound(gate.focus.arm, gate.metric, text, value))
    return found


def _value(gate: Gate, arms: Mapping[str, ArmNumbers]) -> float | None:
    if gate.versus is None:
        return gate.value
    base = arms.get(gate.versus.arm)
    if base is None or gate.factor is None or gate.metric not in Latency.model_fields:
        return None
    measured: float | None = getattr(base.ranked_ms or base.latency_ms, gate.metric)
    return None if measured is None else gate.factor * measured


def on(bounds: Iterable[GateBound], *metrics: str) -> list[GateBound]:
    """Choose the bounds on some metrics."""
    return [bound for bound in bounds if bound.metric in metrics]


def across(bounds: Iterable[GateBound], y: Scale, unit: float = 1.0) -> list[Limit]:
    """Draw bounds over the whole width, equal ones once; `unit` is that of the axis."""
    texts = dict.fromkeys((y.at(bound.value / unit), bound.text) for bound in bounds)
    return [Limit(text, (0.0, at), (1.0, at)) for at, text in texts]
