"""Percentiles of rounds with few calls: their ranks in all rounds decide, or nothing does."""

import math
import random

import pytest
from msgspec.structs import replace

from mcp_perf.results.journal.records import Slice
from mcp_perf.results.judge.gates import judge
from mcp_perf.scenario.model.gates import parse
from tests.support.virtual_run import Round, cell, evidence, journal, judged

TRUE_P99_MS = 10 * math.exp(2.3263 * math.hypot(0.4, 0.02))


def rounds_of(rng: random.Random, rounds: int, calls: int) -> dict:
    """Give evidence of log-normal calls around 10 ms, with 2 % of noise from round to round."""
    records = journal({"mcp": [Round(ok=calls)] * rounds})
    return evidence([_drawn(rng, one, calls) if isinstance(one, Slice) else one for one in records])


def _drawn(rng: random.Random, record: Slice, calls: int) -> Slice:
    middle = 10 * rng.lognormvariate(0, 0.02)
    return replace(
        record, cells=[cell("mcp", [middle * rng.lognormvariate(0, 0.4) for _ in range(calls)])]
    )


@pytest.mark.parametrize(("rounds", "calls"), [(10, 50), (30, 30)])
def test_promise_14_a_p99_at_its_true_value_is_rarely_decided(rounds, calls):
    """At most 3.5 % of gates pass, and as many fail; with the p99 of 30 calls, 13 % did in all."""
    rng = random.Random(calls)
    gate = parse(f"mcp.p99 < {TRUE_P99_MS:.4f}ms")
    found = [judge(gate, rounds_of(rng, rounds, calls)).verdict for _ in range(200)]
    assert found.count("PASS") <= 7
    assert found.count("FAIL") <= 7
    assert "INCONCLUSIVE" in found


def test_a_far_bound_is_met_by_few_calls_a_round_if_there_are_enough_in_all():
    """Three hundred calls within it show a p99; two hundred give only a lower limit."""
    rng = random.Random(1)
    assert judge(parse("mcp.p99 < 50ms"), rounds_of(rng, 10, 30)).verdict == "PASS"
    assert judge(parse("mcp.p99 < 50ms"), rounds_of(rng, 30, 30)).verdict == "PASS"
    assert judge(parse("mcp.p99 < 5ms"), rounds_of(rng, 10, 30)).verdict == "FAIL"
    found = judge(parse("mcp.p99 < 50ms"), rounds_of(rng, 10, 20))
    assert (found.verdict, found.ci95) == ("INCONCLUSIVE", None)
    assert "Make longer rounds, or use more users." in found.reason


def test_one_slow_round_makes_the_ranks_of_its_calls_uncertain():
    """Calls that share the slowness of a round are not independent evidence of it."""
    alike = [Round(ms=10, ok=20)] * 40
    uneven = [Round(ms=100 if n % 10 == 0 else 10, ok=20) for n in range(40)]
    narrow, wide = (judged("mcp.p90 < 20ms", mcp=rounds) for rounds in (alike, uneven))
    assert narrow.verdict == "PASS"
    assert wide.verdict == "INCONCLUSIVE"


def test_promise_27_a_percentile_that_reaches_failures_in_few_calls_does_not_pass():
    """Failures also rank last among the calls of all rounds."""
    rounds = [Round(ms=10, ok=29, failed=1)] * 30
    assert judged("mcp.p99 < 1s", mcp=rounds).verdict == "FAIL"
    assert judged("mcp.p90 < 1s", mcp=rounds).verdict == "PASS"
    edge = [Round(ms=10, ok=30 - (n % 4 == 0), failed=int(n % 4 == 0)) for n in range(30)]
    assert judged("mcp.p99 < 1s", mcp=edge).verdict == "INCONCLUSIVE"


def test_a_ratio_of_percentiles_needs_enough_calls_in_each_round():
    """The p99 of thirty calls is their slowest, so its ratio means nothing."""
    few, many = [Round(ms=10, ok=30)] * 8, [Round(ms=10, ok=100)] * 8
    for arms in ({"mcp": few, "control": many}, {"mcp": many, "control": few}):
        found = judged("mcp.p99 <= 2x control", **arms)
        assert found.verdict == "INCONCLUSIVE"
        assert "made only 30 calls in a round: a ratio of p99 needs at least 100" in found.reason
    found = judged("mcp.journey_p99 <= 2x control", mcp=few, control=many)
    assert "made only 30 journeys" in found.reason


def test_a_ratio_of_medians_needs_one_call_in_each_round():
    """A benchmark of slow functions calls each of them once in a round."""
    slow = [Round(ms=10 + n / 10, ok=1) for n in range(8)]
    fast = [Round(ms=4 + n / 10, ok=1) for n in range(8)]
    assert judged("mcp.p50 <= 0.5x rest", mcp=fast, rest=slow).verdict == "PASS"
