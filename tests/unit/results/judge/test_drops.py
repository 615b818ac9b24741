"""Dropped arrivals: no gate on a time passes because the slow ones were never sent."""

import pytest

from mcp_perf.results.report.build import build
from tests.support.virtual_run import Round, journal, judged, noisy


def dropping(dropped, ms=10.0):
    """Give rounds of 1000 journeys that also dropped some."""
    return [
        Round(ms=ms * f, ok=1000, planned=1000 + dropped, dropped=dropped)
        for f in (1, 1.01, 0.99, 1, 0.99, 1.01)
    ]


@pytest.mark.parametrize(
    ("gate", "dropped", "verdict"),
    [
        ("mcp.p95 < 20ms", 0, "PASS"),
        ("mcp.p95 < 20ms", 10, "PASS"),  # even with all of them at the far end
        ("mcp.p95 < 20ms", 100, "INCONCLUSIVE"),  # more than 5 % are unknown
        ("mcp.journey_p95 < 20ms", 100, "INCONCLUSIVE"),
        ("mcp.p95 < 12ms", 30, "PASS"),
        ("mcp.mean < 20ms", 10, "INCONCLUSIVE"),  # nobody knows how long the ten would have taken
        ("mcp.max < 20ms", 0, "PASS"),
        ("mcp.max < 20ms", 1, "INCONCLUSIVE"),
        ("mcp.journey_max < 20ms", 0, "PASS"),
        ("mcp.p95 < 5ms", 100, "FAIL"),  # it fails without them already
        ("mcp.p95 > 5ms", 100, "PASS"),  # they could only be slower
        ("mcp.error_rate < 1%", 100, "PASS"),
    ],
)
def test_a_gate_on_a_time_counts_dropped_arrivals_as_the_slowest(gate, dropped, verdict):
    """Journeys never started have no latency; a gate holds only if it would hold with them."""
    result = judged(gate, mcp=dropping(dropped))
    assert result.verdict == verdict
    assert ("were not started (dropped)" in result.reason) == (verdict == "INCONCLUSIVE")


def test_a_comparison_of_times_with_drops_does_not_pass():
    """The ratio of the remaining journeys is not the ratio of the planned ones."""
    fast, slow = noisy(10, 8), noisy(30, 8, seed=2)
    assert judged("mcp.p50 < 1x control", mcp=fast, control=slow).verdict == "PASS"
    shy = [Round(ms=r.ms, ok=r.ok, busy_s=r.busy_s, planned=110, dropped=10) for r in fast]
    result = judged("mcp.p50 < 1x control", mcp=shy, control=slow)
    assert result.verdict == "INCONCLUSIVE"
    assert "80 of 880 planned journeys of mcp were not started (dropped)" in result.reason


def test_ratios_of_times_carry_the_warning():
    """Each ratio of times has the warning, and other ratios do not."""
    arms = {"control": noisy(10, 8), "mcp": [*noisy(10, 7, seed=2), Round(planned=101, dropped=1)]}
    warned = {
        one.metric
        for one in build(journal(arms)).comparisons
        if any("dropped" in warning for warning in one.warnings)
    }
    assert warned == {"mean", "p50", "p90", "p95", "p99", "journey_p50", "journey_p95"}


@pytest.mark.parametrize(
    ("dropped", "gates", "verdict"),
    [
        (0, [], "PASS"),
        (10, [], "PASS"),
        (11, [], "FAIL"),
        (11, ["mcp.dropped <= 3000"], "PASS"),
        (11, ["mcp.dropped <= 3"], "FAIL"),
    ],
)
def test_more_than_one_percent_of_drops_fails_unless_a_gate_allows_them(dropped, gates, verdict):
    """The planned load was not met, and that is the target's failure."""
    rounds = [Round(ok=1000 - dropped, planned=1000, dropped=dropped)] * 3
    report = build(journal({"mcp": rounds}, gates=gates))
    assert report.verdict == verdict
    if verdict == "FAIL" and not gates:
        assert (
            "33 of 3 000 planned journeys of mcp were not started (dropped)"
            in report.reasons[0].text
        )
