"""Statistics on rounds: how sure a ratio is, and what this run could have seen at all.

The unit is the round, never the call: calls of one round share its noise, and a test on pooled
calls calls one in four identical pairs different. Arms alternate, so the i-th round of one arm is
compared with the i-th round of the other: slow drift of the machine cancels. How sure a mean is
says `mean.py`. Data that is too thin or broken yields no interval and a warning that says why.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from mcp_perf.numbers import counted
from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.stats.distributions import beta_odds, binomial, student_above
from mcp_perf.results.stats.mean import ALPHA, Mean

POWER: Final = 0.8
FEWEST_ROUNDS: Final = 6
"""Five rounds of a machine with two speeds are all of one speed in 6 % of runs (2 / 2**5): then no
interval holds the truth."""
EXACT: Final = frozenset(("bytes_per_journey",))
"""What the messages alone decide: where it has no noise, its ratio is certain."""
NO_NOISE: Final = "without noise there is no interval. Check that the arms do real work."
SAME: Final = 1e-9
"""Relative to what is compared: below this, numbers are equal."""
_MOST_TIMES: Final = 100
_WIDER: Final = 1.9
"""By this, divided by the root of their number, the interval of independent rounds is usually wider
than Student's, which takes them to be independent. By simulation of 6 to 60 rounds."""

RoundValues = Sequence[float | None]
_Named = tuple[str, RoundValues]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Contrast:
    """How two numbers compare, or why that is not known."""

    value: float | None = None
    ci95: Interval | None = None
    warning: str = ""


@dataclass(frozen=True)
class Paired:
    """Two arms in one metric, paired by round: what a comparison of them rests on."""

    metric: str
    arm: str
    versus: str
    ratio: float | None = None
    mean: Mean | None = None
    """Of the logarithms of the rounds' ratios; None where they do not tell how sure it is."""
    warning: str = ""

    @property
    def p(self) -> float | None:
        """The p-value of this comparison alone."""
        return None if self.mean is None else self.mean.doubt(abs(self.mean.value))

    def shown(self, times: float = 1) -> Comparison:
        """Return the comparison, corrected as one of so `many` that were made together.

        The interval leaves out 1 if, and only if, p is below 0.05.
        """
        ci95: Interval | None = None
        p = needed = None
        if self.mean is not None:
            alone = self.mean.half()
            half = alone if times == 1 else self.mean.half(ALPHA / times)
            ci95 = math.exp(self.mean.value - half), math.exp(self.mean.value + half)
            df = self.mean.df
            needed = math.exp(alone * (1 + student_above(1 - POWER, df) / student_t(df)))
            p = min(1.0, times * self.mean.doubt(abs(self.mean.value)))
        elif self.ratio is not None and not self.warning:
            ci95 = self.ratio, self.ratio
        return Comparison(
            metric=self.metric,
            arm=self.arm,
            versus=self.versus,
            ratio=self.ratio,
            ci95=ci95,
            p_value=p,
            effect_needed=needed,
            warnings=[self.warning] if self.warning else [],
        )


def pair(metric: str, arm: str, versus: str, values: RoundValues, base: RoundValues) -> Paired:
    """Pair two arms by round.

    `values` and `base` hold one number per round of `arm` and of `versus`, in the same order. The
    ratio is the geometric mean of the rounds' ratios. With fewer than `FEWEST_ROUNDS` of them there
    is only the ratio, from broken data nothing but the warning.
    """
    broken = _broken((arm, values), (versus, base), metric)
    if broken is not None:
        return Paired(metric, arm, versus, warning=broken)
    logs = [math.log(a / b) for a, b in zip(values, base, strict=True) if a and b]
    ratio = math.exp(math.fsum(logs) / len(logs))
    thin = _thin(logs, metric)
    mean = None if thin is not None or same(logs) else Mean(logs)
    return Paired(metric, arm, versus, ratio, mean, thin or "")


def compare(
    metric: str, arm: str, versus: str, values: RoundValues, base: RoundValues
) -> Comparison:
    """Compare two arms by the ratio of one metric, as a separate question."""
    return pair(metric, arm, versus, values, base).shown()


