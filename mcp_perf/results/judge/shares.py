"""Shares of calls or journeys, judged by their counts.

Results that were not checked against their outputSchema count like the results that were.
"""

import math
from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from mcp_perf import numbers
from mcp_perf.numbers import said
from mcp_perf.outcomes import INTERRUPTED
from mcp_perf.results.judge import rule
from mcp_perf.results.stats import rounds as stats
from mcp_perf.results.stats.mean import ALPHA
from mcp_perf.results.stats.rounds import certain
from mcp_perf.results.stats.runs import rate_difference
from mcp_perf.results.tally.groups import CALL, JOURNEY, Tally
from mcp_perf.results.tally.metrics import Evidence, Totals
from mcp_perf.scenario.model.gates import METRICS, Gate

HEALINGS: Final = ("session_loss_rate", "healed_rate")
_BURSTS: Final = 0.5
"""If fewer of the calls count than this share, a reason says why."""
MOST_BROKEN: Final = 0.01
"""Share of the checked results that may break their schema, if some results were not checked."""


@dataclass(frozen=True)
class ShareCounts:
    """The two numbers of a share, and the words for them."""

    count: float
    """Estimated if only a sample of the results was checked against a schema."""
    total: int
    what: str
    did: str
    cut_off: int
    """How many more there were whose outcome nobody knows."""
    seen_share: float = 1.0
    """The share of them that the estimate is based on."""
    sampled: str = ""
    certain: float = 1.0
    """The share of them that would show as much if no round shared its failures."""

    @property
    def independent(self) -> tuple[float, float]:
        """The count and the total, reduced to independent calls whose results were checked."""
        count, total = counted(self.count, self.total, self.seen_share)
        return count * self.certain, total * self.certain

    def at_worst(self, *, upper: bool) -> float:
        """Return the share if all calls that were cut off count (`upper` bound), or none does."""
        return (self.count + (self.cut_off if upper else 0)) / (self.total + self.cut_off)


def deeds(
    totals: Totals, metric: str, unfit: Collection[int], rounds: Collection[Totals] = ()
) -> ShareCounts:
    """Count the part of a share that is the target's own deeds.

    Timeouts of rounds in which the load generator was unfit to measure are left out. If it never
    was, all timeouts are left out, which does no harm and separates them from errors.
    """
    return counts(totals, metric, without=unfit or totals.turns, rounds=rounds)


def counts(
    totals: Totals, metric: str, without: Container[int] = (), rounds: Collection[Totals] = ()
) -> ShareCounts:
    """Count a share without the timeouts of some turns, and find how much its rounds show."""
    parts = [_counts(part, metric, without) for part in rounds]
    share = certain([(part.count, part.total) for part in parts])
    return replace(_counts(totals, metric, without), certain=share)


def _counts(totals: Totals, metric: str, without: Container[int]) -> ShareCounts:
    of_journeys = metric == "success_rate"
    group = totals.journey if of_journeys else totals.call
    out = totals.timeouts(JOURNEY if of_journeys else CALL, without)
    total, cut_off = group.ended - out, group.classes.get(INTERRUPTED, 0)
    if of_journeys:
        return ShareCounts(group.ok.n, total, "journeys", "were ok", cut_off)
    if metric == "rate_limited_rate":
        return ShareCounts(group.limited, total, "calls", "were refused", cut_off)
    if metric in HEALINGS:
        lost = metric == "session_loss_rate"
        count = totals.recovery.ended if lost else totals.healed_calls
        how = "lost their session" if lost else "were healed"
        return ShareCounts(count, group.ended, "calls", how, cut_off)
    failed, share = group.failed + group.unseen - out, group.seen_share
    sampled = "" if share == 1 else f" {_sample(group.all)}"
    return ShareCounts(failed, total, "calls", "failed", cut_off, share, sampled)


def judge(bound: rule.Bound, found: ShareCounts) -> rule.Judgement:
    """Judge a share. A bound of 0 % or 100 % is only about the calls of this run."""
    result, worst = _judged(bound, found), found.at_worst(upper=bound.op.startswith("<"))
    if result.verdict != "PASS" or not found.cut_off or bound.holds(worst):
        return result
    return _depends(result, bound, found.cut_off, found.what, f", besides {found.total} that ended")


