"""Statistics on rounds: how sure a ratio is, and what this run could have seen at all.

The unit is the round, never the call: calls of one round share its noise, and a test on pooled
calls says that one in four identical pairs differs. Arms alternate, so the i-th round of one arm is
compared with the i-th round of the other, and slow drift of the machine cancels. `mean.py` finds
how sure a mean is. Data that is too thin or broken gives no interval, but a warning that says why.
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
"""If a machine has two speeds, five rounds all have the same speed in 6 % of runs (2 / 2**5). Then
no interval contains the truth."""
EXACT: Final = frozenset(("bytes_per_journey",))
"""Metrics that depend on the messages alone: without noise, their ratio is certain."""
NO_NOISE: Final = "without noise there is no interval. Check that the arms do real work."
SAME: Final = 1e-9
"""Numbers that differ by less, relative to what is compared, are equal."""
_MOST_TIMES: Final = 100
_WIDER: Final = 1.9
"""Student's interval assumes that rounds are independent. For rounds that are, ours is usually
wider by this factor over the root of their number. Found by simulation of 6 to 60 rounds."""

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
    """Two arms in one metric, paired by round: the basis of a comparison."""

    metric: str
    arm: str
    versus: str
    ratio: float | None = None
    mean: Mean | None = None
    """Of the logarithms of the rounds' ratios; None if they do not show how sure the ratio is."""
    warning: str = ""

    @property
    def p(self) -> float | None:
        """The p-value of this comparison alone."""
        return None if self.mean is None else self.mean.doubt(abs(self.mean.value))

    def shown(self, times: float = 1) -> Comparison:
        """Return the comparison; `times` corrects it for others that were made together with it.

        The interval excludes 1 if, and only if, p is below 0.05.
        """
        mean, p = self.mean, self.p
        ci95: Interval | None = None
        needed = None
        if mean is not None:
            alone = mean.half()
            half = alone if times == 1 else mean.half(ALPHA / times)
            ci95 = math.exp(mean.value - half), math.exp(mean.value + half)
            needed = math.exp(alone * (1 + student_above(1 - POWER, mean.df) / student_t(mean.df)))
        elif self.ratio is not None and not self.warning:
            ci95 = self.ratio, self.ratio
        return Comparison(
            metric=self.metric,
            arm=self.arm,
            versus=self.versus,
            ratio=self.ratio,
            ci95=ci95,
            p_value=None if p is None else min(1.0, times * p),
            effect_needed=needed,
            warnings=[self.warning] if self.warning else [],
        )


def pair(metric: str, arm: str, versus: str, values: RoundValues, base: RoundValues) -> Paired:
    """Pair two arms by round.

    `values` and `base` hold one number per round of `arm` and of `versus`, in the same order. The
    ratio is the geometric mean of the rounds' ratios. Fewer than `FEWEST_ROUNDS` rounds give only
    the ratio; broken data gives only the warning.
    """
    broken = _broken((arm, values), (versus, base), metric)
    if broken:
        return Paired(metric, arm, versus, warning=broken)
    logs = [math.log(a / b) for a, b in zip(values, base, strict=True) if a and b]
    ratio = math.exp(math.fsum(logs) / len(logs))
    thin = _thin(logs, "ratio", exact=metric in EXACT)
    mean = None if thin or same(logs) else Mean(logs)
    return Paired(metric, arm, versus, ratio, mean, thin)


def compare(
    metric: str, arm: str, versus: str, values: RoundValues, base: RoundValues
) -> Comparison:
    """Compare two arms by the ratio of one metric, as a separate question."""
    return pair(metric, arm, versus, values, base).shown()


def difference(
    value: float | None, metric: str, arm: str, versus: str, values: RoundValues, base: RoundValues
) -> Contrast:
    """Return how far apart two numbers are; `values` and `base` hold one per round, paired.

    The interval of the mean of the rounds' differences is laid around `value`, which is that mean
    or the difference over all rounds.
    """
    broken = _unpaired((arm, values), (versus, base), metric)
    if broken or value is None:
        return Contrast(value, warning=broken)
    apart = [a - b for a, b in zip(values, base, strict=True) if a is not None and b is not None]
    thin = _thin(apart, "difference")
    if thin:
        return Contrast(value, warning=thin)
    half = half_width(apart)
    return Contrast(value, (value - half, value + half))


def holm(paired: Sequence[Paired]) -> list[Comparison]:
    """Compare arms in several metrics together; metrics without a p-value do not count.

    The factors that raise the p-values also widen the intervals, so both agree.
    """
    factors = holm_factors([one.p for one in paired])
    return [one.shown(many) for one, many in zip(paired, factors, strict=True)]


