"""Gates that compare two arms: the whole interval of the ratio decides, or nothing does."""

import pytest

from mcp_perf.results.judge.gates import judge
from mcp_perf.scenario.model.gates import parse
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, evidence, judged, noisy


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ("mcp.throughput >= 3x control", "PASS"),
        ("mcp.throughput >= 4x control", "INCONCLUSIVE"),
        ("mcp.throughput >= 5x control", "FAIL"),
        ("mcp.throughput <= 5x control", "PASS"),
        ("mcp.journey_p50 <= 0.3x control", "PASS"),
        ("mcp.p99 <= 0.1x control", "FAIL"),
        ("control.max > 2x mcp", "PASS"),
    ],
)
def test_promise_15_comparisons_are_judged_by_the_whole_interval(gate, verdict):
    """Four times as fast, with 2 % noise: decided only if the interval lies on one side."""
    result = judged(gate, mcp=noisy(25, 10, seed=1), control=noisy(100, 10, seed=2))
    assert result.verdict == verdict
    assert result.unit == "x"
    low, high = result.ci95
    assert low < result.measured < high


def test_an_open_comparison_says_how_many_rounds_would_decide():
    """The reason has the ratio, its interval, the factor, the rounds made and the rounds needed."""
    arms = {"mcp": noisy(25, 8, seed=1), "control": noisy(100, 8, seed=2)}
    result = judged("mcp.throughput >= 4x control", **arms)
    for part in (
        "mcp.throughput / control.throughput is",
        "asks for >= 4\u00d7",
        "had 8 rounds of each",
    ):
        assert part in result.reason


def test_a_comparison_of_too_few_rounds_is_open_and_says_how_many_are_needed():
    """Five rounds cannot show a difference, however large."""
    arms = {"mcp": noisy(25, 5, seed=1), "control": noisy(100, 5, seed=2)}
    result = judged("mcp.throughput >= 3x control", **arms)
    assert (result.verdict, result.ci95) == ("INCONCLUSIVE", None)
    assert result.measured == pytest.approx(4, rel=0.1)
    assert "make at least 6" in result.reason


def test_unequal_rounds_are_not_compared():
    """A complete run that lacks a round is broken; one that was cut off compares what it has."""
    arms = {"mcp": noisy(25, 8, seed=1), "control": noisy(100, 7, seed=2)}
    gate = parse("mcp.throughput >= 3x control")
    result = judge(gate, evidence(virtual.journal(arms)))
    assert result.verdict == "INCONCLUSIVE"
    assert "8 rounds and control 7" in result.reason
    assert judge(gate, evidence(virtual.journal(arms, end="signal"))).verdict == "PASS"


def test_two_rates_of_zero_have_no_ratio():
    """Without a failure in either arm, the gate is open and suggests a bound for one arm."""
    result = judged("mcp.error_rate <= 1x control", mcp=noisy(1, 8), control=noisy(1, 8))
    assert (result.verdict, result.measured) == ("INCONCLUSIVE", None)
    assert "is zero in every round of both arms, so there is no ratio." in result.reason
    assert "Write a bound for mcp.error_rate itself" in result.reason


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ("mcp.throughput >= 0.5x control", "FAIL"),
        ("mcp.throughput <= 2x control", "INCONCLUSIVE"),
        ("control.throughput >= 2x mcp", "INCONCLUSIVE"),
    ],
)
def test_an_arm_that_completes_nothing_cannot_be_as_good_as_another(gate, verdict):
    """Zero against something fails a minimum, and never passes."""
    result = judged(gate, mcp=[Round(ok=0, failed=50)] * 8, control=noisy(100, 8))
    assert result.verdict == verdict
    assert result.reason


def test_percentiles_of_too_few_calls_are_not_compared():
    """The percentile must exist in both arms."""
    few, many = noisy(100, 8, n=10), noisy(100, 8, n=100)
    for arms in ({"mcp": few, "control": many}, {"mcp": many, "control": few}):
        result = judged("mcp.p99 <= 9x control", **arms)
        assert result.verdict == "INCONCLUSIVE"
        assert "made 80 calls: p99 needs at least 100" in result.reason


def test_counts_are_compared_as_they_are():
    """Twice as many calls are twice as many."""
    arms = {"mcp": [Round(ok=200)], "control": [Round(ok=100)]}
    result = judged("mcp.calls >= 2x control", **arms)
    assert (result.verdict, result.measured) == ("PASS", 2)
    assert judged("mcp.calls > 2x control", **arms).verdict == "FAIL"
