"""Rounds that resemble each other: how many of them count, and a line through them.

What a round leaves behind (memory, a full queue, a warm cache) affects the next rounds. Then rounds
are not independent, and the same number of them shows less.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import Final

from mcp_perf.results.stats.rounds import student_t

_MOST_ALIKE: Final = 0.99
_FEWEST_FREE: Final = 2.0
"""If values follow a curve, their distances from a line look like rounds that resemble each
other."""


def effective(left: Sequence[float]) -> float:
    """Return how many independent values show as much as these distances from a line.

    With the autocorrelation r at lag 1, n values count as n (1 - r) / (1 + r) (Santer et al.,
    "Statistical significance of trends", J. Geophys. Res. 105, 2000, equation 6). In short series r
    is (2 + 4 r) / n too small after a line was subtracted (van Giersbergen, "On the effect of
    deterministic terms on the bias in stable AR models", Economics Letters 89, 2005).
    """
    n, squares = len(left), sum(one * one for one in left)
    if not squares:
        return float(n)
    measured = sum(one * other for one, other in pairwise(left)) / squares
    r = min(_MOST_ALIKE, max(0.0, measured + (2 + 4 * measured) / n))
    return n * (1 - r) / (1 + r)


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the slope of the line of least squares, and half its 95 % interval.

    Student's t (Draper and Smith, "Applied Regression Analysis", section 1.4) takes the number of
    points that count. There must be three points, and two of them must differ in x.
    """
    mean_x, mean_y = fmean(x for x, _ in points), fmean(y for _, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    left = [y - mean_y - slope * (x - mean_x) for x, y in points]
    count = free(left)
    return slope, student_t(count) * math.sqrt(sum(one * one for one in left) / count / spread)


def free(left: Sequence[float]) -> float:
    """Return the degrees of freedom after two parameters were fitted, by the values that count."""
    return max(_FEWEST_FREE, effective(left) - 2)
