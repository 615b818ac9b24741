"""Two samples without partners, such as runs of agents: few, skewed, and with outliers.

A sample may have strata, such as tasks. Values of different strata are never compared: each test
and each interval stays within strata.
"""

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from statistics import NormalDist, fmean, median, variance
from typing import Final

from mcp_perf.results.stats.distributions import student_above
from mcp_perf.results.stats.mean import ALPHA

Strata = Sequence[tuple[Sequence[float], Sequence[float]]]
"""For each stratum, the values of both samples in it."""
FEWEST: Final = 5
"""Values in each sample that an interval or an outlier needs."""
MOST_EXACT: Final = 60
"""Up to this total of numbers, the rank test counts every way to deal them out."""
_RESAMPLES: Final = 1000
_SEED: Final = 1
_FAR: Final = 3.5
"""Standard deviations from the median; Iglewicz and Hoaglin recommend it."""
_MAD: Final = NormalDist().inv_cdf(0.75)
_MEAN_DEVIATION: Final = math.sqrt(2 / math.pi)
"""Both as fractions of a normal distribution's standard deviation."""


def rank_test(strata: Strata) -> float | None:
    """Return the two-sided p-value that the samples rank alike; None if nothing can be compared.

    F. Wilcoxon, "Individual comparisons by ranking methods", 1945, with the sums of all strata
    added up. It is exact for few numbers, even with ties, and uses the normal distribution for
    more.
    """
    used = [(a, b) for a, b in strata if a and b]
    if not used:
        return None
    dealt = [(_ranks([*a, *b]), len(a)) for a, b in used]
    seen = sum(sum(ranks[:m]) for ranks, m in dealt)
    total = sum(len(ranks) for ranks, _ in dealt)
    if total <= MOST_EXACT:
        return _exact(dealt, seen, total)
    mean = sum(m * (len(ranks) + 1) for ranks, m in dealt)
    squares = sum(m * (1 - m / len(ranks)) * variance(ranks) for ranks, m in dealt)
    if not squares:
        return 1.0
    z = max(0.0, abs(seen - mean) - 1) / math.sqrt(squares)
    return 2 * NormalDist().cdf(-z)


def _ranks(values: Sequence[float]) -> list[int]:
    """Return twice the rank of each value; equal values share a rank."""
    order = sorted(values)
    return [bisect_left(order, value) + bisect_right(order, value) + 1 for value in values]


def _exact(dealt: Sequence[tuple[Sequence[int], int]], seen: int, total: int) -> float:
    """Return the p-value by counting all ways to deal out the ranks, by their sum.

    The counts are the digits of one integer: adding a shifted integer deals out one more rank, and
    multiplying two integers combines their strata (generating functions: D. E. Knuth, "The Art of
    Computer Programming", section 1.2.9).
    """
    digit = total // 8 + 1
    """Bytes: no count is larger than 2 ** total."""
    ways = 1
    for ranks, m in dealt:
        by_size = [1] + [0] * m
        for rank in ranks:
            for size in range(m, 0, -1):
                by_size[size] += by_size[size - 1] << (8 * digit * rank)
        ways *= by_size[m]
    raw = ways.to_bytes((ways.bit_length() + 7) // 8 + digit, "little")
    starts = range(0, len(raw) - digit, digit)
    counts = [int.from_bytes(raw[at : at + digit], "little") for at in starts]
    low, high = sum(counts[: seen + 1]), sum(counts[seen:])
    return min(1.0, 2 * min(low, high) / sum(counts))


def change_interval(strata: Strata) -> tuple[float, float] | None:
    """Return the 95 % interval of (mean of the second / mean of the first) - 1.

    The bootstrap draws both samples again, within each stratum. Its percentiles are taken further
    out, because few numbers vary less than the population they come from (T. C. Hesterberg, "What
    Teachers Should Know About the Bootstrap", 2015, section 3.2). None with fewer than `FEWEST`
    numbers in a sample, or if the mean of the first may be zero.
    """
    sizes = [sum(map(len, side)) for side in zip(*strata, strict=True)]
    if not strata or min(sizes) < FEWEST:
        return None
    draw = random.Random(_SEED).choices
    drawn = []
    for _ in range(_RESAMPLES):
        base = sum(sum(draw(a, k=len(a))) for a, _ in strata if a) / sizes[0]
        new = sum(sum(draw(b, k=len(b))) for _, b in strata if b) / sizes[1]
        if base <= 0:
            return None
        drawn.append(new / base - 1)
    n = min(sizes)
    tail = NormalDist().cdf(-math.sqrt(n / (n - 1)) * student_above(ALPHA / 2, n - 1))
    drawn.sort()
    at = math.floor(tail * _RESAMPLES)
    return drawn[at], drawn[-1 - at]


def outliers(values: Sequence[float]) -> list[int]:
    """Return the indexes of values that are far from the median.

    Uses the modified z-score (B. Iglewicz and D. C. Hoaglin, "How to Detect and Handle Outliers",
    1993): deviations over their median, or over their mean if half of them are zero.
    """
    if len(values) < FEWEST:
        return []
    middle = median(values)
    off = [abs(value - middle) for value in values]
    spread = median(off) / _MAD or fmean(off) / _MEAN_DEVIATION
    return [index for index, one in enumerate(off) if spread and one / spread > _FAR]
