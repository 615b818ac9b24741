"""The verdict of a run and its exit code: its gravest reason decides, by the table of `order.py`.

Nothing passes by absence: if an arm, a worker or an end is missing, the best is INCONCLUSIVE.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import starmap
from typing import Final

from mcp_perf import numbers
from mcp_perf.outcomes import FAILED, INTERRUPTED
from mcp_perf.results.document.comparison import Regression
from mcp_perf.results.document.document import GateResult
from mcp_perf.results.document.part import Reason, VerdictName
from mcp_perf.results.journal.records import Outage
from mcp_perf.results.judge import generator, outages
from mcp_perf.results.judge.order import (
    BROKEN_CODE,
    RANKS,
    SIGNAL_CODE,
    VERDICTS,
    because,
    in_order,
)
from mcp_perf.results.judge.rule import were
from mcp_perf.results.judge.shares import HEALINGS, broken, counts, deeds
from mcp_perf.results.tally.health import GeneratorHealth
from mcp_perf.results.tally.metrics import Totals
from mcp_perf.results.tally.turns import MOST_DROPPED

LITTLE: Final = 0.05
MOST_FAILED: Final = 0.01
"""Share of the calls of an arm, unless a gate limits it: `limits: {errors: 1%}` in a scenario."""
ABOUT_ERRORS: Final = ("error_rate", "success_rate")
_ENDED_BY: Final = {"signal": SIGNAL_CODE, "error": BROKEN_CODE}
_ENDS: Final[Mapping[str, str]] = {
    "": (
        "The journal is incomplete, because the run crashed or was killed. "
        "The report covers what was recorded."
    ),
    "finished": "Some rounds are incomplete: they are reported, but not compared.",
    "signal": "The run was stopped by a signal before it was complete.",
    "error": "The run was broken off by a fault in mcp-perf: see run.log in the folder of the run.",
    "aborted": "The run was ended early, so the remaining rounds are missing.",
    "stopped": "The run was stopped in the web UI before it was complete.",
}


@dataclass(frozen=True, kw_only=True)
class SearchFacts:
    """What a search for the capacity has shown: a sentence for each arm, by its meaning."""

    failed: Sequence[str] = ()
    undecided: Sequence[str] = ()
    found: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the verdict depends on."""

    gates: Sequence[GateResult]
    failed_by_deeds: Collection[str] = ()
    """Gates on shares that fail by the target's own deeds."""
    most_failed: float = MOST_FAILED
    most_healed: float = outages.MOST_HEALED
    target_cpu: float = 1.0
    """Fraction of a core that the busiest process of a target may use; 1 means any."""
    lost: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """The lost sessions of each arm by how they were lost."""
    clean: bool = True
    """Whether nothing at all went wrong, before, in and after the rounds."""
    regressions: Sequence[Regression] = ()
    arms: Mapping[str, Totals]
    health: GeneratorHealth
    complete: bool
    ended: str = ""
    """Why the run ended, according to its last record; empty without one."""
    workers_lost: Sequence[str] = ()
    idle_workers: Sequence[str] = ()
    """Workers that had users, but ended no call."""
    short_rounds: Sequence[str] = ()
    """Rounds in which not all users took part, each with how many did."""
    harness_errors: int = 0
    harness_example: str = ""
    search: SearchFacts | None = None
    """None if the load was not a search."""
    outages: Sequence[Outage] = ()
    aborted: str = ""
    """Why the run was ended early; empty if it was not."""
    crossed: Mapping[str, int] = field(default_factory=dict)
    """How many answers reached the wrong user, by arm."""

    @cached_property
    def unfit(self) -> set[int]:
        """The rounds in which the load generator was unfit to measure."""
        return generator.unfit(self.health)


@dataclass(frozen=True)
class Decision:
    """The verdict, the exit code, and the reasons, the gravest first."""

    verdict: VerdictName
    exit_code: int
    reasons: list[Reason]


def decide(facts: Facts) -> Decision:
    """Decide what a run has shown."""
    search = facts.search or SearchFacts()
    found = [*_invalid(facts), *_failed(facts), *_inconclusive(facts)]
    found += [because("no_rate_held", text) for text in search.failed]
    found += [because("search_open", text) for text in search.undecided]
    if not found and (facts.gates or not search.found):
        found.append(because("passed", _passed(facts)))
    found += [because("capacity_found", text) for text in search.found]
    reasons = in_order(found)
    verdict, code = VERDICTS[RANKS[reasons[0].code]]
    if verdict == "FAIL" and facts.search is None:
        # A target that was away for some time explains failures, but alone does not fail a run.
        away = [because(code, text) for _, code, text in outages.returned(facts.outages)]
        reasons = in_order([*away, *reasons])
    return Decision(verdict, _ENDED_BY.get(facts.ended, code), reasons)