def judge_difference(
    bound: rule.Bound, metric: str, arm: Evidence, versus: Evidence
) -> rule.Judgement:
    """Judge the difference of two shares by counts; cut-off calls count against the gate."""
    one, other = (counts(e.totals, metric, rounds=e.rounds.values()) for e in (arm, versus))
    share = one.count / one.total - other.count / other.total
    ci95 = rate_difference(other.independent, one.independent)
    needed = stats.more_needed(one.total, ci95, share, bound.value)
    result = bound.against(share, ci95, rule.advice(needed, one.what))
    upper = bound.op.startswith("<")
    worst = one.at_worst(upper=upper) - other.at_worst(upper=not upper)
    cut_off = one.cut_off + other.cut_off
    if result.verdict == "PASS" and cut_off and not bound.holds(worst):
        return _depends(result, bound, cut_off, one.what)
    return _with(result, one.sampled or other.sampled)


def _depends(
    result: rule.Judgement, bound: rule.Bound, cut_off: int, what: str, more: str = ""
) -> rule.Judgement:
    lost = f"{numbers.counted(cut_off, what[:-1])} {rule.were(cut_off)} cut off{more}"
    reason = f"{lost}: {bound.name} depends on the outcome. Raise limits.drain."
    return replace(result, verdict="INCONCLUSIVE", reason=reason)


def _judged(bound: rule.Bound, found: ShareCounts) -> rule.Judgement:
    share = found.count / found.total
    if bound.value in (0, 1):
        return _with(bound.plainly(share), found.sampled)
    count, total = counted(found.count, found.total, found.seen_share)
    ci95 = stats.proportion(*found.independent)
    if count in (0, total):
        least = bound.value if count else 1 - bound.value
        needed: int | None = math.ceil(math.log(ALPHA) / math.log(least))
        limit = said(ci95[0] if count else ci95[1], "fraction")
        shown = f"so the rate is {'>' if count else '<'} {limit} (95 %)"
    else:
        needed = stats.more_needed(total, ci95, share, bound.value)
        low, high = (said(end, "fraction") for end in ci95)
        shown = f"so the rate is {low} to {high} (95 %)"
    result = bound.against(share, ci95, "")
    if result.verdict == "INCONCLUSIVE":
        seen = numbers.out_of(count, total, found.what[:-1])
        open_ = f"{seen} {found.did}, {shown}; {bound.demand()}."
        result = replace(result, reason=f"{open_} {rule.advice(needed, found.what)}")
    if result.reason and found.certain < _BURSTS:
        tell = f" They came in bursts: {total} {found.what} count as much as "
        result = _with(result, f"{tell}{max(1, round(total * found.certain))} that do not.")
    return _with(result, found.sampled)


def _with(judgement: rule.Judgement, more: str) -> rule.Judgement:
    return replace(judgement, reason=judgement.reason + more) if judgement.reason else judgement


def fails_by_deeds(gate: Gate, parts: Iterable[Evidence], unfit: Collection[int] = ()) -> bool:
    """Tell whether a gate on a share fails by the target's own deeds.

    `parts` are the levels of the load, or the whole load. Comparisons of two shares never do,
    because who is to blame for them depends on both arms.
    """
    is_share = METRICS[gate.metric].kind == "fraction" and gate.metric != "healed_rate"
    if gate.versus is not None or not is_share:
        return False
    bound = rule.Bound.of(gate)
    found = (deeds(part.totals, gate.metric, unfit, part.rounds.values()) for part in parts)
    return any(one.total and _judged(bound, one).verdict == "FAIL" for one in found)


def counted(failed: float, ended: int, seen_share: float) -> tuple[int, int]:
    """Return how many calls failed, and of how many, to state how certain a rate is.

    If violations were found in a sample of the results, both numbers are reduced as if only that
    share of the calls had been made: the rate is not more certain than the sample allows.
    """
    if seen_share == 1:
        return round(failed), ended
    certain = max(1, int(ended * seen_share))
    return round(failed / ended * certain), certain


def broken(arm: str, totals: Totals) -> Iterator[str]:
    """Yield a sentence for each step whose sample has too many violations."""
    for name, step in totals.steps.items():
        rate = step.violation_rate or 0.0
        if step.unseen and rate > MOST_BROKEN:
            yield (
                f"{said(rate, 'fraction')} of the checked results of {arm}, {name}, break "
                f"the tool's outputSchema. {_sample(step.all)}"
            )


def _sample(tally: Tally) -> str:
    """Say how many results were checked, and how many of them broke their schema."""
    results = tally.checked + tally.unchecked
    return (
        f"{numbers.out_of(tally.checked, results, 'result')} were checked against their "
        f"outputSchema, and {tally.violations} broke it; the rest are assumed to be alike."
    )
