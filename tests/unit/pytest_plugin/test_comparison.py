"""A comparison is a run's journal, from which the report takes the same numbers."""

import random

import pytest

from mcp_perf.pytest_plugin.comparison import describe, records, too_fine
from mcp_perf.pytest_plugin.turns import Measured, SideTurn
from mcp_perf.results.document.document import Report
from mcp_perf.results.report.build import build
from mcp_perf.scenario.model.gates import parse

MS = 1_000_000


def measured(times: dict[str, list[list[int]]], block: int = 1) -> Measured:
    """Return turns of these blocks, by side and round, one after the other."""
    turns, at_ns = [], 0
    for number in range(len(next(iter(times.values())))):
        for side in list(times) if number % 2 == 0 else list(times)[::-1]:
            blocks = times[side][number]
            turns.append(SideTurn(side, number + 1, at_ns, blocks, sum(blocks), sum(blocks)))
            at_ns += sum(blocks)
    return Measured(dict.fromkeys(times, block), 0.05, turns)


def reported(times: dict[str, list[list[int]]], *gates: str, block: int = 1) -> Report:
    """Return the report of a comparison."""
    found = measured(times, block)
    about = describe("test_x.py::test_y", "Y", found, map(parse, gates), {})
    return build(records(about, found))


def noisy(ms: float, noise: float, seed: int, rounds: int = 8) -> list[list[int]]:
    """Return rounds of ten calls, each round with different noise."""
    rng = random.Random(seed)
    return [[int(ms * MS * rng.lognormvariate(0, noise))] * 10 for _ in range(rounds)]


def test_times_and_rates_are_those_of_the_sides():
    """Mean, median, calls and calls per second are what was measured, and there are no notes."""
    report = reported({"a": [[2 * MS, 4 * MS]] * 3, "b": [[1 * MS]] * 3})
    a = report.arms["a"]
    assert a.calls == a.journeys_done == 6
    assert a.latency_ms.mean == pytest.approx(3)
    assert a.latency_ms.p50 == pytest.approx(2, rel=1e-3)
    assert a.throughput_per_s == pytest.approx(1000 / 3)
    assert report.verdict == "PASS"
    assert report.complete
    assert report.notes == []


def test_blocks_count_all_their_calls_and_say_so():
    """A block of eight counts as eight calls of its mean; the name says how it was timed."""
    report = reported({"a": [[8 * MS]] * 3, "b": [[16 * MS]] * 3}, block=8)
    a = report.arms["a"]
    assert a.calls == 24
    assert a.latency_ms.mean == pytest.approx(1)
    assert a.throughput_per_s == pytest.approx(1000)
    assert list(a.steps) == ["a (mean of 8 calls)"]
    # These are the percentiles of 24 calls; with 3 calls, all would be ten.
    assert len(a.percentile_curve) == 19


@pytest.mark.parametrize(
    ("gate", "noise", "verdict", "sentence"),
    [
        ("slow.p50 <= 3x fast", 0.02, "PASS", "The gate held."),
        ("slow.p50 <= 1.5x fast", 0.02, "FAIL", "the gate asks for <= 1.5\u00d7"),
        ("fast.throughput >= 3x slow", 0.02, "FAIL", "the gate asks for >= 3\u00d7"),
        ("slow.p50 <= 2.2x fast", 0.9, "INCONCLUSIVE", "undecided"),
    ],
)
def test_a_gate_is_judged_by_its_whole_interval(gate, noise, verdict, sentence):
    """Twice as slow holds 3x, breaks 1.5x, and with much noise decides nothing; all say why."""
    report = reported({"fast": noisy(1, noise, 1), "slow": noisy(2, noise, 2)}, gate)
    assert report.verdict == verdict
    assert sentence in report.reasons[0].text


def test_a_busy_process_is_no_fault_of_a_benchmark():
    """Code inside the measuring process uses a whole core, because that is what is measured."""
    long = [[6000 * MS]] * 6
    assert reported({"a": long, "b": long}).verdict == "PASS"


@pytest.mark.parametrize(
    ("gate", "fine"),
    [("a.p50 <= 2x b", True), ("a.throughput >= 2x b", True), ("a.p99 <= 2x b", False)],
)
def test_calls_timed_together_have_no_tail(gate, fine):
    """A gate on the 99th percentile of block means is refused; the message says what to write."""
    problems = too_fine([parse(gate)], {"a": 8, "b": 1})
    assert (problems == []) is fine
    assert fine or "Write a.p50 <= 2x b" in problems[0]
    assert too_fine([parse(gate)], {"a": 1, "b": 1}) == []