def littles_law(arm: str, totals: Totals) -> str | None:
    """Check a closed load without think time: users = throughput * journey time, within 5 %.

    J. D. C. Little, "A Proof for the Queuing Formula: L = lambda W", 1961. A gap means that users
    spent time that no journey accounts for. None if the law holds.
    """
    users, inside = totals.users, totals.users_in_journeys
    if abs(inside - users) <= LITTLE * users:
        return None
    return (
        f"Little's law: {arm} had {numbers.said(users, '')} users, but throughput times "
        f"journey time accounts for {numbers.said(inside, '')}. They spent the rest of their time "
        "in waits between steps or in the load generator."
    )


def _invalid(facts: Facts) -> Iterator[Reason]:
    for name in facts.workers_lost:
        lost = f"Worker lost: {name}. Its share of the load is missing; run again with it."
        yield because("worker_lost", lost)
    if facts.harness_errors:
        first = f" The first: {facts.harness_example}" if facts.harness_example else ""
        yield because(
            "harness_error",
            f"{numbers.counted(facts.harness_errors, 'call')} could not be made as the scenario "
            "says (harness_error), so they say nothing about the target. "
            f"Correct the scenario.{first}",
        )
    if facts.short_rounds and not facts.workers_lost:
        yield because(
            "users_missing",
            f"Not all users took part in every round ({len(facts.short_rounds)} short): "
            f"{facts.short_rounds[0]}. The load was lower than the scenario asks for; run again.",
        )
    # A search overloads the target on purpose, and its trials already show a slow generator.
    if facts.search is None:
        yield from starmap(because, generator.reasons(facts.health))
        yield from _hot_targets(facts)


def _hot_targets(facts: Facts) -> Iterator[Reason]:
    for arm, totals in facts.arms.items():
        busiest = totals.usage.busiest
        if busiest is not None and facts.target_cpu < min(1.0, busiest):
            yield because(
                "target_saturated",
                f"The busiest process of {arm} needed {numbers.said(busiest, 'fraction')} of a "
                f"core; the limit is {numbers.said(facts.target_cpu, 'fraction')} (limits: "
                "target_cpu). This machine is too small or too busy, so the times do not describe "
                "the target.",
            )


def _deserted(facts: Facts) -> Iterator[Reason]:
    """Yield what explains everything else: a target that stopped, users who were never served."""
    unfit = {arm for arm, of in facts.arms.items() if not facts.unfit.isdisjoint(of.turns)}
    for arm, code, text in outages.stopped(facts.outages, unfit):
        if not _passed_on(arm, ABOUT_ERRORS, facts.gates):
            yield because(code, text)
    yield from starmap(because, outages.users_without(facts.arms, facts.lost))
    if facts.aborted:
        by_deeds = not facts.unfit or any(_too_many(t, facts) for t in facts.arms.values())
        yield because("aborted" if by_deeds else "unanswered", facts.aborted)


def _failed(facts: Facts) -> Iterator[Reason]:
    for arm, n in facts.crossed.items():
        yield because(
            "crossed_replies",
            f"{numbers.counted(n, 'answer')} of {arm} reached another user than the one who asked. "
            "The server, or a gateway in front of it, sends answers to the wrong session, or to "
            "all sessions.",
        )
    if facts.search is None:  # a search overloads the target on purpose
        yield from _deserted(facts)
    for result in facts.gates:
        if result.verdict == "FAIL":
            by_deeds = result.gate in facts.failed_by_deeds
            code = "target_errors" if by_deeds else "gate_failed"
            yield because(code, f"Gate {result.gate}: {result.reason}")

    yield from _regressions("Regression", "FAIL", facts)
    decided = [result for result in facts.gates if result.verdict in ("PASS", "FAIL")]
    for arm, totals in facts.arms.items():
        yield from _errors(arm, totals, facts)
        if not _judged_on(arm, ("error_rate",), decided):
            for text in broken(arm, totals):
                yield because("schema_broken", text)
        dropped, planned = totals.dropped, totals.planned
        too_many = facts.search is None and dropped > MOST_DROPPED * planned
        if too_many and not _passed_on(arm, ("dropped",), facts.gates):
            yield because(
                "arrivals_dropped",
                f"{numbers.out_of(dropped, planned, 'planned journey')} of {arm} were not started "
                "(dropped), because max_in_flight journeys were in flight. Lower load.rate, or "
                "raise load.max_in_flight.",
            )