def holm_factors(p_values: Sequence[float | None]) -> list[float]:
    """Return the factor that corrects each of m p-values for the others.

    The smallest is multiplied by m, the next by m - 1, and no product ends up below the one before
    (Holm, "A simple sequentially rejective multiple test procedure", 1979). None does not count.
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

    It has the width of the interval of the mean logarithm of the rounds' values, or of their plain
    mean if some are zero, and lies around the pooled value. None with fewer than `FEWEST_ROUNDS`
    rounds, or if a round has no value.
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
    """Return half the 95 % interval of a mean; 0 if all numbers are the same."""
    return 0.0 if same(numbers) else Mean(numbers).half()


def proportion(count: float, total: float) -> tuple[float, float]:
    """Return the 95 % interval of a proportion: Clopper and Pearson, 1934, exact.

    If nothing (or everything) was counted, the interval can be wrong on one side only, which gets
    the whole 5 %: 0 of 500 shows less than 0.6 %.
    """
    if count == 0:
        return 0.0, 1 - ALPHA ** (1 / total)
    if count == total:
        return ALPHA ** (1 / total), 1.0
    low = beta_odds(count, total - count + 1, ALPHA / 2)
    high = beta_odds(total - count, count + 1, ALPHA / 2)
    return low / (1 + low), 1 / (1 + high)


def certain(rounds: Sequence[tuple[float, float]]) -> float:
    """Return how many independent calls would show a share as surely, as a fraction of all calls.

    Calls of a round share what happened to it. If failures come in bursts, the number of calls
    alone would make their rate look far more certain than it is.

    `rounds` are pairs (count, total). The result is the variance of independent calls over the
    variance between the rounds, at most 1: the inverse of the design effect (L. Kish, "Survey
    Sampling", 1965). Few rounds show their variance badly, so it is multiplied by the square of
    Student's t over the normal factor (Korn and Graubard, "Confidence intervals for proportions
    with small expected number of positive counts estimated from survey data", 1998). 1 if the
    rounds show nothing.
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
    """Return the ranks, from 1, of the samples that enclose a percentile with 95 % confidence.

    This holds for any distribution: the number of samples below is binomial. 0 or `total` + 1 mean
    that no sample is far enough out (Conover, "Practical Nonparametric Statistics", section 3.2).
    """

    def at_most(below: int) -> float:
        return binomial(below, total, fraction)

    low = bisect_right(range(total), ALPHA / 2, key=at_most)
    high = bisect_left(range(total), 1 - ALPHA / 2, key=at_most) + 1
    return low, high


def more_needed(n: int, interval: Interval, value: float, bound: float) -> int | None:
    """Estimate how many calls instead of n would give an interval without the bound.

    An interval shrinks with the square root of their number. None if the value is so close to the
    bound that a hundred times as many would not be enough.
    """
    distance = abs(bound - value)
    times = (_width(interval, value, bound) / distance) ** 2 if distance else math.inf
    return max(n + 1, math.ceil(n * times)) if times <= _MOST_TIMES else None


def rounds_needed(n: int, interval: Interval, value: float, bound: float) -> int | None:
    """Estimate how many rounds instead of n would give an interval without the bound.

    The interval shrinks faster than with the square root of their number, because few rounds show
    their spread badly. None if a hundred times as many would not be enough.
    """
    width = _width(interval, value, bound)
    goal = abs(bound - value) / width * _usual_width(n) if width else math.inf
    most = n * _MOST_TIMES
    needed = bisect_left(range(most + 1), -goal, lo=n + 1, key=lambda more: -_usual_width(more))
    return needed if needed <= most else None


def _width(interval: Interval, value: float, bound: float) -> float:
    return interval[1] - value if bound > value else value - interval[0]


def _usual_width(n: int) -> float:
    """Return half the interval of n independent rounds, as a multiple of their spread."""
    return student_t(n - 1) * (1 + _WIDER / math.sqrt(n)) / math.sqrt(n)


def _unpaired(one: _Named, other: _Named, metric: str) -> str:
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
    return ""


def _broken(one: _Named, other: _Named, metric: str) -> str:
    if unpaired := _unpaired(one, other, metric):
        return unpaired
    if not any(one[1]) and not any(other[1]):
        return f"{metric} is zero in every round of both arms, so there is no ratio."
    for arm, values in (one, other):
        zeros = sum(not value for value in values)
        if zeros:
            return f"{metric} of {arm} is zero in {zeros} of {len(values)} rounds: no ratio."
    return ""


def _thin(numbers: Sequence[float], what: str, *, exact: bool = False) -> str:
    if len(numbers) < FEWEST_ROUNDS:
        made = f"{counted(len(numbers), 'round')} of each arm"
        return f"{made} cannot show a difference: make at least {FEWEST_ROUNDS}."
    if exact or not same(numbers):
        return ""
    return f"Every round gave the same {what}: {NO_NOISE}"


def same(logs: Sequence[float]) -> bool:
    """Tell whether the numbers are so equal that they have no noise."""
    return max(logs) - min(logs) <= SAME
