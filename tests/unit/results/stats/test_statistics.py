"""Statistics on rounds: formulas are those of the books, and thin data claims nothing."""

import math
import random
import subprocess
import sys
from itertools import product
from statistics import fmean, stdev

import pytest
from scipy import stats

from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.stats.rounds import (
    around,
    compare,
    effect_needed,
    holm,
    more_needed,
    pairs_needed,
    percentile_ranks,
    proportion,
    sign_flip_p,
)


def test_the_effect_needed_follows_the_formula():
    """It is exp((t(0.975) + t(0.8)) * standard error)."""
    logs = [0.01, 0.05, -0.02, 0.03, 0.00, 0.02]
    error = stdev(logs) / math.sqrt(6)
    expected = math.exp((stats.t.ppf(0.975, 5) + stats.t.ppf(0.8, 5)) * error)
    assert effect_needed(logs) == pytest.approx(expected)


def test_a_comparison_is_the_geometric_mean_of_paired_ratios():
    """Ratio and interval are those of Student's t on the logarithms of the rounds' ratios."""
    values, base = [21, 40, 62, 78, 101, 122], [10, 20, 30, 40, 50, 60]
    logs = [math.log(a / b) for a, b in zip(values, base, strict=True)]
    low, high = stats.t.interval(0.95, 5, fmean(logs), stats.sem(logs))
    found = compare("mean", "mcp", "control", values, base)
    assert found.ratio == pytest.approx(math.exp(fmean(logs)))
    assert found.ci95 == pytest.approx((math.exp(low), math.exp(high)))
    assert found.p_value == 2 / 2**6
    assert found.warnings == []


def test_pairing_removes_what_both_arms_share():
    """Noise that hits both arms of a block alike does not widen the interval."""
    shared = [1, 3, 0.4, 2, 7, 1.5]
    values = [2 * s * n for s, n in zip(shared, [1, 1.01, 0.99, 1, 1.01, 0.99], strict=True)]
    low, high = compare("mean", "a", "b", values, shared).ci95
    assert 1.97 < low < 2 < high < 2.03


def brute_force(differences: list[float]) -> float:
    """Try every assignment of signs."""
    far = abs(sum(differences)) - 1e-12
    signs = list(product((1, -1), repeat=len(differences)))
    sums = [abs(sum(s * d for s, d in zip(way, differences, strict=True))) for way in signs]
    return sum(total >= far for total in sums) / len(signs)


@pytest.mark.parametrize("seed", range(5))
def test_sign_flips_are_exact_for_few_pairs(seed):
    """Up to 14 pairs, p is the share of all sign assignments at least as extreme."""
    rng = random.Random(seed)
    differences = [rng.gauss(0.5, 1) for _ in range(8)]
    assert sign_flip_p(differences) == brute_force(differences)


def test_equal_magnitudes_count_as_equally_extreme():
    """Rounding in the sums does not make an equally extreme assignment a less extreme one."""
    assert sign_flip_p([0.1, 0.2, 0.3, -0.6, 0.7, 0.1]) == brute_force(
        [0.1, 0.2, 0.3, -0.6, 0.7, 0.1]
    )


def test_many_pairs_are_drawn_with_a_seed_and_agree_with_t():
    """Beyond 14 pairs p is drawn, reproducible, and near that of the t-test on normal data."""
    rng = random.Random(5)
    differences = [rng.gauss(0.4, 1) for _ in range(30)]
    p = sign_flip_p(differences)
    assert p == sign_flip_p(differences)
    assert p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.02)
    assert sign_flip_p(differences, seed=1) != p


def test_a_drawn_p_is_never_zero():
    """The observed signs are one of the assignments, however extreme they are."""
    assert sign_flip_p([1.0] * 40) == pytest.approx(1 / 10_001)


def p_values(*values: float | None) -> list[Comparison]:
    """Give comparisons with these p-values."""
    rest = {"arm": "a", "versus": "b", "ratio": 1.0, "ci95": None, "effect_needed": None}
    return [Comparison(metric=f"m{i}", p_value=p, **rest) for i, p in enumerate(values)]


def test_promise_15_holm_multiplies_the_smallest_most_and_keeps_the_order():
    """The textbook example: 0.01, 0.04, 0.03, 0.005 become 0.03, 0.06, 0.06, 0.02."""
    corrected = holm(p_values(0.01, 0.04, 0.03, 0.005), [20] * 4)
    assert [c.p_value for c in corrected] == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_out_what_has_no_p_value_and_stops_at_one():
    """A comparison without a p-value does not make the others stricter; none exceeds 1."""
    corrected = holm(p_values(None, 0.03, 0.9), [20] * 3)
    assert [c.p_value for c in corrected] == [None, 0.06, 0.9]
    assert holm(p_values(0.7, 0.8), [20] * 2)[1].p_value == 1
    assert holm([], []) == []


def test_too_few_rounds_for_the_family_are_a_warning():
    """Six rounds can be significant alone, but not among ten; the warning names the number."""
    assert (pairs_needed(1), pairs_needed(10)) == (6, 9)
    [alone] = holm(p_values(2 / 2**6), [6])
    assert alone.warnings == []
    among_ten = holm(p_values(*[2 / 2**6] * 10), [6] * 10)
    assert all("9 are needed" in c.warnings[0] for c in among_ten)
    assert all(c.p_value > 0.05 for c in among_ten)