def _errors(arm: str, totals: Totals, facts: Facts) -> Iterator[Reason]:
    whole = counts(totals, "error_rate")
    if not whole.count or _passed_on(arm, ABOUT_ERRORS, facts.gates):
        return
    classes = {cls: n for cls, n in totals.call.classes.items() if cls in FAILED}
    most = f"most of them by {max(classes, key=classes.__getitem__)}"
    failed, every = (numbers.plain(numbers.count(n)) for n in (whole.count, whole.total))
    counted = f"{failed} of {every}, {most}"
    if whole.count == whole.total:
        by_deeds = deeds(totals, "error_rate", facts.unfit).count > 0
        code = "all_failed" if by_deeds else "unanswered"
        yield because(code, f"Every call of {arm} failed: {counted}.{whole.sampled}")
    elif facts.search is None and not _judged_on(arm, ABOUT_ERRORS, facts.gates):
        limit = f"the limit is {numbers.said(facts.most_failed, 'fraction')} (limits: errors)"
        why = f"Calls of {arm} failed: {counted}; {limit}, and no gate sets another one."
        if _too_many(totals, facts):
            yield because("error_limit", why + whole.sampled)
        elif whole.count > facts.most_failed * whole.total:
            yield because("unanswered", why + whole.sampled)


def _too_many(totals: Totals, facts: Facts) -> bool:
    """Tell whether more calls than the limit allows failed by the target's own deeds."""
    found = deeds(totals, "error_rate", facts.unfit)
    return found.count > facts.most_failed * found.total


def _judged_on(arm: str, metrics: Sequence[str], gates: Sequence[GateResult]) -> bool:
    wanted = tuple(f"{arm}.{metric}" for metric in metrics)
    return any(result.gate.replace(" ", "").startswith(wanted) for result in gates)


def _passed_on(arm: str, metrics: Sequence[str], gates: Sequence[GateResult]) -> bool:
    return _judged_on(arm, metrics, [result for result in gates if result.verdict == "PASS"])


def _inconclusive(facts: Facts) -> Iterator[Reason]:
    for result in facts.gates:
        if result.verdict == "INCONCLUSIVE":
            yield because("gate_open", f"Gate {result.gate}: {result.reason}")

    yield from _regressions("Baseline", "INCONCLUSIVE", facts)
    for arm, totals in facts.arms.items():
        if not totals.call.ended:
            none = f"No call of {arm} ended in a measured round, so nothing is known about it."
            yield because("no_calls", none)
    yield from _mended(facts)
    for name in facts.idle_workers:
        idle = f"Worker {name} had users, but none of its calls ended"
        yield because("idle_worker", f"{idle}: see the messages of this worker.")
    if facts.health.cpu_percent is None and any(t.calls for t in facts.arms.values()):
        unseen = "The load generator's CPU was not measured, so it may have been the bottleneck."
        yield because("generator_not_watched", unseen)
    if not facts.complete:
        yield because("cut_off", _ENDS[facts.ended])
    else:
        yield from _interrupted(facts)


def _interrupted(facts: Facts) -> Iterator[Reason]:
    """Yield what nobody knows because we cut it off: calls, or every journey of an arm."""
    for arm, totals in facts.arms.items():
        found = counts(totals, "error_rate")
        judged = facts.search is not None or _judged_on(arm, ABOUT_ERRORS, facts.gates)
        unknown = found.total and found.cut_off and not judged
        if unknown and found.at_worst(upper=True) > facts.most_failed:
            most = numbers.said(facts.most_failed, "fraction")
            yield because(
                "interrupted",
                f"{numbers.counted(found.cut_off, 'call')} of {arm} {were(found.cut_off)} cut off, "
                f"besides {found.total} that ended. If they had failed, it would be more than the "
                f"limit of {most} (limits: errors). Raise limits.drain.",
            )
        cut = totals.journey.classes.get(INTERRUPTED)
        if found.total and cut and not totals.journey.ended:
            yield because(
                "interrupted",
                f"No journey of {arm} ended in a measured round: {cut} {were(cut)} cut off, so "
                "nothing is known about later steps. Raise limits.drain, or make rounds longer.",
            )


def _mended(facts: Facts) -> Iterator[Reason]:
    for arm, totals in facts.arms.items() if facts.search is None else ():
        if not _passed_on(arm, HEALINGS, facts.gates):
            lost = facts.lost.get(arm, {})
            yield from starmap(because, outages.mended(arm, totals, lost, facts.most_healed))


def _regressions(what: str, verdict: VerdictName, facts: Facts) -> Iterator[Reason]:
    code = "regression" if verdict == "FAIL" else "baseline_open"
    for row in facts.regressions:
        if row.verdict == verdict:
            yield because(code, f"{what}: {row.reason}")


def _passed(facts: Facts) -> str:
    number = len(facts.gates)
    held = {1: "The gate held.", 2: "Both gates held."}.get(number, f"All {number} gates held.")
    if facts.regressions:
        same = "No regression against the baseline."
        return f"{held} {same}" if number else same
    if number:
        return held
    if facts.clean:
        return "There are no gates, and the run was clean: no call failed."
    return (
        f"There are no gates, and at most {numbers.said(facts.most_failed, 'fraction')} of the "
        "calls of each arm failed."
    )
