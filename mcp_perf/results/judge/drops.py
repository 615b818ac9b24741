"""Dropped arrivals have no latency, so the times of the others are only a lower bound.

A target that gets fewer calls because it is slow must not look fast for that reason. So a gate on a
time does not pass only because the dropped arrivals are left out.
"""

from collections.abc import Mapping

from mcp_perf.numbers import counted
from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.journal.histogram import rank
from mcp_perf.results.judge import rule
from mcp_perf.results.judge.rule import HOLDS, no_latency, were
from mcp_perf.results.tally.metrics import FRACTIONS, Evidence, Totals, bare, whose
from mcp_perf.scenario.model.gates import METRICS, Focus, Gate


def unknown_beyond(gate: Gate, arms: Mapping[str, Evidence]) -> str | None:
    """Say why a gate on a time that seems to hold may not hold, or return None.

    A percentile still stands if the gate also holds when every dropped arrival, and every call that
    was cut off, counts as slower than all others.
    """
    if METRICS[gate.metric].kind != "time":
        return None
    for side in gate.sides:
        totals = arms[str(side)].totals
        if totals.dropped and not stands(gate, totals):
            return no_latency(totals.dropped, totals.planned, side.arm, gate.metric)
        if gate.versus is None and not stands(gate, totals):
            return _not_known(gate, totals, side)
    if gate.versus is None:
        return None
    # Only the side whose times must not be too long: longer times of the other one do no harm.
    side = gate.focus if gate.op.startswith("<") else gate.versus
    totals = arms[str(side)].totals
    holds = not totals.ranked(gate.metric).cut_off.n or _compared_stands(gate, side, arms)
    return None if holds else _not_known(gate, totals, side)


def _compared_stands(gate: Gate, side: Focus, arms: Mapping[str, Evidence]) -> bool:
    """Tell whether a comparison also holds if calls of this side that were cut off took longest."""
    value, base = (
        _with_cut_off_last(gate.metric, arms[str(one)].totals)
        if one == side
        else arms[str(one)].totals.value(gate.metric)
        for one in gate.sides
    )
    if not value or not base:
        return False
    return rule.Bound.of(gate).holds(value - base if gate.factor is None else value / base)


def _with_cut_off_last(metric: str, totals: Totals) -> float | None:
    name, ranked = bare(metric), totals.ranked(metric)
    if name == "mean":
        return None
    return ranked.ok.at_rank_ms(rank(FRACTIONS.get(name, 1.0), ranked.n + totals.dropped))


def _not_known(gate: Gate, totals: Totals, side: Focus) -> str:
    ranked = totals.ranked(gate.metric)
    cut_off, failures = ranked.cut_off.n, ranked.failures.n
    cut = f"{cut_off} {were(cut_off)} cut off" if cut_off else ""
    failed = f"{failures} failed" if failures else ""
    unknown = " and ".join(filter(None, (failed, cut)))
    hint = " Write a gate on a percentile instead." if bare(gate.metric) == "mean" else ""
    return (
        f"Among {counted(ranked.n, whose(gate.metric)[:-1])} of {side}, {unknown}: "
        f"{gate.metric} depends on the time that would have taken.{hint}"
    )


def with_drops(comparison: Comparison, *arms: Evidence) -> Comparison:
    """Add the warning that a ratio of times was measured without the dropped arrivals."""
    if METRICS[comparison.metric].kind != "time":
        return comparison
    return comparison.model_copy(update={"warnings": [*comparison.warnings, *dropped(*arms)]})


def dropped(*arms: Evidence) -> list[str]:
    """Say that times were measured without the dropped arrivals; empty if there were none."""
    number = sum(found.totals.dropped for found in arms)
    if not number:
        return []
    journeys = counted(number, "journey")
    text = f"{journeys} were not started (dropped), because max_in_flight journeys were in flight."
    return [f"{text} They have no times. Lower load.rate, or raise load.max_in_flight."]


def stands(gate: Gate, totals: Totals) -> bool:
    """Tell whether a gate that holds also holds whatever the unknown times are.

    Dropped arrivals and calls that were cut off could have been the slowest. Nobody knows how long
    failed calls would have taken: with them the mean shows nothing, and a lower bound must hold
    with them as the fastest.
    """
    name, ranked = bare(gate.metric), totals.ranked(gate.metric)
    beyond = totals.dropped + ranked.cut_off.n
    if gate.value is None or gate.versus is not None:
        return False
    if gate.op.startswith(">"):
        value = totals.value(gate.metric, first=True)
        return not ranked.failures.n or (value is not None and HOLDS[gate.op](value, gate.value))
    if name == "mean":
        return not beyond and not ranked.failures.n
    if not beyond:
        return True
    shifted = _with_cut_off_last(gate.metric, totals)
    return shifted is not None and shifted <= gate.value
