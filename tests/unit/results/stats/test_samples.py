"""Two samples without partners: SciPy checks the tests, and simulation checks the interval."""

import random

import pytest
from scipy import stats

from mcp_perf.results.stats.samples import (
    MOST_EXACT,
    change_interval,
    outliers,
    rank_test,
)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 4), (5, 5), (8, 12), (30, 30)])
@pytest.mark.parametrize("shift", [0, 0.4, 3])
def test_few_numbers_without_ties_have_the_exact_p_value(m, n, shift):
    """It is SciPy's."""
    draw = random.Random(m * 100 + n)
    a, b = [draw.random() for _ in range(m)], [draw.random() + shift for _ in range(n)]
    expected = stats.mannwhitneyu(a, b, method="exact").pvalue
    assert rank_test([(a, b)]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_few_numbers_with_ties_have_the_p_value_of_all_permutations(seed):
    """All permutations are counted one by one."""
    draw = random.Random(seed)
    a, b = [draw.randint(0, 3) for _ in range(4)], [draw.randint(1, 4) for _ in range(5)]

    def ranks(one, other):
        return stats.rankdata([*one, *other])[: len(one)].sum()

    counted = stats.permutation_test((a, b), ranks, n_resamples=10_000, vectorized=False)
    assert rank_test([(a, b)]) == pytest.approx(counted.pvalue, rel=1e-9)


@pytest.mark.parametrize("most", [3, 1000])
def test_many_numbers_have_the_p_value_of_the_normal_distribution(most):
    """It is corrected for ties and for continuity."""
    draw = random.Random(1)
    a = [draw.randint(0, most) for _ in range(40)]
    b = [draw.randint(0, most) for _ in range(50)]
    expected = stats.mannwhitneyu(a, b, method="asymptotic").pvalue
    assert rank_test([(a, b)]) == pytest.approx(expected, rel=1e-9)
    assert rank_test([([1.0] * 40, [1.0] * 40)]) == 1.0


def test_each_stratum_is_ranked_separately():
    """That a task takes longer is not evidence against the mode that did more of it."""
    easy, hard = ([1, 2, 3], [1.5, 2.5]), ([101], [99, 100, 102, 103])
    assert rank_test([easy, hard]) > 0.9
    pooled = [(easy[0] + hard[0], easy[1] + hard[1])]
    assert rank_test(pooled) < rank_test([easy, hard])
    assert rank_test([easy, ([1, 2], [])]) == rank_test([easy])
    assert rank_test([([], [1.0])]) is None


def test_strata_add_up_to_the_same_p_value_exactly_and_by_the_normal_distribution():
    """At the size at which one takes over from the other, both are close."""
    draw = random.Random(5)
    strata = [
        ([draw.random() for _ in range(10)], [draw.random() + 0.25 for _ in range(10)])
        for _ in range(MOST_EXACT // 20)
    ]
    exact = rank_test(strata)
    more = rank_test([*strata, ([0.5], [0.5])])
    assert more == pytest.approx(exact, abs=0.001)


def test_a_rank_test_is_wrong_no_more_often_than_it_says():
    """Of 400 pairs of equal samples, at most 5 % and what chance adds."""
    draw = random.Random(2)
    wrong = sum(
        rank_test([tuple([draw.expovariate(1) for _ in range(8)] for _ in range(2))]) < 0.05
        for _ in range(400)
    )
    assert wrong <= stats.binom.ppf(0.999, 400, 0.05)


def test_an_interval_holds_the_truth_nearly_always():
    """Even of skewed numbers: ten lognormal ones on each side, and a true change of 20 %."""
    draw = random.Random(3)
    held = 0
    for _ in range(40):
        a, b = ([draw.lognormvariate(0, 0.4) for _ in range(10)] for _ in range(2))
        low, high = change_interval([(a, [1.2 * one for one in b])])
        held += low <= 0.2 <= high
    assert held >= stats.binom.ppf(0.001, 40, 0.94)


def test_an_interval_is_the_same_each_time_and_needs_five_numbers():
    """Its draws have a seed. If the mean may be zero, there is no ratio."""
    a, b = [5.0, 6.0, 7.0, 8.0, 9.0], [4.0, 6.0, 6.0, 7.0, 8.0]
    assert change_interval([(a, b)]) == change_interval([(a, b)])
    assert change_interval([(a, b[:4])]) is None
    assert change_interval([(a[:2], b[:2]), (a[2:], b[2:])]) is not None
    assert change_interval([([0.0, 0.0, 0.0, 0.0, 1.0], b)]) is None
    assert change_interval([]) is None


def test_outliers_are_far_from_the_median():
    """Far compared with the other values; a few numbers have no outliers."""
    assert outliers([10, 11, 9, 10, 12, 50]) == [5]
    assert outliers([10, 10, 10, 10, 10, 11]) == [5]
    assert outliers([10.0] * 6) == []
    assert outliers([1, 2, 3, 4, 5]) == []
    assert outliers([1, 1, 1, 50]) == []
