"""Calls in rounds: independent calls all count, and calls that fail in bursts hardly count."""

import random

import pytest

from mcp_perf.results.stats.rounds import certain, proportion, student_t

CALLS = 100
WAYS = {
    "never in bursts": (0.02, 0.0, 0.0),
    "bursts in one round of five": (0.0, 0.2, 0.1),
    "bursts and single failures": (0.005, 0.3, 0.05),
}
"""How often a call fails outside of bursts, a round has a burst, and a call fails in a burst."""


def rounds(rng: random.Random, way: str, n: int) -> list[tuple[float, float]]:
    """Give the failures of some rounds."""
    alone, bursts, within = WAYS[way]
    found = []
    for _ in range(n):
        rate = alone + (within if rng.random() < bursts else 0)
        found.append((sum(rng.random() < rate for _ in range(CALLS)), CALLS))
    return found


@pytest.mark.parametrize("n", [6, 10, 30])
@pytest.mark.parametrize("way", WAYS)
def test_a_gate_at_the_true_rate_rarely_fails(way, n):
    """At most 2.5 % of runs show more failures than there are; by calls alone, up to 23 % do."""
    rng = random.Random(n)
    alone, bursts, within = WAYS[way]
    truth, wrong = alone + bursts * within, 0
    for _ in range(600):
        found = rounds(rng, way, n)
        failed, share = sum(count for count, _ in found), certain(found)
        wrong += proportion(failed * share, n * CALLS * share)[0] > truth
    assert wrong / 600 <= 0.025


def test_calls_of_rounds_that_are_alike_all_count():
    """If rounds differ only by chance, every call counts."""
    assert certain([(5, 100)] * 10) == 1.0
    rng = random.Random(1)
    shares = [certain(rounds(rng, "never in bursts", 30)) for _ in range(200)]
    assert sum(shares) / 200 > 0.85


@pytest.mark.parametrize(
    "found", [[], [(3, 100)], [(3, 100), (0, 0)], [(0, 100)] * 9, [(100, 100)] * 9]
)
def test_without_rounds_or_differences_all_calls_count(found):
    """One round, no failure, or only failures show nothing about bursts."""
    assert certain(found) == 1.0


def test_a_burst_counts_as_the_design_effect_says():
    """In one of ten rounds all ten calls fail: the result is the formula's, with t for nine."""
    found = [(0, 10)] * 9 + [(10, 10)]
    effect = (9 * 1 + 81) * 10 / 9 / (100 * 0.1 * 0.9) * (student_t(9) / 1.96) ** 2
    assert certain(found) == pytest.approx(1 / effect, rel=1e-3)
