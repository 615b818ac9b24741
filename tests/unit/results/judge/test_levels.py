"""Loads whose level changes: a gate holds at every level, or it does not hold."""

import re

import pytest
from msgspec.structs import replace

from mcp_perf.results.journal.records import RunEnded
from mcp_perf.results.judge.levels import describe
from mcp_perf.results.report.build import build
from tests.support.virtual_run import COOL, Round, journal, started, turn


def ramp(*times_ms, rounds=3, ok=300):
    """Give rounds at 100/s, 200/s, …: `n` of each, with these latencies."""
    return [
        Round(ms=ms * (1 + 0.01 * n), ok=ok, rate=100.0 * level, planned=ok)
        for level, ms in enumerate(times_ms, 1)
        for n in range(rounds)
    ]


def verdict(gate, rounds, **others):
    """Judge a gate on a run of these rounds."""
    [result] = build(journal({"mcp": rounds, **others}, gates=[gate])).gates
    return result


def test_a_gate_that_fails_at_one_level_fails():
    """A percentile over the whole ramp would have hidden the slow level."""
    rounds = ramp(10, 10, 10, 10, 10, 10, 10, 10, 10, 90)
    result = verdict("mcp.p90 < 40ms", rounds)
    assert result.verdict == "FAIL"
    assert result.reason.startswith("At 1 000/s (1 of 10 levels): mcp.p90 is 9")
    assert result.measured == pytest.approx(98, rel=0.02)


def test_a_gate_that_is_open_at_one_level_is_open():
    """Few calls at one level leave the whole gate undecided."""
    few = Round(ms=10, ok=50, rate=500.0, planned=50)
    result = verdict("mcp.p99 < 50ms", [*ramp(10, 10), few])
    assert result.verdict == "INCONCLUSIVE"
    assert "At 500/s (1 of 3 levels)" in result.reason


def test_a_gate_that_holds_at_every_level_holds():
    """Its measured value is that of the whole run."""
    result = verdict("mcp.p90 < 70ms", ramp(10, 20, 30))
    assert (result.verdict, result.reason) == ("PASS", "")
    assert 20 < result.measured < 34


@pytest.mark.parametrize(
    ("failed", "verdict_"), [((0, 0), "PASS"), ((0, 30), "FAIL"), ((1, 1), "INCONCLUSIVE")]
)
def test_failures_fail_at_a_level_and_hold_over_all_calls(failed, verdict_):
    """No level alone has the 299 calls that show less than 1 %, but all together do."""
    rounds = [
        Round(ok=250 - bad, failed=bad, rate=100.0 * (1 + level), planned=250)
        for level, bad in enumerate(failed)
    ]
    assert verdict("mcp.error_rate < 1%", rounds).verdict == verdict_


def test_counts_are_about_the_whole_run():
    """There is only one number of calls, however the load changed."""
    result = verdict("mcp.calls >= 1800", ramp(10, 20))
    assert (result.verdict, result.measured) == ("PASS", 1800)


def test_drift_within_the_bound_is_that_of_the_level_which_drifted_most():
    """From level to level the load itself changes, and the target with it."""
    still, some = (
        [Round(ms=level * 10 * (1 + by * n), ok=300, rate=100.0 * level, planned=300)
         for n in range(8)]
        for level, by in ((1, 0.0001), (4, 0.002))
    )  # fmt: skip
    result = verdict("mcp.drift < 10%", [*still, *some])
    assert result.verdict == "PASS", result.reason
    assert result.measured == pytest.approx(0.014, rel=0.05)
    assert result.ci95[1] < 0.1


def test_arms_are_compared_over_all_levels_because_each_pair_shares_one():
    """A ratio of paired rounds is fair at any level."""
    slow = [Round(ms=r.ms * 2, ok=r.ok, rate=r.rate, planned=r.planned) for r in ramp(10, 20, 40)]
    result = verdict("mcp.p50 >= 1.9x control", slow, control=ramp(10, 20, 40.5))
    assert result.verdict == "PASS"
    assert result.measured == pytest.approx(1.99, abs=0.02)


def test_one_level_is_judged_as_before():
    """A constant load has only one level."""
    assert "level" not in verdict("mcp.p90 < 5ms", ramp(10)).reason


