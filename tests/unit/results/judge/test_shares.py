"""Shares of calls and journeys: what is counted, and which part is the target's own deeds."""

import pytest

from mcp_perf.results.journal.records import Slice, TurnEnded, TurnStarted
from mcp_perf.results.judge.rule import Bound
from mcp_perf.results.judge.shares import ShareCounts, counts, deeds, fails_by_deeds, judge
from mcp_perf.results.tally.metrics import Evidence, Totals
from mcp_perf.results.tally.tally import fold
from mcp_perf.scenario.model.gates import parse
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, cell, judged


def totals(calls: dict[str, int], journeys: dict[str, int]) -> Totals:
    """Give the totals of one round with these calls and journeys, by class."""
    cells = [
        cell("mcp", [1.0] * n, kind=kind, cls=cls)
        for kind, found in (("call", calls), ("journey", journeys))
        for cls, n in found.items()
    ]
    health = virtual.COOL
    records = [
        virtual.started(["mcp"]),
        TurnStarted(turn=0, arm="mcp", phase="round", round=1, at_s=0, planned_s=1),
        Slice(node="w1", turn=0, at_s=0, seconds=1, cells=cells, health=health),
        TurnEnded(turn=0, node="w1", users=1, busy_s=1, planned=0),
    ]
    return Totals(fold(records).measured("mcp"))


def alone(found: Totals) -> Evidence:
    """Give the evidence of one round."""
    return Evidence(found, {1: found})


MIXED = totals(
    {"ok": 60, "tool_error": 10, "rate_limited": 5, "timeout": 20, "interrupted": 3},
    {"ok": 20, "tool_error": 6, "timeout": 12, "interrupted": 2, "harness_error": 9},
)


@pytest.mark.parametrize(
    ("metric", "without", "count", "total", "cut_off"),
    [
        ("error_rate", [], 35, 95, 3),
        ("error_rate", [0], 15, 75, 3),
        ("error_rate", [1], 35, 95, 3),
        ("rate_limited_rate", [], 5, 95, 3),
        ("rate_limited_rate", [0], 5, 75, 3),
        ("success_rate", [], 20, 38, 2),
        ("success_rate", [0], 20, 26, 2),
    ],
)
def test_calls_and_journeys_are_counted_by_how_they_ended(metric, without, count, total, cut_off):
    """Timeouts of some turns may be left out of both numbers; calls cut off always are."""
    found = counts(MIXED, metric, without)
    assert (found.count, found.total, found.cut_off) == (count, total, cut_off)


@pytest.mark.parametrize(
    ("op", "value", "count", "cut_off", "verdict"),
    [
        ("<", 0.1, 0, 0, "PASS"),
        ("<", 0.1, 0, 99, "PASS"),  # 99 of 1099 would still be below
        ("<", 0.1, 0, 120, "INCONCLUSIVE"),
        ("<=", 0.0, 0, 1, "INCONCLUSIVE"),
        (">", 0.9, 1000, 100, "PASS"),
        (">", 0.9, 1000, 120, "INCONCLUSIVE"),
        (">=", 1.0, 1000, 1, "INCONCLUSIVE"),
        ("<", 0.1, 500, 120, "FAIL"),
    ],
)
def test_what_was_cut_off_decides_nothing(op, value, count, cut_off, verdict):
    """A share passes only if it would pass with all calls that were cut off against it."""
    found = ShareCounts(count, 1000, "calls", "failed", cut_off)
    assert judge(Bound("mcp.error_rate", op, value, "fraction"), found).verdict == verdict


def test_a_reason_speaks_of_one_call_as_one():
    """The noun and the verb follow the number."""
    bound = Bound("mcp.error_rate", "<=", 0.0, "fraction")
    for cut_off, said in ((1, "1 call was cut off, besides 9 "), (2, "2 calls were cut off, ")):
        assert judge(bound, ShareCounts(0, 9, "calls", "failed", cut_off)).reason.startswith(said)


@pytest.mark.parametrize(
    ("gate", "fails"),
    [
        ("mcp.error_rate < 5%", True),  # 15 of 75
        ("mcp.error_rate < 19%", False),  # 35 of 95 are above, 15 of 75 may be below
        ("mcp.success_rate > 95%", True),
        ("mcp.success_rate > 80%", False),
        ("mcp.rate_limited_rate <= 0%", True),
        ("mcp.error_rate <= 1x control", False),  # who is to blame for a ratio?
        ("mcp.p50 < 1us", False),
        ("mcp.calls < 1", False),
    ],
)
def test_a_gate_fails_by_deeds_if_it_does_without_timeouts(gate, fails):
    """Only shares of one arm are about what the target did; a time has many causes."""
    assert fails_by_deeds(parse(gate), [alone(MIXED)]) is fails


@pytest.mark.parametrize(("unfit", "fails"), [((), False), ({0}, False), ({7}, True)])
def test_timeouts_are_deeds_only_in_sound_rounds_of_a_run_with_a_broken_limit(unfit, fails):
    """In rounds with a broken limit they are nobody's; without any, they are kept out."""
    hung = totals({"ok": 100, "timeout": 100}, {"ok": 100, "timeout": 100})
    for gate in ("mcp.error_rate < 5%", "mcp.success_rate > 95%"):
        assert fails_by_deeds(parse(gate), [alone(hung)], unfit) is fails
    assert deeds(hung, "error_rate", unfit).total == (200 if fails else 100)


def test_one_level_is_enough_to_fail_by_deeds():
    """A load with several levels is judged level by level; a level without a call shows nothing."""
    fine = alone(totals({"ok": 100, "timeout": 100}, {"ok": 100}))
    silent = alone(totals({"timeout": 100}, {"timeout": 100}))
    gate = parse("mcp.error_rate < 5%")
    assert fails_by_deeds(gate, [fine, alone(MIXED), silent])
    assert not fails_by_deeds(gate, [fine, silent])
    assert not fails_by_deeds(gate, [])


@pytest.mark.parametrize(
    ("op", "value", "count", "needed"),
    [
        ("<", 0.01, 0, 299),  # 0.99^299 is the first below 5 %
        (">", 0.99, 100, 299),
        ("<", 0.03, 1, 495),  # the width of its interval shrinks with the root of n
    ],
)
def test_an_open_share_says_how_many_calls_would_decide(op, value, count, needed):
    """If none or all failed, the number that makes one of the other kind likely at the bound."""
    bound = Bound("mcp.error_rate", op, value, "fraction")
    found = judge(bound, ShareCounts(count, 100, "calls", "failed", 0))
    assert found.verdict == "INCONCLUSIVE"
    assert f"About {needed} calls would decide it." in found.reason


def test_failures_in_bursts_show_less_than_the_same_number_spread_evenly():
    """One round in ten has all the failures: the gate is open; spread evenly, it fails."""
    spread = [Round(ok=90, failed=10)] * 10
    burst = [Round(ok=100)] * 9 + [Round(ok=0, failed=100)]
    assert judged("mcp.error_rate < 5%", mcp=spread).verdict == "FAIL"
    found = judged("mcp.error_rate < 5%", mcp=burst)
    assert found.verdict == "INCONCLUSIVE"
    assert "They came in bursts: 1000 calls count as much as" in found.reason
    low, high = found.ci95
    assert low < 0.01
    assert high > 0.2
