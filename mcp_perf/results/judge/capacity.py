"""What a search for the capacity has found: for the document, the gates and the verdict."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mcp_perf.numbers import said
from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.document.document import Capacity, GateResult, RateLevel
from mcp_perf.results.document.part import RateTrial
from mcp_perf.results.judge import trial
from mcp_perf.results.judge.rule import Bound, Interval, Judgement, between, decided
from mcp_perf.results.judge.verdict import SearchFacts
from mcp_perf.results.tally.arm_facts import latency
from mcp_perf.results.tally.metrics import Totals
from mcp_perf.results.tally.tally import RunTally
from mcp_perf.scenario.model.gates import Gate

METRIC: Final = "capacity"
_MEANS: Final = {"lowest": "failed", "knee": "found", "held": "found"}
"""What an outcome means for the verdict; every other outcome leaves the capacity undecided."""
_NO_CHANCE: Final = (
    "The interval comes from both searches: it lies between rates that always held and rates that "
    "always broke. Nothing was random, so there is no p."
)
_MORE_PROCESSES: Final = "Use more processes (--processes) or workers."
_OWN_LIMIT: Final = (
    "max_in_flight journeys were in flight, although they took no "
    "longer than before. Raise load.max_in_flight."
)


def capacities(tally: RunTally, gates: Sequence[Gate]) -> dict[str, Capacity]:
    """Return what the search has found on each arm; empty if the load was not a search."""
    if tally.run.load.get("shape") != "breakpoint":
        return {}
    return {arm: _capacity(tally, arm, gates) for arm in tally.arms}


def _capacity(tally: RunTally, arm: str, gates: Sequence[Gate]) -> Capacity:
    rules = trial.Rules.of(arm, gates, tally.run.limits)
    tried = trial.trials(tally, arm, rules)
    result = trial.result(tally, arm, tried)
    stuck = result.outcome == "did_not_recover"
    rates = sorted({one.trial.rate for one in tried})
    return Capacity(
        outcome=result.outcome,
        held=result.outcome == "held",
        rate_per_s=result.rate,
        interval=(result.low, result.high),
        broke_by=list(result.broke_by),
        did_not_recover_from=tried[-1].trial.rate if stuck else None,
        conditions=rules.described(),
        levels=[_level(rate, [one for one in tried if one.trial.rate == rate]) for rate in rates],
        trials=[
            RateTrial(
                round=one.turn.started.round,
                rate_per_s=one.trial.rate,
                held=one.trial.held,
                broke_by=list(one.trial.broke_by),
            )
            for one in tried
        ],
    )


def _level(rate: float, tried: Sequence[trial.Tried]) -> RateLevel:
    totals = Totals([one.turn for one in tried])
    broke = Counter(name for one in tried for name in one.trial.broke_by)
    return RateLevel(
        rate_per_s=rate,
        repeats=len(tried),
        held=sum(one.trial.held for one in tried),
        by_generator=sum(not one.trial.held and one.trial.generator for one in tried),
        own_limit=sum(one.trial.own_limit for one in tried),
        unsettled=sum(not one.trial.held and one.trial.unsettled for one in tried),
        broke_by=list(broke),
        achieved_per_s=sum(one.achieved_per_s for one in tried) / len(tried),
        latency_ms=latency(totals.call.ok),
        planned=totals.planned,
        dropped=totals.dropped,
        error_rate=totals.call.error_rate,
    )


def ratios(found: Mapping[str, Capacity], bases: Mapping[str, str]) -> list[Comparison]:
    """Compare the capacities of arms with the capacities of others: arm -> the other."""
    return [_ratio(arm, found[arm], base, found[base]) for arm, base in bases.items()]


def _ratio(arm: str, one: Capacity, versus: str, other: Capacity) -> Comparison:
    low, high = _ratio_ends(one, other)
    vague = [name for name, found in ((arm, one), (versus, other)) if found.outcome != "knee"]
    ratio = None if vague else (one.rate_per_s or 0.0) / (other.rate_per_s or math.inf)
    unknown = f"The capacity of {vague[0]} was not found, so there is no ratio." if vague else ""
    return Comparison(
        metric=METRIC,
        arm=arm,
        versus=versus,
        ratio=ratio,
        ci95=(low, high) if ratio is not None and low > 0 and math.isfinite(high) else None,
        p_value=None,
        effect_needed=None,
        warnings=[unknown or _NO_CHANCE],
    )


def _ends(capacity: Capacity) -> Interval:
    low, high = capacity.interval
    return low or 0.0, math.inf if high is None else high


def _ratio_ends(one: Capacity, other: Capacity) -> Interval:
    (low, high), (base_low, base_high) = _ends(one), _ends(other)
    return low / base_high, high / base_low if base_low else math.inf


def judge(gate: Gate, found: Mapping[str, Capacity]) -> GateResult:
    """Judge a gate on the capacity: PASS and FAIL only when the whole interval says so."""
    arms = [side.arm for side in gate.sides]
    absent = [arm for arm in arms if arm not in found]
    if absent:
        reason = f"{absent[0]} was not searched: write load: {{shape: breakpoint}}."
        return Judgement("INCONCLUSIVE", reason).of(gate)
    one, bound = found[gate.focus.arm], Bound.of(gate)
    ends, measured = _ends(one), one.rate_per_s
    if gate.versus is not None:
        other = found[gate.versus.arm]
        ends = _ratio_ends(one, other)
        measured = _ratio(gate.focus.arm, one, gate.versus.arm, other).ratio
    verdict = decided(ends, bound.holds)
    unsure = ", which does not decide" if verdict == "INCONCLUSIVE" else ""
    reason = f"{bound.name} is {span(ends, bound.unit)}{unsure}; {bound.demand()}."
    return Judgement(verdict, "" if verdict == "PASS" else reason, measured, ends).of(gate)


def span(ends: Interval, unit: str = "/s") -> str:
    """Write the interval of a capacity in words."""
    low, high = ends
    if not low:
        return f"less than {said(high, unit)}" if math.isfinite(high) else "not known"
    return between(ends, unit)


def sentence(arm: str, found: Capacity) -> str:
    """Say in a sentence what the search has found on an arm."""
    rate, broke_by = said(found.rate_per_s or 0.0, "/s"), " and ".join(found.broke_by)
    held = f"{arm} held {rate}" if found.rate_per_s else f"{arm} was hardly tried"
    match found.outcome:
        case "knee":
            ends = span(_ends(found))
            return f"{arm} holds {rate}: its capacity is {ends}. What broke beyond it: {broke_by}."
        case "held":
            return f"{arm} held every rate up to {rate}, the highest rate of the load."
        case "lowest":
            lowest = said(found.levels[0].rate_per_s, "/s")
            return f"{arm} held no rate, not even {lowest}. What broke: {broke_by}.{_short(found)}"
        case "generator":
            return f"{held}; beyond it, the load generator was the limit. {_MORE_PROCESSES}"
        case "own_limit":
            return f"{held}; beyond it, the scenario was the limit: {_OWN_LIMIT}"
        case "did_not_recover":
            from_ = said(found.did_not_recover_from or 0.0, "/s")
            return f"{held}, but did not recover from {from_}."
        case "unsteady":
            return f"{arm} is unsteady: {_unsteady(found)}"
    return (
        f"The search on {arm} did not finish; so far, the capacity is "
        f"{span(_ends(found))}. It was stopped, or needs more trials (load.rounds)."
    )


def _unsteady(found: Capacity) -> str:
    broke = [level for level in found.levels if level.held < level.repeats]
    held = [level for level in found.levels if level.held]
    lowest, highest = broke[0].rate_per_s, held[-1].rate_per_s
    causes = " and ".join(dict.fromkeys(name for level in broke for name in level.broke_by))
    return (
        f"trials broke from {said(lowest, '/s')} on, and held up to {said(highest, '/s')}. What "
        f"broke: {causes}. The capacity is {span(_ends(found))}. Longer "
        "trials (load.round) show whether a condition fails at every rate."
    )


def _short(found: Capacity) -> str:
    """Say that trials are too short for journeys as slow as these, or return an empty text."""
    level = found.levels[0]
    slow_s = (level.latency_ms.p50 or 0.0) / 1000
    trial_s = level.planned / level.repeats / level.rate_per_s
    if 5 * slow_s < trial_s:
        return ""
    return f" A call takes {said(slow_s, 's')}: make trials longer (load.round)."


def facts(found: Mapping[str, Capacity], gates: Sequence[Gate]) -> SearchFacts | None:
    """Sort what was found by what it means for the verdict; None without a search."""
    if not found:
        return None
    told: defaultdict[str, list[str]] = defaultdict(list)
    left = _left_to_gates(found, gates)
    for arm in (arm for arm in found if arm not in left):
        told[_MEANS.get(found[arm].outcome, "undecided")].append(sentence(arm, found[arm]))
    return SearchFacts(**told)


def _left_to_gates(found: Mapping[str, Capacity], gates: Sequence[Gate]) -> list[str]:
    """Return the arms whose capacity is open but judged by a gate, by what is known."""
    judged = {side.arm for gate in gates if gate.metric == METRIC for side in gate.sides}
    return [arm for arm, of in found.items() if of.outcome not in _MEANS and arm in judged]


def remarks(found: Mapping[str, Capacity], gates: Sequence[Gate]) -> Iterator[str]:
    """Yield what a reader of a search's numbers must know."""
    if not found:
        return
    yield (
        "The load searched for the capacity: numbers over all rounds mix rates that held with "
        "rates that broke. The table of the capacity has them separately."
    )
    for arm in _left_to_gates(found, gates):
        yield sentence(arm, found[arm])
    for gate in gates:
        if not trial.searched(gate) and gate.metric != METRIC:
            yield (
                f"The gate {gate.text} was not judged: the rounds of a search have different "
                "rates, so there is no single number for it."
            )
