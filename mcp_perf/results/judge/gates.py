"""Gates on evidence: PASS and FAIL only when the whole 95 % interval says so.

What was not measured is INCONCLUSIVE: nothing passes by absence. Every verdict but PASS has a
sentence with the numbers and what to do.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mcp_perf.numbers import counted, out_of, said
from mcp_perf.results.document.comparison import STEADY
from mcp_perf.results.document.document import GateResult
from mcp_perf.results.document.target_numbers import SessionNumbers
from mcp_perf.results.judge import rule, shares
from mcp_perf.results.judge.drops import unknown_beyond
from mcp_perf.results.stats import rounds as stats
from mcp_perf.results.stats.drift import FEWEST_ROUNDS
from mcp_perf.results.stats.leaks import ONLY_WARM, Growth
from mcp_perf.results.stats.rounds import certain
from mcp_perf.results.tally.metrics import FRACTIONS, Evidence, Totals, bare, is_time, paired, whose
from mcp_perf.results.tally.steadiness import drifts, may_change
from mcp_perf.scenario.model.gates import METRICS, Focus, Gate

_BEYOND: Final = 3
"""Samples beyond a percentile in each round; with fewer, the rounds do not show how it varies."""
_UNSEEN: Final = 2
"""The factor by which rounds may differ if there are too few to see how much they do."""


def judge(gate: Gate, arms: Mapping[str, Evidence]) -> GateResult:
    """Judge one gate by the measurements of its sides; `arms` has them by their written form."""
    names = [str(side) for side in gate.sides]
    absent = next(filter(None, (_absent(name, gate.metric, arms) for name in names)), None)
    if any(name not in arms for name in names):
        judgement = rule.Judgement("INCONCLUSIVE")
    else:
        judge_sides = _single if gate.versus is None else _compared
        judgement = judge_sides(gate, *(arms[name] for name in names))
    if absent is not None and judgement.verdict != "FAIL":
        judgement = rule.Judgement("INCONCLUSIVE", absent, judgement.measured)
    if judgement.verdict == "PASS" and (unseen := unknown_beyond(gate, arms)):
        judgement = rule.Judgement("INCONCLUSIVE", unseen, judgement.measured, judgement.ci95)
    return judgement.of(gate)


def _absent(arm: str, metric: str, arms: Mapping[str, Evidence]) -> str | None:
    if arm not in arms or not arms[arm].totals.call.ended:
        return f"No call of {arm} ended in a measured round, so there is nothing to judge."
    totals, needs = arms[arm].totals, METRICS[metric].needs
    if needs == "planned" and not totals.planned:
        return f"No start of {arm} was planned, so none could be dropped."
    if needs == "resources" and (unknown := _unsampled(arm, metric, arms[arm])):
        return unknown
    if needs == "sessions" and totals.value(metric) is None:
        return f"{metric} of {arm} is not known: {arms[arm].sessions.why_not}"
    counted = totals.journey.ended if metric == "success_rate" else totals.journeys_done
    if (needs == "journeys" or metric.endswith("per_journey")) and not counted:
        why = f"No journey of {arm} ended with every step ok, so there is nothing to judge."
        return f"{why} Look at its failures, or make rounds longer."
    return None


def _unsampled(arm: str, metric: str, evidence: Evidence) -> str | None:
    usage = evidence.totals.usage
    if not usage.sampled:
        return f"{metric} of {arm} was not sampled: {evidence.unsampled}"
    if unknown := usage.unknown(metric):
        rounds = out_of(unknown, len(usage.turns), "round")
        return f"{metric} of {arm} could not be read in {rounds}."
    return None


def _single(gate: Gate, evidence: Evidence) -> rule.Judgement:
    totals, metric = evidence.totals, gate.metric
    if METRICS[metric].kind == "drift":
        return _drifting(rule.Bound.of(gate), evidence)
    value = totals.value(metric)
    if totals.falls_on_failure(metric):
        return _on_failure(gate, totals)
    if value is None or gate.value is None:
        unknown = f"{metric} of {gate.focus} could not be measured{totals.why_unknown(metric)}."
        return rule.Judgement("INCONCLUSIVE", unknown)
    bound = rule.Bound.of(gate)
    if _is_fact(metric) or metric.endswith("max"):
        return bound.plainly(value)
    if METRICS[metric].kind == "kib":
        return _per_session(bound, evidence.sessions, value)
    if METRICS[metric].kind == "growth":
        return _growing(bound, totals.usage.growth, value)
    if METRICS[metric].kind == "fraction":
        return shares.judge(bound, shares.counts(totals, metric, rounds=evidence.rounds.values()))
    few = _few(metric, totals, gate.focus)
    if few is not None:
        return rule.Judgement("INCONCLUSIVE", few, value)
    return _spread(bound, evidence, metric, value)


def _on_failure(gate: Gate, totals: Totals) -> rule.Judgement:
    """Fail a gate on a time that falls on a failed call, unless a single failure is the cause."""
    failed = totals.ranked(gate.metric).failures.n
    few = _few(gate.metric, totals, gate.focus) if failed == 1 else None
    if few is not None:
        return rule.Judgement("INCONCLUSIVE", few)
    return rule.Judgement("FAIL", f"{failures_reach(gate.metric, totals, gate.focus)}.")


def failures_reach(metric: str, totals: Totals, arm: Focus) -> str:
    """Say that a time falls on a failed call."""
    ranked = totals.ranked(metric)
    failed = f"{ranked.failures.n} of {ranked.n} {whose(metric)} failed"
    why = f"{failed} and count as slower than all others"
    return f"{arm}.{metric} falls on a failed call, because {why}"


def _is_fact(metric: str) -> bool:
    """Tell whether a number, and so its ratio, is exact: it was counted, or is a highest value."""
    return METRICS[metric].kind in ("count", "slots") or metric in ("rss", "stray_rate")


def _growing(bound: rule.Bound, found: Growth, value: float) -> rule.Judgement:
    if found.ci95 is None:
        return rule.Judgement("INCONCLUSIVE", found.why_not, value)
    over = f"{counted(found.rounds, 'round')} over {said(found.span_s, 's')}"
    result = bound.against(value, found.ci95, f"{over}. {ONLY_WARM}")
    if result.verdict == "FAIL":
        return replace(result, reason=f"{result.reason} Seen in {over}. {ONLY_WARM}")
    return result


def _drifting(bound: rule.Bound, evidence: Evidence) -> rule.Judgement:
    """Judge how far an arm moved, up or down; of all known changes the gravest counts."""
    rounds = len(evidence.rounds)
    if rounds < FEWEST_ROUNDS:
        few = f"Finished rounds: {rounds}; {bound.name} needs at least {FEWEST_ROUNDS}."
        return rule.Judgement("INCONCLUSIVE", few)
    found = drifts(evidence)
    missing = [metric for metric in STEADY if all(one.metric != metric for one in found)]
    if missing:
        reason = f"{bound.name}: {missing[0]} has no value in some of {rounds} rounds."
        return rule.Judgement("INCONCLUSIVE", reason)
    hint = f"This run had {counted(rounds, 'round')}. Make more or longer rounds."
    parts = []
    for one in found:
        low, high = sorted(map(abs, one.ci95))
        ci95 = (0.0 if one.ci95[0] <= 0 <= one.ci95[1] else low, high)
        of_metric = replace(bound, name=f"{bound.name} ({one.metric})")
        parts.append(of_metric.against(abs(one.change), ci95, hint))
    worst = max(parts, key=lambda part: (rule.GRAVITY.index(part.verdict), part.measured))
    failed = evidence.totals.journey.failed
    if worst.verdict == "PASS" and failed and not bound.holds(may_change(evidence)):
        reason = f"{bound.name} depends on how long {failed} failed journeys would have taken."
        return replace(worst, verdict="INCONCLUSIVE", reason=reason)
    return worst


def _per_session(bound: rule.Bound, found: SessionNumbers, value: float) -> rule.Judgement:
    if found.kib_ci95 is None:
        return rule.Judgement("INCONCLUSIVE", found.why_not, value)
    hint = f"{counted(found.levels, 'level')}, up to {counted(found.most, 'session')}."
    hint += " Make more levels."
    return bound.against(value, found.kib_ci95, hint)


def _spread(bound: rule.Bound, evidence: Evidence, metric: str, value: float) -> rule.Judgement:
    rounds: stats.RoundValues = [part.value(metric) for part in evidence.rounds.values()]
    had = f"This run had {counted(len(rounds), 'round')}."
    enough = len(rounds) >= stats.FEWEST_ROUNDS
    if enough and _thin(metric, evidence, _BEYOND) is not None:
        hint = f"{had} Make longer rounds, or use more users."
        return _by_ranks(bound, metric, evidence, value, hint)
    ci95 = stats.around(value, rounds)
    if ci95 is not None:
        needed = stats.rounds_needed(len(rounds), ci95, value, bound.value)
        return bound.against(value, ci95, f"{had} {rule.advice(needed)}")
    if enough:
        unknown = sum(number is None for number in rounds)
        fell = sum(part.falls_on_failure(metric) for part in evidence.rounds.values())
        why = f" It falls on a failed call in {fell} of them." if fell else ""
        reason = f"{bound.name} has no value in {out_of(unknown, len(rounds), 'round')}.{why}"
        return rule.Judgement("INCONCLUSIVE", reason, value)
    if not value and METRICS[metric].kind == "rate":
        return bound.plainly(value)
    few = f"Finished rounds: {len(rounds)}; an interval takes at least {stats.FEWEST_ROUNDS}."
    if bare(metric) not in FRACTIONS:
        demand = f"{bound.name} is {said(value, bound.unit)}, and {bound.demand()}"
        return rule.Judgement("INCONCLUSIVE", f"{demand}: not decided. {few}", value)
    return _by_ranks(bound, metric, evidence, value, few, _UNSEEN)


def _thin(metric: str, evidence: Evidence, beyond: int) -> int | None:
    """Return the fewest samples of a round if fewer than `beyond` of them lie beyond a percentile.

    None if all rounds have enough, or if one has none at all: then it has no value, and another
    message says so. But a tool, step or journey need not come in every round, so 0 is just few.
    """
    least = min((part.ranked(metric).n for part in evidence.rounds.values()), default=0)
    enough = least >= beyond * rule.samples_needed(metric)
    return None if enough or not (least or evidence.partial) else least


def _by_ranks(
    bound: rule.Bound, metric: str, evidence: Evidence, value: float, hint: str, unseen: float = 1.0
) -> rule.Judgement:
    """Judge a percentile by the ranks of all samples.

    If too few lie beyond it for an upper end, they may still show that enough lie within the bound:
    a bound on p95 holds if 95 % of all calls meet it. `unseen` is the factor by which rounds may
    differ if there are too few to see how much they do; the gate is decided if it is clear in spite
    of that.
    """
    low, high = _order_statistics(metric, evidence, by_rounds=unseen == 1)
    judgement = bound.against(value, (low / unseen, high * unseen), hint)
    if judgement.verdict != "INCONCLUSIVE" or bound.op.startswith(">"):
        return judgement
    ranked, most_ms = evidence.totals.ranked(metric), bound.value / unseen
    share = _certain_up_to(most_ms, metric, evidence)
    low, _ = stats.proportion(ranked.up_to(most_ms) * share, ranked.n * share)
    held = low >= FRACTIONS[bare(metric)]
    return replace(judgement, verdict="PASS", reason="") if held else judgement


def _certain_up_to(ms: float, metric: str, evidence: Evidence) -> float:
    parts = [part.ranked(metric) for part in evidence.rounds.values()]
    return certain([(part.up_to(ms), part.n) for part in parts])


def _order_statistics(metric: str, evidence: Evidence, *, by_rounds: bool) -> rule.Interval:
    """Return the interval of a percentile from the samples of all rounds together.

    The share of each round's samples at or below the percentile shows how many samples count (R. S.
    Woodruff, "Confidence intervals for medians and other position measures", 1952). All of them
    count if the rounds are too few to show it.
    """
    ranked, fraction = evidence.totals.ranked(metric), FRACTIONS[bare(metric)]
    below_ms = ranked.percentile_ms(fraction) if by_rounds else None
    share = 1.0 if below_ms is None else _certain_up_to(below_ms, metric, evidence)
    count = max(1, int(ranked.n * share))
    low, high = stats.percentile_ranks(fraction, count)
    least = ranked.kept.at_rank_ms(low * ranked.n // count) if low else 0.0
    most = ranked.kept.at_rank_ms(-(-high * ranked.n // count)) if high <= count else None
    return least or 0.0, math.inf if most is None else most


def _compared(gate: Gate, arm: Evidence, versus: Evidence) -> rule.Judgement:
    """Judge the ratio or the difference of two numbers."""
    metric, other = gate.metric, gate.versus or gate.focus
    value, base = arm.totals.value(metric), versus.totals.value(metric)
    if arm.totals.falls_on_failure(metric):
        return _on_failure(gate, arm.totals)
    if versus.totals.falls_on_failure(metric):
        reached = failures_reach(metric, versus.totals, other)
        why = f"{reached}, so nothing can be compared with {other}."
        return rule.Judgement("INCONCLUSIVE", why)
    if value is None or base is None:
        return rule.Judgement("INCONCLUSIVE", f"{metric} could not be measured for both.")
    bound, kind, is_ratio = rule.Bound.of(gate), METRICS[metric].kind, gate.factor is not None
    if not is_ratio and kind == "fraction":
        return shares.judge_difference(bound, metric, arm, versus)
    if not is_ratio and _is_fact(metric):
        return bound.plainly(value - base)
    if base and is_ratio and (_is_fact(metric) or (kind == "rate" and not value)):
        return bound.plainly(value / base)
    few = _few(metric, arm.totals, gate.focus) or _few(metric, versus.totals, other)
    few = few or _few_each(metric, arm, gate.focus) or _few_each(metric, versus, other)
    if few is not None:
        return rule.Judgement("INCONCLUSIVE", few)
    found = _found(gate, arm, versus)
    if found.value is None or found.ci95 is None:
        hint = f" Write a bound for {gate.focus}.{metric} itself." if kind == "fraction" else ""
        return rule.Judgement("INCONCLUSIVE", found.warning + hint, found.value)
    rounds = len(arm.rounds)
    needed = stats.rounds_needed(rounds, found.ci95, found.value, bound.value)
    more = f"This run had {counted(rounds, 'round')} of each arm. {rule.advice(needed)}"
    judgement = bound.against(found.value, found.ci95, more)
    if judgement.verdict == "PASS" and not _holds_at_worst(gate, bound, arm, versus):
        reason = f"{bound.name} depends on how long failed calls would have taken."
        return replace(judgement, verdict="INCONCLUSIVE", reason=reason)
    return judgement


def _found(
    gate: Gate, arm: Evidence, versus: Evidence, first: tuple[bool, bool] = (False, False)
) -> stats.Contrast:
    """Compare two numbers over paired rounds; `first` says how the failures of each side rank."""
    names = str(gate.focus), str(gate.versus)
    values, bases = paired(gate.metric, arm, versus, first)
    if gate.factor is not None:
        found = stats.compare(gate.metric, *names, values, bases)
        return stats.Contrast(found.ratio, found.ci95, "".join(found.warnings))
    value = arm.totals.value(gate.metric, first=first[0])
    base = versus.totals.value(gate.metric, first=first[1])
    pooled = None if value is None or base is None else value - base
    return stats.difference(pooled, gate.metric, *names, values, bases)


def _holds_at_worst(gate: Gate, bound: rule.Bound, arm: Evidence, versus: Evidence) -> bool:
    """Tell whether a comparison of times also holds if failures are ranked against it.

    Otherwise failures of the other arm would make its time longer, and the ratio better.
    """
    if not is_time(gate.metric):
        return True
    failed, of_base = (what.totals.ranked(gate.metric).failures.n for what in (arm, versus))
    upper = gate.op.startswith("<")
    if upper and failed and bare(gate.metric) == "mean":
        return False
    if not (of_base if upper else failed):
        return True
    found = _found(gate, arm, versus, (not upper, upper))
    return found.ci95 is not None and rule.decided(found.ci95, bound.holds) == "PASS"


def _few(metric: str, totals: Totals, arm: Focus) -> str | None:
    """Say that a percentile has too few samples for one to lie beyond it, or return None."""
    n, needed = totals.ranked(metric).n, rule.samples_needed(metric)
    if n >= needed:
        return None
    made = f"{arm} made {counted(n, whose(metric)[:-1])}"
    return f"{made}: {metric} needs at least {needed}. Run longer, or use more users."


def _few_each(metric: str, evidence: Evidence, arm: Focus) -> str | None:
    """Say that rounds have too few samples to compare their percentiles, or return None."""
    n = _thin(metric, evidence, 1)
    # A single sample is an unbiased median, but shows nothing about a tail.
    if n is None or bare(metric) == "p50":
        return None
    needed = f"a ratio of {metric} needs at least {rule.samples_needed(metric)} in each"
    made = f"{arm} made only {counted(n, whose(metric)[:-1])} in a round"
    return f"{made}: {needed}. Use longer rounds, or more users."