@pytest.mark.parametrize(
    ("level", "text"),
    [((1, 0.0), "1 user"), ((20, 0.0), "20 users"), ((200, 150.0), "150/s")],
)
def test_a_level_is_written_in_its_own_unit(level, text):
    """Users in a closed load, and a rate in an open one."""
    assert describe(level) == text


def climbing(*rounds, calm_ms=10.0, health=COOL, limits=()):
    """Report on a load whose users double, after a warm-up with one user and this latency."""
    records = [
        started(["mcp"], load={"shape": "doubling"}, limits=dict(limits)),
        *(turn(0, "mcp", 0, Round(ms=calm_ms)) if calm_ms else ()),
    ]
    for number, what in enumerate(rounds, 1):
        records += turn(number, "mcp", number, what, health=health)
    return build([*records, RunEnded(at_s=99.0, reason="finished")])


def gravest(report):
    """Give the verdict and the sentence of the gravest reason."""
    return report.verdict, report.reasons[0].code, report.reasons[0].text


def test_the_highest_level_that_a_target_keeps_up_with_is_reported():
    """The level beyond it is slower than three times the warm-up, and the reason says how slow."""
    report = climbing(Round(users=1), Round(users=2, ms=20, ok=200), Round(users=4, ms=40))
    assert gravest(report)[:2] == ("PASS", "capacity_found")
    said = re.sub(r"\d+\.\d+", "…", gravest(report)[2])
    assert said == (
        "mcp kept up with 2 users: 200/s, p95 … ms. At 4 users it did not: p95 was … ms, with one "
        "user … ms."
    )
    assert climbing(Round(users=1)).reasons[0].text.endswith("the highest level that was tried.")


def test_a_target_that_leaves_users_without_a_session_does_not_keep_up():
    """They wait between attempts, so they hardly fail a call, and the others are fast."""
    full = Round(users=8, ok=1000, failed=3, without_session=3)
    report = climbing(Round(users=4), full)
    assert report.reasons[0].text.startswith("mcp kept up with 4 users")
    assert "At 8 users it did not: 3 of 8 users had no session." in report.reasons[0].text


def test_a_fast_target_may_be_a_little_slower():
    """A busy machine can add ten milliseconds to a fast answer."""
    assert (
        "kept up with 2 users" in climbing(Round(), Round(users=2, ms=9), calm_ms=1).reasons[0].text
    )
    assert (
        "kept up with 1 user:"
        in climbing(Round(), Round(users=2, ms=13), calm_ms=1).reasons[0].text
    )


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (Round(ok=95, failed=5), "mcp did not keep up at any level. At 1 user it did not: 5 % of"),
        (Round(ok=0, failed=100), "100 % of the calls failed"),
        (Round(ok=0), "no call ended"),
    ],
)
def test_a_target_that_does_not_keep_up_at_all_fails(first, said):
    """It does not keep up even with one user."""
    report = climbing(first)
    assert report.verdict == "FAIL"
    assert any(said in reason.text for reason in report.reasons)


def test_without_a_warm_up_only_failures_count():
    """There is nothing to compare the times with."""
    report = climbing(Round(), Round(users=2, ms=900), Round(users=4, failed=50), calm_ms=None)
    assert "kept up with 2 users" in report.reasons[0].text


def test_a_level_with_an_unfit_generator_shows_nothing_about_the_target():
    """A lower level may be known; otherwise the run is open."""
    hot = replace(COOL, cpu_s=1.0)
    limits = {"generator_cpu": 0.5}
    report = climbing(Round(), health=hot, limits=limits)
    assert gravest(report)[:2] == ("INCONCLUSIVE", "search_open")
    said = "At 1 user the load generator was too busy to measure."
    assert report.reasons[0].text == f"It is not known how many users mcp holds. {said}"


def test_a_level_without_its_end_is_not_judged():
    """A run that was cut off in its first level has found nothing."""
    records = [started(["mcp"], load={"shape": "doubling"})]
    records += turn(0, "mcp", 1, Round())[:-1]
    assert gravest(build(records))[2] == "No level of mcp was finished."
