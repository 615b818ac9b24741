"""Statistics between runs: how sure a change is that no pairing of rounds protects.

Rounds of different runs have no partners, so they are compared as two samples. Where there are runs
enough in the base to see how much runs differ, a run is the unit instead. All numbers are natural
logarithms of what was measured (or of its ratio to the control); errors are counted instead.
"""

import itertools
import math
import operator
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean, variance
from typing import Final

from mcp_perf.results.stats.rounds import ALPHA, SAME, change_needed, special, student_t

FEWEST_ROUNDS: Final = 4
"""Of each run: with three against three, not even the rarest split has a p below 0.05 (2 / 20)."""
FEWEST_RUNS: Final = 3
"""In the base, for the spread between runs to be known at all."""
USUAL_SPREAD: Final = 0.03
"""Between runs of the same thing on one machine, as a standard deviation."""
_EXPECTED_DF: Final = 4
_MOST_SPLITS: Final = 20_000
_DRAWS: Final = 10_000
_MOST_DRAWN: Final = 200
"""Rounds: beyond, a permutation test and Student's t agree."""

Logs = Sequence[float]
_Deal = Callable[[Logs], Sequence[float]]


@dataclass(frozen=True)
class Change:
    """New against base, in logarithms."""

    mean: float
    half: float
    """Half of the 95 % interval."""
    guard: float
    """The same if runs differ as much as their rounds do; what is shown has to stand that, too."""
    p: float
    needed: float
    """The smallest change whose interval leaves out none in 80 % of such runs."""


def between_rounds(base: Logs, new: Logs) -> Change:
    """Compare two samples of rounds: Welch's interval, and p by permuting which run is which.

    B. L. Welch, "The generalization of Student's problem when several different population
    variances are involved", 1947. Needs two rounds of each, which differ.
    """
    mean = fmean(new) - fmean(base)
    error, df = _welch(base, new)
    wide, wide_df = _welch(base, new, between=1.0)
    guard = student_t(wide_df) * wide
    half = student_t(df) * error
    return Change(mean, half, guard, _label_p(base, new), change_needed(error, df))


def between_runs(base: Sequence[Logs], new: Logs, usual: float) -> Change:
    """Compare a run with several: the interval holds how much runs of the base differ, too.

    Student's t for one more value from the population of the runs' means, and never narrower than
    between the rounds. Few runs know their own spread badly, so its square is averaged, weighted by
    degrees of freedom, with the one to expect: that of their rounds, and the `usual` one between
    runs (G. K. Smyth, "Linear models and empirical Bayes methods", 2004). Needs `FEWEST_RUNS`.
    """
    means = [fmean(run) for run in base]
    mean = fmean(new) - fmean(means)
    own = len(means) - 1
    expected = usual**2 + fmean(variance(run) / len(run) for run in base)
    square = (own * variance(means) + _EXPECTED_DF * expected) / (own + _EXPECTED_DF)
    runs = math.sqrt(square * (1 + 1 / len(means))), float(own + _EXPECTED_DF)
    rounds = _welch([log for run in base for log in run], new)
    error, df = max(runs, rounds, key=lambda part: student_t(part[1]) * part[0])
    p = 2 * float(special().stdtr(df, -abs(mean) / error))
    half = student_t(df) * error
    return Change(mean, half, half, p, change_needed(error, df))


def rate_difference(base: tuple[float, float], new: tuple[float, float]) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two rates, each (count, total).

    R. G. Newcombe, "Interval estimation for the difference between independent proportions", 1998,
    method 10: from Wilson's intervals of both.
    """
    rate, before = new[0] / new[1], base[0] / base[1]
    low, high = _wilson(*new)
    low_before, high_before = _wilson(*base)
    return (
        rate - before - math.hypot(rate - low, high_before - before),
        rate - before + math.hypot(high - rate, before - low_before),
    )


def _wilson(count: float, total: float) -> tuple[float, float]:
    z = float(special().ndtri(1 - ALPHA / 2))
    middle = count + z * z / 2
    half = z * math.sqrt(count * (total - count) / total + z * z / 4)
    whole = total + z * z
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def _welch(base: Logs, new: Logs, between: float = 0.0) -> tuple[float, float]:
    """Return the standard error of the difference of means, and its degrees of freedom.

    `between` is the variance between runs, as a multiple of that between rounds.
    """
    parts = [(variance(logs) * (between + 1 / len(logs)), len(logs) - 1) for logs in (base, new)]
    total = sum(part for part, _ in parts)
    return math.sqrt(total), total**2 / sum(part**2 / df for part, df in parts)


def _label_p(base: Logs, new: Logs) -> float:
    """Return the share of all ways to deal the rounds to two runs that differ as much, or more.

    Exact for few rounds, from 10 000 seeded draws for more, Student's t beyond 200.
    """
    every = [*base, *new]
    if len(every) > _MOST_DRAWN:
        error, df = _welch(base, new)
        return 2 * float(special().stdtr(df, -abs(fmean(new) - fmean(base)) / error))
    middle = fmean(every)
    centred = [log - middle for log in every]
    far = abs(sum(centred[len(base) :])) * (1 - SAME)
    deals, exact = _deals(len(every), len(new))
    hits = sum(abs(sum(deal(centred))) >= far for deal in deals)
    return hits / len(deals) if exact else (hits + 1) / (len(deals) + 1)


@cache
def _deals(total: int, chosen: int) -> tuple[list[_Deal], bool]:
    """Return ways to choose the rounds of one run, and whether these are all there are."""
    indexes = range(total)
    if math.comb(total, chosen) <= _MOST_SPLITS:
        return [
            operator.itemgetter(*deal) for deal in itertools.combinations(indexes, chosen)
        ], True
    sample = random.Random(0).sample
    return [operator.itemgetter(*sample(indexes, chosen)) for _ in range(_DRAWS)], False
