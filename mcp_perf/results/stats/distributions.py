"""Student's t and the binomial distribution, both from the incomplete beta function.

SciPy has both, but is larger than everything else that mcp-perf needs. The tests compare with it.
"""

import math
from collections.abc import Callable
from functools import cache
from statistics import NormalDist
from typing import Final

_LAST: Final = 1e-15
"""The most that the last step of a continued fraction may change."""
_CLOSE: Final = 1e-11
"""The relative distance between the last two numbers that are tried."""
_LEAST: Final = 1e-300
_FARTHEST: Final = 50.0
_MOST_DF: Final = 100
_TAIL: Final = 1e-4
"""Below this, 1 minus a sum of terms has too few digits left."""


def student_tail(t: float, df: float) -> float:
    """Return the probability that Student's t with `df` degrees of freedom is above `t`.

    For a small whole `df` it is a short sum (Abramowitz and Stegun, "Handbook of Mathematical
    Functions", 26.7.3 and 26.7.4).
    """
    whole = df + t * t
    cos2 = df / whole
    if 1 < df <= _MOST_DF and df % 1 == 0:
        terms = 1.0
        for factor in _factors(int(df)):
            terms = 1 + factor * cos2 * terms
        within = t / math.sqrt(whole) * terms
        if df % 2:
            within = 2 / math.pi * (math.atan(t / math.sqrt(df)) + math.sqrt(cos2) * within)
        if within < 1 - 2 * _TAIL:
            return (1 - within) / 2
    tail = beta(df / 2, 0.5, cos2, t * t / whole) / 2
    return tail if t > 0 else 1 - tail


@cache
def student_above(tail: float, df: float) -> float:
    """Return the value that Student's t exceeds with probability `tail`, less than a half."""
    start = NormalDist().inv_cdf(1 - tail)
    return crossing(lambda t: math.log(student_tail(t, df) / tail), start)


def binomial(most: int, total: int, share: float) -> float:
    """Return the probability of at most `most` out of `total`, which is larger."""
    return beta(total - most, most + 1, 1 - share, share)


def beta_odds(a: float, b: float, share: float) -> float:
    """Return x / (1 - x) for the x that a beta distribution stays below with this probability."""
    factor = math.exp(min(_FARTHEST, 3 * math.sqrt(1 / a + 1 / b)))

    def falling(odds: float) -> float:
        return math.log(share / beta(a, b, odds / (1 + odds), 1 / (1 + odds)))

    return crossing(falling, a / b, factor)


def beta(a: float, b: float, x: float, rest: float) -> float:
    """Return the regularised incomplete beta function of x, where `rest` is 1 - x.

    Its continued fraction (NIST, "Digital Library of Mathematical Functions", 8.17.22) is evaluated
    by Lentz's method (W. H. Press et al., "Numerical Recipes", 3rd edition, sections 5.2 and 6.4).
    The relative error is below 1e-10 but grows with a + b: it is 1e-8 at a million.
    """
    if x > (a + 1) / (a + b + 2):
        return 1 - _fraction(b, a, rest, x)
    return _fraction(a, b, x, rest)


def _fraction(a: float, b: float, x: float, rest: float) -> float:
    if not x:
        return 0.0
    logs = a * math.log(x) + b * (math.log1p(-x) if x < rest else math.log(rest))
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + logs)
    up, down = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = down
    m = 0
    while abs(up * down - 1) > _LAST or not m:
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        down = 1 / (1 + even * down)
        up = 1 + even / up
        fraction *= up * down
        down = 1 / (1 + odd * down)
        up = 1 + odd / up
        fraction *= up * down
    return front * fraction / a


def crossing(falling: Callable[[float], float], start: float, factor: float = 2.0) -> float:
    """Return where a falling function of positive numbers crosses zero.

    The search moves from the start by this factor until it has crossed. Then it uses false position
    on a log scale (the Illinois algorithm: M. Dowell and P. Jarratt, 1971). 0 if there is no
    crossing.
    """
    other = start
    found = beyond = falling(start)
    while found * beyond > 0:
        start, found = other, beyond
        other = start / factor if found < 0 else start * factor
        if other < _LEAST:
            return 0.0
        beyond = falling(other)
    a, b = math.log(start), math.log(other)
    step = b - a
    while beyond and abs(step) > _CLOSE:
        middle = (a * beyond - b * found) / (beyond - found)
        new = falling(math.exp(middle))
        a, found = (b, beyond) if new * beyond < 0 else (a, found / 2)
        step, b, beyond = middle - b, middle, new
    return math.exp(b)


@cache
def _factors(df: int) -> list[float]:
    """Return the ratio of each term of the sum to the term before it, the last one first."""
    return [k / (k + 1) for k in range(df - 3, 0, -2)]