@pytest.mark.parametrize(
    ("values", "base", "says"),
    [
        ([], [], "no finished round"),
        ([1, 2], [1, 2, 3], "2 rounds"),
        ([1, None, 3], [1, 2, 3], "no p95 in 1 of 3"),
        ([1, 2, 3], [math.nan, math.inf, 3], "control has no p95 in 2 of 3"),
        ([0, 0, 0], [0, 0, 0], "two zeros"),
        ([1, 2, 3], [1, 0, 3], "control is zero in 1 of 3"),
        ([1, 0, 0], [1, 2, 3], "mcp is zero in 2 of 3"),
    ],
)
def test_promise_13_broken_data_claims_nothing(values, base, says):
    """Missing, unequal, zero and not-a-number give no ratio, and a warning that says which."""
    found = compare("p95", "mcp", "control", values, base)
    assert (found.ratio, found.ci95, found.p_value, found.effect_needed) == (None,) * 4
    assert says in found.warnings[0]


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_promise_13_too_few_rounds_give_a_ratio_without_certainty(rounds):
    """Below six pairs nothing can be significant: no interval, no p, and the number needed."""
    values = [2.0 + i / 10 for i in range(rounds)]
    found = compare("mean", "mcp", "control", values, [1.0] * rounds)
    assert found.ratio > 1.9
    assert (found.ci95, found.p_value, found.effect_needed) == (None, None, None)
    assert "at least 6 are needed" in found.warnings[0]


def test_promise_13_a_ratio_without_noise_gets_no_interval():
    """All rounds alike: an interval of no width would claim a certainty that nobody has."""
    found = compare("mean", "mcp", "control", [2.0] * 8, [1.0] * 8)
    assert found.ratio == pytest.approx(2)
    assert (found.ci95, found.p_value) == (None, None)
    assert "same ratio" in found.warnings[0]


@pytest.mark.parametrize(("count", "total"), [(1, 500), (3, 10), (250, 500), (499, 500)])
def test_proportions_have_the_exact_interval(count, total):
    """Clopper and Pearson, as scipy computes it."""
    expected = stats.binomtest(count, total).proportion_ci(0.95, method="exact")
    assert proportion(count, total) == pytest.approx((expected.low, expected.high))


def test_none_of_500_shows_less_than_six_per_mille():
    """Where nothing was counted the whole 5 % lies on one side: the rule of three."""
    low, high = proportion(0, 500)
    assert low == 0
    assert high == pytest.approx(0.005974, abs=1e-6)
    assert proportion(500, 500) == pytest.approx((1 - high, 1))


@pytest.mark.parametrize(("fraction", "total"), [(0.5, 100), (0.95, 1000), (0.99, 5000)])
def test_percentile_ranks_enclose_with_95_percent(fraction, total):
    """At most 2.5 % lie outside on either side, and one place nearer would be too many."""
    low, high = percentile_ranks(fraction, total)
    below = stats.binom(total, fraction).cdf
    assert below(low - 1) <= 0.025 < below(low)
    assert below(high - 1) >= 0.975 > below(high - 2)


def test_percentile_ranks_say_where_no_sample_is_far_enough_out():
    """A p99 of 100 samples has no upper end, a p1 of 100 no lower one."""
    assert percentile_ranks(0.99, 100)[1] == 101
    assert percentile_ranks(0.01, 100)[0] == 0


def test_an_interval_around_a_value_comes_from_the_rounds():
    """Student's t on the logarithms of the rounds, laid around the value over all of them."""
    rounds = [9.0, 10.0, 11.0, 10.5]
    factor = math.exp(stats.t.ppf(0.975, 3) * stats.sem([math.log(v) for v in rounds]))
    assert around(10.2, rounds) == pytest.approx((10.2 / factor, 10.2 * factor))


def test_rounds_with_zeros_are_judged_on_their_own_scale():
    """Zero has no logarithm: the interval is then the value plus and minus t times the error."""
    rounds = [0.0, 1.0, 2.0]
    half = stats.t.ppf(0.975, 2) * stats.sem(rounds)
    assert around(1.0, rounds) == pytest.approx((1 - half, 1 + half))
    assert around(0.0, [0.0, 0.0, 0.0]) == (0, 0)


@pytest.mark.parametrize("rounds", [[], [1.0], [1.0, 2.0], [1.0, None, 2.0, 3.0]])
def test_fewer_than_three_rounds_or_one_without_a_value_give_no_interval(rounds):
    """Two rounds say nothing useful about their spread, and a missing one is not left out."""
    assert around(1.0, rounds) is None


@pytest.mark.parametrize(
    ("interval", "value", "bound", "needed"),
    [
        ((90, 110), 100, 105, 40),  # half the distance takes four times as many
        ((90, 120), 100, 95, 40),  # the lower end counts for a lower bound
        ((90, 110), 100, 109.9, 11),  # never as few as there were
        ((90, 110), 100, 100, None),
        ((90, 110), 100, 100.1, None),
    ],
)
def test_how_many_more_would_decide(interval, value, bound, needed):
    """An interval shrinks with the square root of the rounds; too close to tell is None."""
    assert more_needed(10, interval, value, bound) == needed


@pytest.mark.process
def test_importing_the_module_does_not_load_scipy():
    """A command that needs no statistics does not wait for them."""
    code = "import sys, mcp_perf.results.stats.rounds; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
