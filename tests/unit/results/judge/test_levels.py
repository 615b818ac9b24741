"""Loads whose level changes: a gate holds at every level, or it does not hold."""

import pytest

from mcp_perf.results.judge.levels import describe
from mcp_perf.results.report.build import build
from tests.support.virtual_run import Round, journal


def ramp(*times_ms, rounds=3, ok=300):
    """Give rounds at 100/s, 200/s, …: so many of each, with these latencies."""
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
    """A percentile over the whole ramp would have hidden the level that is too slow."""
    rounds = ramp(10, 10, 10, 10, 10, 10, 10, 10, 10, 90)
    result = verdict("mcp.p90 < 40ms", rounds)
    assert result.verdict == "FAIL"
    assert result.reason.startswith("At 1000/s (1 of 10 levels): mcp.p90 is 9")
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
    """No level alone has the 299 calls that show less than one percent; together they do."""
    rounds = [
        Round(ok=250 - bad, failed=bad, rate=100.0 * (1 + level), planned=250)
        for level, bad in enumerate(failed)
    ]
    assert verdict("mcp.error_rate < 1%", rounds).verdict == verdict_


def test_counts_are_about_the_whole_run():
    """There is one number of calls, however the load changed."""
    result = verdict("mcp.calls >= 1800", ramp(10, 20))
    assert (result.verdict, result.measured) == ("PASS", 1800)


def test_drift_within_the_bound_is_that_of_the_level_which_drifted_most():
    """From level to level the load changes by itself, and the target with it."""
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
    """A constant load has nothing to tell apart."""
    assert "level" not in verdict("mcp.p90 < 5ms", ramp(10)).reason


@pytest.mark.parametrize(
    ("level", "text"),
    [((1, 0.0), "1 user"), ((20, 0.0), "20 users"), ((200, 150.0), "150/s")],
)
def test_a_level_is_written_in_its_own_unit(level, text):
    """Users in a closed load, a rate in an open one."""
    assert describe(level) == text
