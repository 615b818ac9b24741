"""Statistics on rounds: the formulas are the published ones, and thin data claims nothing."""

import math
import random
from statistics import fmean, median_low

import pytest
from scipy import stats

from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.stats.mean import Mean
from mcp_perf.results.stats.rounds import (
    around,
    compare,
    difference,
    half_width,
    holm,
    more_needed,
    pair,
    percentile_ranks,
    proportion,
    rounds_needed,
)


def test_the_effect_needed_lies_beyond_the_interval():
    """A change that is seen in 80 % of runs lies beyond it by t(0.8) / t(0.975) of its half."""
    values = [1.01, 1.05, 0.98, 1.03, 1.00, 1.02]
    logs = [math.log(value) for value in values]
    times = 1 + stats.t.ppf(0.8, 5) / stats.t.ppf(0.975, 5)
    found = compare("mean", "mcp", "control", values, [1.0] * 6)
    assert found.effect_needed == pytest.approx(math.exp(times * Mean(logs).half()))


def test_a_comparison_is_the_geometric_mean_of_paired_ratios():
    """Interval and p come from the mean of the logarithms of the rounds' ratios."""
    values, base = [21, 40, 62, 78, 101, 122], [10, 20, 30, 40, 50, 60]
    logs = [math.log(a / b) for a, b in zip(values, base, strict=True)]
    middle, half = fmean(logs), Mean(logs).half()
    found = compare("mean", "mcp", "control", values, base)
    assert found.ratio == pytest.approx(math.exp(middle))
    assert found.ci95 == pytest.approx((math.exp(middle - half), math.exp(middle + half)))
    assert found.p_value == pytest.approx(Mean(logs).doubt(middle))
    assert found.warnings == []


def test_pairing_removes_what_both_arms_share():
    """Noise that affects both arms of a pair equally does not widen the interval."""
    shared = [1, 3, 0.4, 2, 7, 1.5]
    values = [2 * s * n for s, n in zip(shared, [1, 1.01, 0.99, 1, 1.01, 0.99], strict=True)]
    low, high = compare("mean", "a", "b", values, shared).ci95
    assert 1.97 < low < 2 < high < 2.03


def shown(*paired) -> list[Comparison]:
    """Give the comparisons of a family, and check that intervals and p-values agree."""
    found = holm(paired)
    for one in found:
        if one.p_value is not None:
            assert (one.p_value < 0.05) is not (one.ci95[0] <= 1 <= one.ci95[1])
    return found


def a_pair(effect: float, seed: int = 0, rounds: int = 10):
    """Give two arms whose rounds differ by `effect` and by 2 % of noise."""
    rng = random.Random(seed)
    values = [effect * rng.lognormvariate(0, 0.02) for _ in range(rounds)]
    return pair("mean", "mcp", "control", values, [1.0] * rounds)


@pytest.mark.parametrize("seed", range(10))
def test_promise_15_holm_multiplies_the_smallest_most_and_keeps_the_order(seed):
    """The smallest of four p-values counts four times, the largest once, none below another."""
    family = [a_pair(1 + step / 100, seed + step) for step in range(4)]
    ranked = sorted(one.p for one in family)
    steps = [(4 - place) * p for place, p in enumerate(ranked)]
    expected = [min(1, max(steps[: ranked.index(one.p) + 1])) for one in family]
    assert [one.p_value for one in shown(*family)] == pytest.approx(expected)


def test_promise_15_an_interval_of_many_is_as_wide_as_their_number_asks():
    """An interval that excludes 1 alone may not among ten, and then its p is above 0.05."""
    close = a_pair(1.016)
    (alone,) = shown(close)
    together = shown(close, *[a_pair(1, seed) for seed in range(9)])[0]
    assert alone.ci95[0] > 1
    assert together.ci95[0] < 1
    assert together.ratio == alone.ratio
    assert together.effect_needed == alone.effect_needed


def test_holm_leaves_out_what_has_no_p_value_and_stops_at_one():
    """A comparison without a p-value does not make the others stricter; no p exceeds 1."""
    thin = pair("mean", "mcp", "control", [1.0], [1.0])
    first, second = a_pair(1.03), a_pair(1)
    found = shown(thin, first, second)
    assert [one.p_value is None for one in found] == [True, False, False]
    assert found[1].p_value == pytest.approx(2 * first.p)
    assert max(one.p_value for one in shown(*[a_pair(1, seed) for seed in range(20)])) == 1
    assert shown() == []


def test_a_difference_beyond_all_doubt_is_corrected_too():
    """A p of zero stays zero, but its interval is still widened."""
    far = a_pair(1e300, rounds=200)
    assert far.p == 0
    wide, alone = shown(far, a_pair(1))[0].ci95, shown(far)[0].ci95
    assert wide[0] < alone[0] < alone[1] < wide[1]


