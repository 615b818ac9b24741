"""The verdict of a run and its exit code: INVALID > FAIL > INCONCLUSIVE > PASS.

INVALID means that the measurement itself is broken, whatever the gates say. Nothing passes by
absence: an arm, a worker or an end that is missing leaves at best INCONCLUSIVE.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_perf.outcomes import FAILED
from mcp_perf.results.document.comparison import Regression
from mcp_perf.results.document.document import GateResult
from mcp_perf.results.document.part import VerdictName
from mcp_perf.results.tally.health import GeneratorHealth, NodeHealth
from mcp_perf.results.tally.metrics import Totals
from mcp_perf.results.tally.turns import MOST_DROPPED

HOT_S: Final = 5.0
"""A processor may be busy for a moment; this long in a row is saturation."""
FEWEST_LAGS: Final = 100
"""A 99th percentile of fewer is only their maximum, and one hiccup would spoil a short run."""
LITTLE: Final = 0.05

PASS_CODE: Final = 0
INCONCLUSIVE_CODE: Final = 90
INVALID_CODE: Final = 91
WORKER_LOST_CODE: Final = 92
FAIL_CODE: Final = 99
SIGNAL_CODE: Final = 105
BROKEN_CODE: Final = 107
CODES: Final[Mapping[VerdictName, int]] = {
    "INVALID": INVALID_CODE,
    "FAIL": FAIL_CODE,
    "INCONCLUSIVE": INCONCLUSIVE_CODE,
    "PASS": PASS_CODE,
}
_ENDED_BY: Final = {"signal": SIGNAL_CODE, "error": BROKEN_CODE}

_RELIEF: Final = "Use more processes (--processes), more workers, or fewer users."
_ENDS: Final[Mapping[str, str]] = {
    "": "The journal has no end: the run crashed or was killed. What was recorded is reported.",
    "finished": "Some rounds have no end: what they recorded is reported, but not compared.",
    "signal": "The run was stopped by a signal before it was done.",
    "error": "The run broke off by an error of its own: run.log says which.",
    "stopped": "The run was stopped in the web UI before it was done.",
}


@dataclass(frozen=True, kw_only=True)
class SearchFacts:
    """What a search for the capacity has shown: a sentence for each arm, by what it means."""

    failed: Sequence[str] = ()
    undecided: Sequence[str] = ()
    found: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the verdict depends on."""

    gates: Sequence[GateResult]
    regressions: Sequence[Regression] = ()
    """Against the baseline."""
    arms: Mapping[str, Totals]
    health: GeneratorHealth
    complete: bool
    ended: str = ""
    """Why the run ended, as its last record says; empty when it has none."""
    workers_lost: Sequence[str] = ()
    idle_workers: Sequence[str] = ()
    """Those that had users, but ended no call."""
    short_rounds: Sequence[str] = ()
    """Those in which not all users took part, each with how many did."""
    harness_errors: int = 0
    harness_example: str = ""
    search: SearchFacts | None = None
    """None where the load was no search."""


@dataclass(frozen=True)
class Decision:
    """The verdict, the exit code, and one sentence for each reason, the gravest first."""

    verdict: VerdictName
    exit_code: int
    reasons: list[str]


def decide(facts: Facts) -> Decision:
    """Decide what a run has shown."""
    invalid, failed, open_ = (list(why(facts)) for why in (_invalid, _failed, _inconclusive))
    verdict: VerdictName = (
        "INVALID" if invalid else "FAIL" if failed else "INCONCLUSIVE" if open_ else "PASS"
    )
    code = WORKER_LOST_CODE if facts.workers_lost else CODES[verdict]
    found = [] if facts.search is None else list(facts.search.found)
    quiet = bool(found) and not facts.gates
    reasons = [*invalid, *failed, *open_] or ([] if quiet else [_passed(facts)])
    reasons += found
    return Decision(verdict, _ENDED_BY.get(facts.ended, code), reasons)


def littles_law(arm: str, totals: Totals) -> str | None:
    """Check a closed load without think time: users = throughput * journey time, within 5 %.

    J. D. C. Little, "A Proof for the Queuing Formula: L = lambda W", 1961. A gap means that users
    spent time which no journey accounts for. None when it holds.
    """
    users, inside = totals.users, totals.users_in_journeys
    if abs(inside - users) <= LITTLE * users:
        return None
    return (
        f"Little's law: {arm} had {users:.4g} users at work, but throughput times journey time "
        f"accounts for {inside:.4g}. The rest of their time went into waits between steps or into "
        "the load generator itself."
    )


