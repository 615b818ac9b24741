"""Changes between runs: intervals and p-values against published formulas and other software."""

import math
import random

import pytest
from scipy import stats

from mcp_perf.results.stats.rounds import same
from mcp_perf.results.stats.runs import between_rounds, between_runs, rate_difference


def test_two_samples_of_rounds_are_compared_as_welch_did():
    """The mean difference and its interval are those of scipy's Welch test."""
    base, new = [0.1, 0.3, 0.2, 0.4, 0.25], [0.5, 0.2, 0.6, 0.9]
    change = between_rounds(base, new)
    low, high = stats.ttest_ind(new, base, equal_var=False).confidence_interval(0.95)
    assert change.mean == pytest.approx((low + high) / 2)
    assert change.half == pytest.approx((high - low) / 2)


def test_the_p_value_of_few_rounds_is_the_exact_share_of_deals():
    """Of the 70 ways to deal 4 and 4 rounds, two are as far apart as a complete split."""
    assert between_rounds([1, 2, 3, 4], [5, 6, 7, 8]).p == 2 / 70
    assert between_rounds([1, 4, 5, 8], [2, 3, 6, 7]).p == 1.0


@pytest.mark.parametrize("n", [12, 40, 150])
def test_the_p_value_of_many_rounds_agrees_with_welch(n):
    """Drawn deals, and Student's t beyond 200 rounds, tell what the t-test tells."""
    rng = random.Random(n)
    base = [rng.gauss(0, 1) for _ in range(n)]
    new = [rng.gauss(1.5 / math.sqrt(n), 1) for _ in range(n)]
    expected = stats.ttest_ind(new, base, equal_var=False).pvalue
    assert between_rounds(base, new).p == pytest.approx(expected, abs=0.02)
    assert between_rounds(base, new).p == between_rounds(base, new).p


def test_the_guard_takes_runs_to_differ_as_much_as_rounds_do():
    """With n rounds of each, its variance is n + 1 times that of the interval."""
    base, new = [0.0, 0.1, 0.2, 0.3], [0.4, 0.5, 0.6, 0.7]
    change = between_rounds(base, new)
    assert change.guard == pytest.approx(change.half * math.sqrt(5))


def test_runs_that_differ_widen_the_interval_and_never_narrow_it():
    """The spread between runs counts; without any, that of the rounds is left."""
    shape = [-0.01, 0.0, 0.01, 0.02]
    new = [0.1 + x for x in shape]
    quiet = [[x + shift for x in shape] for shift in (0.0, 0.001, -0.001)]
    loud = [[x + shift for x in shape] for shift in (0.0, 0.2, -0.2)]
    rounds = between_rounds([x for run in quiet for x in run], new).half
    assert between_runs(quiet, new, 0.0).half >= rounds
    assert between_runs(loud, new, 0.0).half > 5 * between_runs(quiet, new, 0.0).half


def test_the_spread_between_runs_counts_however_many_rounds_they_have():
    """Forty rounds know their own run well, and nothing of the next."""
    shape = [0.001 * (i % 5) for i in range(40)]
    runs = [[x + shift for x in shape] for shift in (0.0, 0.1, -0.1, 0.05)]
    every = [x for run in runs for x in run]
    assert between_runs(runs, shape, 0.0).half > 2 * between_rounds(every, shape).half
    spread = stats.tstd([0.0, 0.1, -0.1, 0.05])
    within = stats.tvar(shape) / 40
    square = (3 * spread**2 + 4 * within) / 7
    expected = stats.t.ppf(0.975, 7) * math.sqrt(square * (1 + 1 / 4))
    assert between_runs(runs, shape, 0.0).half == pytest.approx(expected)


def test_few_runs_are_not_trusted_about_their_own_spread():
    """Three runs that agree by chance leave the usual spread in the interval."""
    alike = [[0.0, 0.001, 0.002, 0.003]] * 3
    assert between_runs(alike, alike[0], 0.03).half > 0.05


@pytest.mark.parametrize(
    ("new", "base", "expected"),
    [  # R. G. Newcombe, 1998, table II, method 10
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
        ((0, 10), (0, 20), (-0.1611, 0.2775)),
    ],
)
def test_rates_differ_as_newcombe_published(new, base, expected):
    """The interval of a difference of proportions has the published ends."""
    assert rate_difference(base, new) == pytest.approx(expected, abs=5e-5)


def test_equal_rounds_are_the_same():
    """Without noise there is nothing to judge by."""
    assert same([1.0, 1.0])
    assert not same([1.0, 1.1])