@pytest.mark.parametrize(
    ("values", "base", "says"),
    [
        ([], [], "no finished round"),
        ([1, 2], [1, 2, 3], "2 rounds"),
        ([1, None, 3], [1, 2, 3], "no p95 in 1 of 3"),
        ([1, 2, 3], [math.nan, math.inf, 3], "control has no p95 in 2 of 3"),
        ([0, 0, 0], [0, 0, 0], "is zero in every round of both arms, so there is no ratio."),
        ([1, 2, 3], [1, 0, 3], "control is zero in 1 of 3"),
        ([1, 0, 0], [1, 2, 3], "mcp is zero in 2 of 3"),
    ],
)
def test_promise_13_broken_data_claims_nothing(values, base, says):
    """Missing, unequal, zero and not-a-number give no ratio, but a warning that says which."""
    found = compare("p95", "mcp", "control", values, base)
    assert (found.ratio, found.ci95, found.p_value, found.effect_needed) == (None,) * 4
    assert says in found.warnings[0]


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_promise_13_too_few_rounds_give_a_ratio_without_certainty(rounds):
    """Below six pairs nothing can be shown: no interval, no p, and the number needed."""
    values = [2.0 + i / 10 for i in range(rounds)]
    found = compare("mean", "mcp", "control", values, [1.0] * rounds)
    assert found.ratio > 1.9
    assert (found.ci95, found.p_value, found.effect_needed) == (None, None, None)
    assert "make at least 6" in found.warnings[0]


def test_promise_13_a_ratio_without_noise_gets_no_interval():
    """If all rounds are alike, an interval of zero width would claim too much certainty."""
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
    """If nothing was counted, the whole 5 % lies on one side: the rule of three."""
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
    """A p99 of 100 samples has no upper end, and a p1 of 100 has no lower one."""
    assert percentile_ranks(0.99, 100)[1] == 101
    assert percentile_ranks(0.01, 100)[0] == 0


def test_an_interval_around_a_value_comes_from_the_rounds():
    """It is as wide as that of their mean logarithm, and lies around the value over all rounds."""
    rounds = [9.0, 10.0, 11.0, 10.5, 9.5, 10.1]
    factor = math.exp(Mean([math.log(value) for value in rounds]).half())
    assert around(10.2, rounds) == pytest.approx((10.2 / factor, 10.2 * factor))


def test_rounds_with_zeros_are_judged_on_their_own_scale():
    """Zero has no logarithm, so the interval is the value plus and minus half the interval."""
    rounds = [0.0, 1.0, 2.0, 1.0, 0.5, 1.5]
    half = half_width(rounds)
    assert around(1.0, rounds) == pytest.approx((1 - half, 1 + half))
    assert around(0.0, [0.0] * 6) == (0, 0)


@pytest.mark.parametrize("rounds", [[], [1.0], [1.0, 2.0, 3.0, 2.0, 1.0], [1.0, None, *[2.0] * 6]])
def test_fewer_than_six_rounds_or_one_without_a_value_give_no_interval(rounds):
    """If a machine has two speeds, five rounds may share one; a missing round is not left out."""
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
    """An interval shrinks with the square root of the calls; None if it is too close to tell."""
    assert more_needed(10, interval, value, bound) == needed


@pytest.mark.parametrize(
    ("rounds", "bound", "needed"),
    [
        (6, 105, 13),
        (10, 105, 25),
        (10, 95, 25),
        (10, 109.9, 11),
        (10, 100.1, None),
        (10, 100, None),
    ],
)
def test_more_rounds_shrink_an_interval_faster_than_by_their_root(rounds, bound, needed):
    """13 rounds halve the interval of six; by the square root it would take 24."""
    assert rounds_needed(rounds, (90, 110), 100, bound) == needed


@pytest.mark.parametrize("rounds", [6, 8, 10])
def test_promise_13_the_advised_number_of_rounds_would_decide(rounds):
    """With the number that a typical run advises, roughly half of the runs are decided."""
    rng = random.Random(rounds)
    said, told = [], {}
    for _ in range(200):
        logs = [rng.gauss(0.02, 0.02) for _ in range(rounds)]
        half = half_width(logs)
        if half > fmean(logs) > 0:
            said.append(rounds_needed(rounds, (fmean(logs) - half, fmean(logs)), fmean(logs), 0))
    assert said
    typical = median_low([more or 1000 for more in said])
    for more in (typical // 2, 2 * typical):
        runs = [[rng.gauss(0.02, 0.02) for _ in range(more)] for _ in range(100)]
        told[more] = sum(fmean(logs) > half_width(logs) for logs in runs) / 100
    assert told[typical // 2] < 0.65
    assert told[2 * typical] > 0.65


def test_promise_14_the_interval_of_a_difference_holds_the_true_one():
    """Skewed times, a p95 with one call of twenty beyond it, and rounds that share noise."""
    rng, held, runs = random.Random(2), 0, 300
    true_ms = 5 * math.exp(0.5 * stats.norm.ppf(0.95))

    def p95(times):
        return sorted(times)[math.ceil(0.95 * len(times)) - 1]

    for _ in range(runs):
        shared = [rng.lognormvariate(0, 0.02) for _ in range(10)]
        arms = [
            [[ms * noise * rng.lognormvariate(0, 0.5) for _ in range(20)] for noise in shared]
            for ms in (20, 15)
        ]
        values, base = ([p95(times) for times in rounds] for rounds in arms)
        pooled = [p95([ms for times in rounds for ms in times]) for rounds in arms]
        low, high = difference(pooled[0] - pooled[1], "p95", "a", "b", values, base).ci95
        held += low <= true_ms <= high
    assert 0.93 <= held / runs <= 0.99