def _invalid(facts: Facts) -> Iterator[str]:
    for name in facts.workers_lost:
        yield f"Worker lost: {name}. Its share of the load is missing; run again with it."
    if facts.short_rounds and not facts.workers_lost:
        yield (
            f"Not all users were at work in every round ({len(facts.short_rounds)} short): "
            f"{facts.short_rounds[0]}. The load was not the one that was asked for; run again."
        )
    # A search goes beyond what the target holds, and tells by itself where the generator did not.
    for name, node in sorted(facts.health.nodes.items()) if facts.search is None else ():
        yield from _saturated(name, node, facts.health)
    if facts.harness_errors:
        first = f" The first: {facts.harness_example}" if facts.harness_example else ""
        yield (
            f"{facts.harness_errors} calls could not be made as the scenario says "
            f"(harness_error): they say nothing about the target. Correct the scenario.{first}"
        )


def _saturated(name: str, node: NodeHealth, health: GeneratorHealth) -> Iterator[str]:
    """Say where this process, and not the target, was the bottleneck."""
    limits = health.limits
    who = "The load generator" + ("" if len(health.nodes) == 1 else f" {name}")
    if node.hottest_s >= HOT_S:
        yield (
            f"{who} used more than {100 * limits.generator_cpu:.3g} % of a "
            f"core for {node.hottest_s:.3g} s in a row, in rounds of {node.hottest_arm}: it was "
            f"the bottleneck. {_RELIEF}"
        )
    lag_ns = node.lag.percentile(0.99) if node.lag.count >= FEWEST_LAGS else None
    if lag_ns is not None and lag_ns / 1e6 > limits.loop_lag_p99_ms:
        yield (
            f"{who} woke {lag_ns / 1e6:.3g} ms late (p99; the limit is "
            f"{limits.loop_lag_p99_ms:.3g} ms): its timings hold its own delays. {_RELIEF}"
        )
    if node.late > limits.late_starts:
        yield (
            f"{who} was late with {100 * node.late:.3g} % of its starts (the "
            f"limit is {100 * limits.late_starts:.3g} %): the plan was not kept. {_RELIEF}"
        )


def _failed(facts: Facts) -> Iterator[str]:
    for result in facts.gates:
        if result.verdict == "FAIL":
            yield f"Gate {result.gate}: {result.reason}"
    yield from () if facts.search is None else facts.search.failed
    yield from _regressions("Regression", "FAIL", facts)
    for arm, totals in facts.arms.items():
        ended, failed = totals.call.ended, totals.call.failed
        if (
            ended
            and failed == ended
            and not _passed_on(arm, ("error_rate", "success_rate"), facts.gates)
        ):
            counts = {cls: n for cls, n in totals.call.classes.items() if cls in FAILED}
            most = max(counts, key=counts.__getitem__)
            yield f"Every call of {arm} failed: {failed} of {ended}, most of them by {most}."
        dropped, planned = totals.dropped, totals.planned
        too_many = facts.search is None and dropped > MOST_DROPPED * planned
        if too_many and not _passed_on(arm, ("dropped",), facts.gates):
            yield (
                f"{dropped} of {planned} arrivals of {arm} were dropped: it did not take the rate "
                "that was asked of it. Lower the rate, or raise max_in_flight if it may have more "
                "journeys at once."
            )


def _passed_on(arm: str, metrics: Sequence[str], gates: Sequence[GateResult]) -> bool:
    wanted = tuple(f"{arm}.{metric}" for metric in metrics)
    return any(
        result.verdict == "PASS" and result.gate.replace(" ", "").startswith(wanted)
        for result in gates
    )


def _inconclusive(facts: Facts) -> Iterator[str]:
    for result in facts.gates:
        if result.verdict == "INCONCLUSIVE":
            yield f"Gate {result.gate}: {result.reason}"
    yield from () if facts.search is None else facts.search.undecided
    yield from _regressions("Baseline", "INCONCLUSIVE", facts)
    for arm, totals in facts.arms.items():
        if not totals.call.ended:
            yield f"No call of {arm} ended in a measured round: nothing is known about it."
    for name in facts.idle_workers:
        yield f"Worker {name} had users, but ended no call: look at its log."
    if facts.health.cpu_percent is None and any(t.calls for t in facts.arms.values()):
        yield "The load generator's own load was not measured: it may have been the bottleneck."
    if not facts.complete:
        yield _ENDS[facts.ended]


def _regressions(what: str, verdict: VerdictName, facts: Facts) -> Iterator[str]:
    for row in facts.regressions:
        if row.verdict == verdict:
            yield f"{what}: {row.reason}"


def _passed(facts: Facts) -> str:
    number = len(facts.gates)
    held = "The gate held." if number == 1 else f"All {number} gates held."
    if facts.regressions:
        same = "No regression against the baseline."
        return f"{held} {same}" if number else same
    return held if number else "No gates: the run was clean, nothing else was judged."
