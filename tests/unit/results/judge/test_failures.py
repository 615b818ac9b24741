"""Failures rank last: no call that fails makes a number better, however soon it came."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_perf.results.document.document import GateResult
from mcp_perf.results.journal.records import AnyRecord, Slice, TurnEnded, TurnStarted
from mcp_perf.results.judge.gates import judge
from mcp_perf.results.report.build import build
from mcp_perf.scenario.model.gates import parse
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, cell, evidence, journal, noisy

Calls = list[tuple[float, str]]
"""The outcomes of the calls of a round: ms, class."""


def records(arms: dict[str, list[Calls]]) -> list[AnyRecord]:
    """Give a journal in which each call is a separate journey."""
    found: list[AnyRecord] = [virtual.started(list(arms))]
    number = 0
    for index in range(max(map(len, arms.values()))):
        for arm, rounds in arms.items():
            cells = [
                cell(arm, [ms for ms, of in rounds[index] if of == cls], kind=kind, cls=cls)
                for kind in ("call", "journey")
                for cls in sorted({of for _, of in rounds[index]})
            ]
            at_s = 2.0 * number
            found += [
                TurnStarted(
                    turn=number, arm=arm, phase="round", round=index + 1, at_s=at_s, planned_s=1.0
                ),
                Slice(
                    node="w1",
                    turn=number,
                    at_s=at_s,
                    seconds=1.0,
                    cells=cells,
                    health=virtual.COOL,
                ),
                TurnEnded(turn=number, node="w1", users=1, busy_s=1.0, planned=0),
            ]
            number += 1
    return found


def judged(gate: str, arms: dict[str, list[Calls]]) -> GateResult:
    """Judge a gate on these calls."""
    return judge(parse(gate), evidence(records(arms)))


NAMES = ("mean", "p50", "p90", "p95", "p99", "max")
TIMES = st.sampled_from([prefix + name for prefix in ("", "journey_") for name in NAMES])
PLACES = TIMES.filter(lambda metric: not metric.endswith("mean"))
"""In the mean, failures take as long as the longest other call: no gate on it passes."""
OPERATORS = st.sampled_from(["<", "<=", ">", ">="])
DURATIONS = st.sampled_from([0.1, 1.0, 5.0, 9.0, 10.0, 11.0, 12.0, 20.0, 100.0, 5000.0])
CALL = st.tuples(DURATIONS, st.sampled_from(["ok"] * 6 + ["tool_error", "timeout", "interrupted"]))
ROUNDS = st.integers(1, 8).flatmap(
    lambda n: st.lists(st.lists(CALL, min_size=3, max_size=12), min_size=n, max_size=n)
)
ABSOLUTE = st.one_of(
    st.builds("mcp.{} {} {}ms".format, TIMES, OPERATORS, st.sampled_from([1, 5, 10, 11, 50])),
    st.builds(
        "mcp.error_rate {} {}%".format, st.sampled_from(["<", "<="]), st.sampled_from([5, 50])
    ),
    st.builds("mcp.success_rate {} 50%".format, st.sampled_from([">", ">="])),
    st.builds(
        "mcp.throughput {} {}/s".format, st.sampled_from([">", ">="]), st.sampled_from([3, 6])
    ),
)
RELATIVE = st.one_of(
    st.builds("mcp.{} {} {}x control".format, TIMES, OPERATORS, st.sampled_from([0.5, 1, 1.1, 2])),
    st.builds(
        "mcp.{0} - control.{0} {1} {2}ms".format, TIMES, OPERATORS, st.sampled_from([0, 1, 5, 50])
    ),
)


def spoiled(arms: dict[str, list[Calls]], pick: int, ms: float, cls: str) -> dict[str, list[Calls]]:
    """Turn one of the ok calls into a failed one."""
    places = [
        (arm, index, place)
        for arm, rounds in arms.items()
        for index, calls in enumerate(rounds)
        for place, (_, of) in enumerate(calls)
        if of == "ok"
    ]
    if not places:
        return arms
    arm, index, place = places[pick % len(places)]
    changed = {name: [list(calls) for calls in rounds] for name, rounds in arms.items()}
    changed[arm][index][place] = (ms, cls)
    return changed


FAILED = st.sampled_from(["tool_error", "http_error", "timeout", "rate_limited", "check_failed"])


@given(ABSOLUTE, ROUNDS, st.integers(0, 999), DURATIONS, FAILED)
def test_promise_27_no_failure_turns_a_failed_gate_into_a_passed_one(gate, rounds, pick, ms, cls):
    """If any ok call fails instead, after any time, a FAIL never becomes a PASS."""
    arms = {"mcp": rounds}
    before, after = judged(gate, arms), judged(gate, spoiled(arms, pick, ms, cls))
    assert (before.verdict, after.verdict) != ("FAIL", "PASS")


@given(RELATIVE, ROUNDS, ROUNDS, st.integers(0, 999), DURATIONS, FAILED)
def test_promise_27_no_failure_of_either_arm_improves_a_ratio_or_a_difference(
    gate, one, two, pick, ms, cls
):
    """Neither failures of the judged arm do, nor those in the arm that it is compared with."""
    n = min(len(one), len(two))
    arms = {"mcp": one[:n], "control": two[:n]}
    before, after = judged(gate, arms), judged(gate, spoiled(arms, pick, ms, cls))
    assert (before.verdict, after.verdict) != ("FAIL", "PASS")


@example(
    "p50", [[(0.1, "interrupted"), (1.0, "interrupted"), (5.0, "ok")]], 0, 1.0, "tool_error"
)  # the middle one becomes the longest that is known
@given(PLACES, ROUNDS, st.integers(0, 999), DURATIONS, FAILED)
def test_promise_27_no_failure_makes_a_percentile_shorter(metric, rounds, pick, ms, cls):
    """Each order statistic stays, rises, or has no value."""
    arms = {"mcp": rounds}
    before, after = (
        evidence(records(what))["mcp"].totals.value(metric)
        for what in (arms, spoiled(arms, pick, ms, cls))
    )
    assert after is None or (before is not None and after >= before)


def test_promise_27_sixty_per_cent_that_fail_at_once_do_not_look_fast():
    """`mcp.p50 <= 1x control` fails, because the typical call of mcp failed."""
    quick = [Round(ms=300, ok=40, failed=60) for _ in range(8)]
    arms = {"mcp": quick, "control": noisy(100, 8)}
    found = judge(parse("mcp.p50 <= 1x control"), evidence(journal(arms)))
    assert found.verdict == "FAIL"
    assert found.measured is None
    assert "480 of 800 calls failed" in found.reason
    back = judge(parse("control.p50 <= 1x mcp"), evidence(journal(arms)))
    assert back.verdict == "INCONCLUSIVE"
    assert "compared with mcp" in back.reason
    both = {"mcp": quick, "control": quick}
    assert judge(parse("mcp.p50 <= 1x control"), evidence(journal(both))).verdict == "FAIL"


@pytest.mark.parametrize("metric", ["p99", "journey_p99", "max", "journey_max", "p95"])
def test_promise_27_one_journey_in_three_times_out(metric):
    """The p99 is a failure, although every journey that ended took 10 ms."""
    arms = {"mcp": [Round(ms=10, ok=200, failed=100, cls="timeout") for _ in range(5)]}
    found = judge(parse(f"mcp.{metric} < 50ms"), evidence(journal(arms)))
    assert (found.verdict, found.measured) == ("FAIL", None)
    assert "falls on a failed call, because 500 of 1500" in found.reason


@pytest.mark.parametrize(
    ("gate", "failed", "verdict"),
    [
        ("mcp.p95 < 20ms", 4, "PASS"),
        ("mcp.p95 < 20ms", 6, "FAIL"),
        ("mcp.p95 > 5ms", 4, "PASS"),
        ("mcp.p50 > 9.9ms", 40, "INCONCLUSIVE"),  # had they been fast, it would be lower
        ("mcp.mean < 20ms", 0, "PASS"),
        ("mcp.mean < 20ms", 1, "INCONCLUSIVE"),
        ("mcp.mean < 5ms", 1, "FAIL"),
        ("mcp.max < 20ms", 1, "FAIL"),
    ],
)
def test_failures_count_if_a_number_depends_on_them(gate, failed, verdict):
    """A percentile below them stands; the mean and lower bounds depend on their time."""
    rounds = [Round(ms=10 * f, ok=100 - failed, failed=failed) for f in (1, 1.001, 0.999) * 2]
    found = judge(parse(gate), evidence(journal({"mcp": rounds})))
    assert found.verdict == verdict, found.reason


@pytest.mark.parametrize(("cut", "verdict"), [(2, "PASS"), (8, "INCONCLUSIVE")])
def test_promise_09_calls_that_were_cut_off_rank_by_their_age(cut, verdict):
    """They took at least that long; a gate that depends on more is undecided."""
    rounds = [
        Round(ms=10 * f, ok=100 - cut, other={"interrupted": cut}) for f in (1, 1.001, 0.999) * 2
    ]
    found = judge(parse("mcp.p95 < 20ms"), evidence(journal({"mcp": rounds})))
    assert found.verdict == verdict
    assert ("were cut off" in found.reason) == (verdict != "PASS")


def test_a_percentile_of_too_few_calls_is_not_failed_by_one():
    """One failure of twenty shows nothing about p99; two of a hundred are too many."""
    for failed, verdict in ((1, "INCONCLUSIVE"), (2, "FAIL")):
        arms = {"mcp": [Round(ok=20 - failed, failed=failed)]}
        found = judge(parse("mcp.p99 < 1s"), evidence(journal(arms)))
        assert found.verdict == verdict
        arms["control"] = [Round(ok=20)]
        found = judge(parse("mcp.p99 <= 2x control"), evidence(journal(arms)))
        assert found.verdict == verdict


def test_the_report_has_times_of_ok_calls_and_of_failed_ones():
    """Each with its number of calls; the gates use the ranked numbers."""
    records_ = journal({"mcp": [Round(ms=10, ok=95), Round(ms=10, ok=85, failed=20)]})
    arm = build(records_).arms["mcp"]
    assert arm.ranked_ms is not None
    assert arm.ranked_journey_ms is not None
    assert (arm.latency_ms.n, arm.failed_ms.n, arm.ranked_ms.n) == (180, 20, 200)
    assert arm.latency_ms.max == pytest.approx(11, rel=0.01)
    assert arm.failed_ms.p50 == pytest.approx(10, rel=0.01)
    assert (arm.ranked_ms.p95, arm.ranked_ms.max) == (None, None)
    assert arm.ranked_ms.p90 == pytest.approx(11, rel=0.01)
    assert arm.ranked_journey_ms.p95 is None
    assert arm.rounds[0].ranked_ms is None
    assert arm.rounds[1].ranked_ms is not None
    step = arm.steps["tools/call echo"]
    assert (step.latency_ms.n, step.failed_ms.n) == (180, 20)


def test_promise_09_calls_that_were_cut_off_young_could_have_been_the_slowest():
    """Their age shows only that they took longer than that."""
    rounds = [[(10.0, "ok")] * 95 + [(12.0, "ok")] * 5 + [(1.0, "interrupted")] * 6] * 6
    assert judged("mcp.p95 < 11ms", {"mcp": rounds}).verdict == "INCONCLUSIVE"
    assert judged("mcp.p90 < 11ms", {"mcp": rounds}).verdict == "INCONCLUSIVE"
    assert judged("mcp.p50 < 11ms", {"mcp": rounds}).verdict == "PASS"
    reason = judged("mcp.journey_p95 < 11ms", {"mcp": rounds}).reason
    assert "Among 636 journeys of mcp, 36 were cut off: journey_p95 depends on the" in reason


@pytest.mark.parametrize(
    ("gate", "cut", "verdict"),
    [
        ("mcp.p95 <= 2x control", "mcp", "INCONCLUSIVE"),
        ("mcp.p95 - control.p95 < 5ms", "mcp", "INCONCLUSIVE"),
        ("mcp.mean <= 2x control", "mcp", "INCONCLUSIVE"),
        ("mcp.p50 <= 2x control", "mcp", "PASS"),
        ("mcp.p50 - control.p50 < 5ms", "mcp", "PASS"),
        ("mcp.p95 <= 2x control", "control", "PASS"),
        ("mcp.p95 >= 0.5x control", "control", "INCONCLUSIVE"),
        ("mcp.p95 >= 0.5x control", "mcp", "PASS"),
    ],
)
def test_promise_09_a_comparison_may_depend_on_calls_that_were_cut_off(gate, cut, verdict):
    """They could have been the slowest, so a comparison that needs their time is undecided."""
    arms = {
        arm: [[(f * (10 + n / 100), "ok") for n in range(100)] for f in factors * 2]
        for arm, factors in (("mcp", (1, 1.01, 0.99, 1)), ("control", (1.01, 1, 1, 0.99)))
    }
    arms[cut] = [[*one, *[(1.0, "interrupted")] * 9] for one in arms[cut]]
    found = judged(gate, arms)
    assert found.verdict == verdict, found.reason
    assert (f"of {cut}, 72 were cut off" in found.reason) == (verdict != "PASS")


def failing(rounds: list[Round], failed: int) -> list[Round]:
    """Give the same rounds, with `failed` of their 100 calls failed."""
    return [Round(ms=r.ms, ok=100 - failed, failed=failed, busy_s=r.busy_s) for r in rounds]


@pytest.mark.parametrize(
    ("gate", "of_mcp", "of_control", "verdict"),
    [
        ("mcp.p50 <= 1x control", 0, 0, "INCONCLUSIVE"),
        ("mcp.p50 <= 1.05x control", 0, 0, "PASS"),
        ("mcp.p50 <= 1.05x control", 0, 5, "PASS"),
        ("mcp.p50 <= 1x control", 0, 45, "INCONCLUSIVE"),  # they make the other arm slower
        ("mcp.p50 >= 0.95x control", 45, 0, "INCONCLUSIVE"),  # they make the judged arm slower
        ("mcp.p50 >= 0.95x control", 5, 0, "PASS"),
        ("mcp.mean <= 2x control", 1, 0, "INCONCLUSIVE"),
        ("mcp.mean <= 2x control", 0, 1, "PASS"),
        ("mcp.mean >= 0.5x control", 1, 0, "PASS"),
    ],
)
def test_a_ratio_must_also_hold_with_failures_ranked_against_it(gate, of_mcp, of_control, verdict):
    """Apart from their failures, both arms have the same times."""
    arms = {
        "mcp": failing(noisy(10, 8, noise=0.005, seed=3), of_mcp),
        "control": failing(noisy(10, 8, noise=0.005, seed=4), of_control),
    }
    found = judge(parse(gate), evidence(journal(arms)))
    assert found.verdict == verdict, found.reason
    if 45 in (of_mcp, of_control):
        assert "depends on how long failed calls would have taken" in found.reason