def difference(
    value: float | None, metric: str, arm: str, versus: str, values: RoundValues, base: RoundValues
) -> Contrast:
    """Return how far two numbers are apart; `values` and `base` are those of the rounds, paired.

    The interval is that of the mean of the rounds' differences, laid around `value`: that mean, or
    the difference over all rounds.
    """
    broken = _unpaired((arm, values), (versus, base), metric)
    if broken is not None or value is None:
        return Contrast(value, warning=broken or "")
    apart = [a - b for a, b in zip(values, base, strict=True) if a is not None and b is not None]
    if len(apart) < FEWEST_ROUNDS:
        return Contrast(value, warning=_few_rounds(len(apart)))
    if same(apart):
        return Contrast(value, warning=f"Every round gave the same difference: {NO_NOISE}")
    half = half_width(apart)
    return Contrast(value, (value - half, value + half))


def holm(paired: Sequence[Paired]) -> list[Comparison]:
    """Compare arms in several metrics together; those without a p-value do not count.

    Intervals are widened by the factors of the p-values, so that they agree.
    """
    factors = holm_factors([one.p for one in paired])
    return [one.shown(many) for one, many in zip(paired, factors, strict=True)]


def holm_factors(p_values: Sequence[float | None]) -> list[float]:
    """Return by what each of m p-values is multiplied, if they are looked at together.

    The smallest by m, the next by m - 1, and none ends below the one before (Holm, "A simple
    sequentially rejective multiple test procedure", 1979). None does not count.
    """
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    times = [1.0] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(known):
        largest = max(largest, (len(known) - rank) * p)
        times[index] = largest / p if p else float(len(known) - rank)
    return times


def student_t(df: float) -> float:
    """Return the factor of a 95 % interval: Student's t at 97.5 %."""
    return student_above(ALPHA / 2, df)


def around(pooled: float, rounds: RoundValues) -> Interval | None:
    """Return the 95 % interval of a value over all rounds, from how much the rounds differ.

    That of the mean of the logarithms of the rounds' values, laid around the pooled one; of the
    values themselves when some are zero. None with fewer than `FEWEST_ROUNDS`, or one without a
    value.
    """
    values = [value for value in rounds if value is not None]
    if len(values) < max(FEWEST_ROUNDS, len(rounds)):
        return None
    if pooled > 0 and min(values) > 0:
        factor = math.exp(half_width([math.log(value) for value in values]))
        return pooled / factor, pooled * factor
    half = half_width(values)
    return pooled - half, pooled + half


def half_width(numbers: Sequence[float]) -> float:
    """Return half the 95 % interval of a mean; 0 of numbers that are all the same."""
    return 0.0 if same(numbers) else Mean(numbers).half()


def proportion(count: float, total: float) -> tuple[float, float]:
    """Return the 95 % interval of a proportion: Clopper and Pearson, 1934, exact.

    Where nothing (or everything) was counted, there is only one side to be wrong on, and it gets
    the whole 5 %: none of 500 shows less than 0.6 %.
    """
    if count == 0:
        return 0.0, 1 - ALPHA ** (1 / total)
    if count == total:
        return ALPHA ** (1 / total), 1.0
    low = beta_odds(count, total - count + 1, ALPHA / 2)
    high = beta_odds(total - count, count + 1, ALPHA / 2)
    return low / (1 + low), 1 / (1 + high)


def certain(rounds: Sequence[tuple[float, float]]) -> float:
    """Return how many independent calls tell as much of a share, as a fraction of all calls.

    Calls of a round share what befell it: by the calls alone, a rate of failures that come in
    bursts seems far better known than it is.

    `rounds` are (count, total). The variance of the share is that between the rounds, over that of
    independent calls (the design effect: L. Kish, "Survey Sampling", 1965), but at least as large
    as that. That few rounds know their variance badly is in it as the square of Student's t (Korn
    and Graubard, "Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data", 1998). 1 if nothing can be told from the rounds.
    """
    known = [(count, total) for count, total in rounds if total]
    n, total = len(known), sum(total for _, total in known)
    share = sum(count for count, _ in known) / total if total else 0.0
    if n < 2 or not 0 < share < 1:
        return 1.0
    between = sum((count - share * of) ** 2 for count, of in known) * n / (n - 1)
    factor = student_t(n - 1) / NormalDist().inv_cdf(1 - ALPHA / 2)
    return 1 / max(1.0, between / (total * share * (1 - share)) * factor**2)


