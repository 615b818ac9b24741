"""Dropped arrivals have no latency: what was measured of the others is then only a lower bound.

A target that is asked less often because it is slow must not look fast for it, so no gate on a time
passes by leaving the dropped ones out.
"""

from collections.abc import Mapping

from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.judge.rule import no_latency
from mcp_perf.results.tally.metrics import FRACTIONS, Evidence, Totals, bare
from mcp_perf.scenario.model.gates import METRICS, Gate


def unknown_beyond(gate: Gate, arms: Mapping[str, Evidence]) -> str | None:
    """Say why a gate on a time that seems to hold may not hold, or nothing.

    A percentile still stands if the gate also holds when every dropped arrival counts as slower
    than all others.
    """
    if METRICS[gate.metric].kind != "time":
        return None
    for name in filter(None, (gate.arm, gate.versus)):
        totals = arms[name].totals
        if totals.dropped and not stands(gate, totals):
            return no_latency(totals.dropped, totals.planned, name, gate.metric)
    return None


def with_drops(comparison: Comparison, *arms: Evidence) -> Comparison:
    """Add the warning that a ratio of times was measured without the dropped arrivals."""
    if METRICS[comparison.metric].kind != "time":
        return comparison
    return comparison.model_copy(update={"warnings": [*comparison.warnings, *dropped(*arms)]})


def dropped(*arms: Evidence) -> list[str]:
    """Say that times were measured without the dropped arrivals; nothing where there were none."""
    number = sum(found.totals.dropped for found in arms)
    if not number:
        return []
    return [f"{number} arrivals were dropped and have no latency: the times leave them out."]


def stands(gate: Gate, totals: Totals) -> bool:
    """Tell whether a gate that holds would also hold with the dropped arrivals as the slowest."""
    name = bare(gate.metric)
    if gate.value is None:
        return False
    if gate.op.startswith(">"):
        return True
    tally = totals.timed(gate.metric)
    n = tally.n + totals.unmeasured(gate.metric) + totals.dropped
    rank = FRACTIONS.get(name, 1.0) * n / tally.n
    [shifted] = tally.percentiles_ms([rank]) if rank <= 1 else [None]
    return shifted is not None and shifted <= gate.value
