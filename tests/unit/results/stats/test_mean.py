"""The mean of rounds that may resemble each other: published limits, and what a doubt means."""

import math
import random
from statistics import fmean, stdev

import pytest
from scipy import stats

from mcp_perf.results.stats.mean import Mean


def rounds(r: float, n: int = 2000, seed: int = 1) -> list[float]:
    """Give rounds with an autocorrelation."""
    rng = random.Random(seed)
    found = [rng.gauss(0, 1)]
    while len(found) < n:
        found.append(r * found[-1] + rng.gauss(0, math.sqrt(1 - r * r)))
    return found


def students(numbers: list[float]) -> float:
    """Give half of Student's interval."""
    n = len(numbers)
    return float(stats.t.ppf(0.975, n - 1)) * stdev(numbers) / math.sqrt(n)


@pytest.mark.parametrize("r", [-0.4, 0.0, 0.4, 0.8])
def test_many_rounds_show_how_much_they_resemble_each_other(r):
    """The interval is as wide as for n (1 - r) / (1 + r) independent rounds."""
    numbers = rounds(r)
    share = (1 - r) / (1 + r)
    expected = students(numbers) / math.sqrt(share)
    assert Mean(numbers).half() == pytest.approx(expected, rel=0.025)


def test_few_rounds_that_climb_have_a_wider_interval_than_the_same_shuffled():
    """The order counts: rounds that go up and then down are not independent."""
    climbing = [1.0, 1.1, 1.2, 1.3, 1.35, 1.3, 1.2, 1.1, 1.0, 0.9]
    shuffled = [1.1, 1.2, 1.0, 1.3, 0.9, 1.35, 1.0, 1.3, 1.1, 1.2]
    assert sorted(climbing) == sorted(shuffled)
    assert Mean(climbing).half() > 2 * Mean(shuffled).half()
    four_of_ten = math.sqrt(10 / 4) * students(climbing)
    assert Mean(shuffled).half() < four_of_ten < Mean(climbing).half()


def test_the_interval_leaves_out_what_is_doubted():
    """The truth is further from the mean than half the interval with a probability of `alpha`."""
    mean = Mean(rounds(0.2, 10))
    for alpha in (0.05, 0.005, 0.5):
        assert mean.doubt(mean.half(alpha)) == pytest.approx(alpha)
    assert mean.doubt(0) == pytest.approx(1)
    assert mean.half(1e-12) > mean.half(1e-3) > mean.half()


def test_units_and_places_change_nothing():
    """An interval is the same in milliseconds and in seconds, and an offset does not move it."""
    numbers = rounds(0.3, 8)
    half = Mean(numbers).half()
    assert Mean([1e-9 * one for one in numbers]).half() == pytest.approx(1e-9 * half)
    assert Mean([1e3 + one for one in numbers]).half() == pytest.approx(half)
    assert Mean(numbers[::-1]).half() == pytest.approx(half)
    assert Mean(numbers).value == fmean(numbers)
