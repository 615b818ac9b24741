"""A rate of violations is over the checked results, and unchecked results count like them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.results.compare.baseline import of_report
from mcp_perf.results.report.build import build
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, judged

ALL_BROKEN = Round(ok=9376, failed=624, cls="check_failed", sampled=(624, 624, 9376))
"""What a tool looks like if every result breaks its schema and one in sixteen is checked."""


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ("mcp.error_rate < 20%", "FAIL"),
        ("mcp.error_rate < 99.9%", "INCONCLUSIVE"),
        ("mcp.error_rate <= 0%", "FAIL"),
        ("mcp.error_rate > 90%", "PASS"),
    ],
)
def test_a_tool_whose_every_result_breaks_its_schema_fails_at_every_call(gate, verdict):
    """Only 6 % of the calls were seen to fail, but the rate is 100 %."""
    result = judged(gate, mcp=[ALL_BROKEN])
    assert (result.measured, result.verdict) == (1.0, verdict)
    told = "624 of 10 000 results were checked against their outputSchema, and 624 broke it"
    assert (told in result.reason) is (verdict != "PASS")


def test_a_rate_is_only_as_certain_as_the_sample_allows():
    """Half of 100 checked results broke their schema: that shows what 100 calls would show."""
    sampled = Round(ok=9950, failed=50, cls="check_failed", sampled=(100, 50, 9900))
    asked = Round(ok=50, failed=50, cls="check_failed")
    rate = judged("mcp.error_rate < 1%", mcp=[sampled])
    assert rate.measured == pytest.approx(0.5)
    assert rate.ci95 == judged("mcp.error_rate < 1%", mcp=[asked]).ci95


def test_results_that_keep_their_schema_leave_the_rate_as_it_is():
    """Without a violation, unchecked results are ok, and the rate is as certain as usual."""
    plain = judged("mcp.error_rate < 2%", mcp=[Round(ok=990, failed=10)])
    sampled = Round(ok=990, failed=10, sampled=(100, 0, 890))
    assert judged("mcp.error_rate < 2%", mcp=[sampled]) == plain


def test_other_failures_are_counted_in_addition():
    """10 % of the calls timed out, and a quarter of the rest breaks its schema."""
    mixed = Round(ok=875, failed=25, cls="check_failed", other={"timeout": 100},
                  sampled=(100, 25, 800))  # fmt: skip
    assert judged("mcp.error_rate < 1%", mcp=[mixed]).measured == pytest.approx(0.325)


def test_a_sample_of_violations_fails_a_run_whatever_its_gates_are_about():
    """If nobody can use the results, their throughput does not count."""
    report = build(virtual.journal({"mcp": [ALL_BROKEN] * 3}, gates=["mcp.throughput > 1/s"]))
    assert (report.verdict, report.exit_code) == ("FAIL", 99)
    assert str(report.reasons[0]).count("100 % of the checked results of mcp, tools/call echo") == 1
    step = report.arms["mcp"].steps["tools/call echo"]
    assert (step.schema_checked, step.schema_unchecked) == (3 * 624, 3 * 9376)
    assert step.schema_violation_rate == step.error_rate == 1.0
    assert any("1872 broke it" in note for note in report.notes)


def test_a_gate_on_the_error_rate_may_allow_it():
    """A gate that says how many calls may fail has the last word."""
    report = build(virtual.journal({"mcp": [ALL_BROKEN] * 3}, gates=["mcp.error_rate > 50%"]))
    assert report.verdict == "PASS"


def test_a_baseline_remembers_the_same_rate():
    """A later run is compared with the estimate, like with any other rate."""
    arm = of_report(build(virtual.journal({"mcp": [ALL_BROKEN]}))).arms["mcp"]
    assert (arm.failed, arm.ended) == (10_000, 10_000)


@given(st.integers(1, 400), st.integers(0, 400), st.floats(0, 1))
def test_the_rate_is_between_what_was_seen_and_all(checked, unchecked, share):
    """It is never below the failures that were seen, and never above all calls."""
    broke = round(share * checked)
    one = Round(ok=checked - broke + unchecked, failed=broke, cls="check_failed",
                sampled=(checked, broke, unchecked))  # fmt: skip
    rate = judged("mcp.error_rate < 1%", mcp=[one]).measured
    assert broke / (checked + unchecked) <= rate + 1e-12
    assert rate == pytest.approx(broke / checked)
