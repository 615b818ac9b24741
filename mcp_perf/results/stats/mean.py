"""How sure the mean of rounds is, if each round may resemble the one before.

A round often resembles the one before: a busy neighbour or a warm cache outlasts it. Then there are
fewer independent rounds than rounds, and Student's interval is too narrow. The autocorrelation r
says how much they resemble each other, but a few rounds do not show it. So no single r is chosen:
each of several r has an interval of Student's t, and counts by how well it explains the rounds
(A. Zellner and G. C. Tiao, "Bayesian analysis of the regression model with autocorrelated errors",
J. Am. Stat. Assoc. 59, 1964, section 3). Rounds that go up and down together have a wide interval.
Rounds that look independent have one that is little wider than Student's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from statistics import fmean
from typing import Final

from mcp_perf.results.stats.distributions import crossing, student_above, student_tail

ALPHA: Final = 0.05
_BEFORE: Final = {
    -0.8: 0.02, -0.6: 0.15, -0.4: 0.01, -0.2: 0.07, 0.0: 0.01,
    0.2: 0.18, 0.4: 0.24, 0.6: 0.19, 0.8: 0.1, 0.9: 0.03,
}  # fmt: skip
"""The weight of each autocorrelation before any round is seen.

With these weights and `_SHARPER`, an interval contains the truth in 93 to 97 % of simulated runs,
both if rounds are independent and if r is 0.5, and ten independent rounds still find +5 % in 9 of
10 runs (docs/explanation/measurement.md). A search found these weights. Other sets are nearly as
good, and none is much better."""
_ENOUGH: Final = 10
_SHARPER: Final = 1.88
_CAREFUL: Final = 1.5
"""The exponents of the weights: with `_ENOUGH` numbers or more, and with fewer."""


@dataclass(frozen=True)
class _Fit:
    """What the rounds say about their mean if they have a certain autocorrelation."""

    weight: float
    """How well it explains the rounds; all weights together are 1."""
    offset: float
    """By how much its mean (by generalised least squares) is larger than the plain mean."""
    error: float


@dataclass(frozen=True)
class Mean:
    """The mean of at least three numbers that are not all the same, in their order."""

    numbers: Sequence[float]

    @cached_property
    def value(self) -> float:
        return fmean(self.numbers)

    @property
    def df(self) -> int:
        return len(self.numbers) - 1

    def doubt(self, distance: float) -> float:
        """Return the probability that the truth is further from the mean than `distance`."""
        return sum(
            fit.weight * student_tail((distance - side * fit.offset) / fit.error, self.df)
            for side in (1, -1)
            for fit in self._fits
        )

    def half(self, alpha: float = ALPHA) -> float:
        """Return half the interval that leaves out the truth with the probability `alpha`."""
        error = sum(fit.weight * fit.error for fit in self._fits)
        near = student_above(alpha / 2, self.df) * error
        return crossing(lambda distance: math.log(self.doubt(distance) / alpha), near, 1.2)

    @cached_property
    def _fits(self) -> list[_Fit]:
        n = len(self.numbers)
        left = [number - self.value for number in self.numbers]
        squares = math.fsum(one * one for one in left)
        lagged = math.fsum(one * other for one, other in pairwise(left))
        sharper = _SHARPER if n >= _ENOUGH else _CAREFUL
        tried = []
        for r, before in _BEFORE.items():
            worth, fall = _worth(n, r), 1 - r * r
            offset = r * (left[0] + left[-1]) / (1 + r) / worth
            ends = left[0] ** 2 + left[-1] ** 2
            rest = ((1 + r * r) * squares - r * r * ends - 2 * r * lagged) / fall
            rest -= worth * offset**2
            unlikely = self.df * math.log(fall * rest / squares) + math.log(worth)
            likely = sharper * (math.log(before) - unlikely / 2)
            tried.append(_Fit(likely, offset, math.sqrt(rest / self.df / worth)))
        best = max(fit.weight for fit in tried)
        total = sum(math.exp(fit.weight - best) for fit in tried)
        return [replace(fit, weight=math.exp(fit.weight - best) / total) for fit in tried]


def _worth(n: int, r: float) -> float:
    """Return how many independent numbers give as sure a mean as n with the autocorrelation r."""
    return (n - (n - 2) * r) / (1 + r)