def percentile_ranks(fraction: float, total: int) -> tuple[int, int]:
    """Return the ranks, from 1, of the samples that enclose a percentile with 95 %.

    Free of any distribution: how many samples lie below is binomial. 0 or `total` + 1 mean that no
    sample is far enough out (Conover, "Practical Nonparametric Statistics", section 3.2).
    """

    def at_most(below: int) -> float:
        return binomial(below, total, fraction)

    low = bisect_right(range(total), ALPHA / 2, key=at_most)
    high = bisect_left(range(total), 1 - ALPHA / 2, key=at_most) + 1
    return low, high


def more_needed(n: int, interval: Interval, value: float, bound: float) -> int | None:
    """Estimate how many calls instead of n would leave the bound outside.

    An interval shrinks with the square root of their number. None when the value is so close to
    the bound that a hundred times as many would not do.
    """
    width = _width(interval, value, bound)
    distance = abs(bound - value)
    if distance == 0 or (width / distance) ** 2 > _MOST_TIMES:
        return None
    return max(n + 1, math.ceil(n * (width / distance) ** 2))


def rounds_needed(n: int, interval: Interval, value: float, bound: float) -> int | None:
    """Estimate how many rounds instead of n would leave the bound outside.

    As `more_needed`, but few rounds know their own spread badly: with more of them, the interval
    shrinks faster than by the square root of their number.
    """
    width = _width(interval, value, bound)
    goal = abs(bound - value) / width * _usual_width(n) if width else math.inf
    most = n * _MOST_TIMES
    needed = bisect_left(range(most + 1), -goal, lo=n + 1, key=lambda more: -_usual_width(more))
    return needed if needed <= most else None


def _width(interval: Interval, value: float, bound: float) -> float:
    return interval[1] - value if bound > value else value - interval[0]


def _usual_width(n: int) -> float:
    """Return half the interval of n independent rounds, as a multiple of what they vary by."""
    return student_t(n - 1) * (1 + _WIDER / math.sqrt(n)) / math.sqrt(n)


def _unpaired(one: _Named, other: _Named, metric: str) -> str | None:
    if len(one[1]) != len(other[1]):
        return (
            f"{one[0]} has {len(one[1])} rounds and {other[0]} {len(other[1])}, but rounds are "
            "compared in pairs. Run both arms for the same number of rounds."
        )
    if not one[1]:
        both = f"{one[0]} and {other[0]}"
        return f"{both} have no finished round in common, so they cannot be compared."
    for arm, values in (one, other):
        unknown = sum(value is None or not math.isfinite(value) for value in values)
        if unknown:
            return f"{arm} has no {metric} in {unknown} of {len(values)} rounds: no comparison."
    return None


def _broken(one: _Named, other: _Named, metric: str) -> str | None:
    if unpaired := _unpaired(one, other, metric):
        return unpaired
    if not any(one[1]) and not any(other[1]):
        return f"{metric} is zero in every round of both arms, so there is no ratio."
    for arm, values in (one, other):
        zeros = sum(not value for value in values)
        if zeros:
            return f"{metric} of {arm} is zero in {zeros} of {len(values)} rounds: no ratio."
    return None


def _thin(logs: Sequence[float], metric: str) -> str | None:
    if len(logs) < FEWEST_ROUNDS:
        return _few_rounds(len(logs))
    if same(logs):
        return None if metric in EXACT else f"Every round gave the same ratio: {NO_NOISE}"
    return None


def _few_rounds(number: int) -> str:
    made = f"{counted(number, 'round')} of each arm"
    return f"{made} cannot show a difference: make at least {FEWEST_ROUNDS}."


def same(logs: Sequence[float]) -> bool:
    """Tell whether the numbers are so equal that they have no noise."""
    return max(logs) - min(logs) <= SAME
