"""Statistics between runs: how sure a change is if rounds cannot be paired.

Rounds of different runs have no partners, so they are compared as two samples. If the base has
enough runs to show how much runs differ, the unit is a run instead. If each run holds both sides,
the unit is a pair. All numbers are natural logarithms of measured values (or of their ratios to
their partners); errors are counted instead.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, variance
from typing import Final

from mcp_perf.results.stats.distributions import student_above, student_tail
from mcp_perf.results.stats.mean import ALPHA
from mcp_perf.results.stats.rounds import POWER, half_width, student_t

FEWEST_RUNS: Final = 3
"""In the base; fewer do not show the spread between runs at all."""
USUAL_SPREAD: Final = 0.03
"""Between runs of the same thing on one machine, as a standard deviation."""
_EXPECTED_DF: Final = 4

Logs = Sequence[float]


@dataclass(frozen=True)
class Change:
    """New against base, in logarithms."""

    mean: float
    half: float
    """Half of the 95 % interval."""
    guard: float
    """The same if runs differ as much as their rounds do; a change must exceed this one, too."""
    p: float
    needed: float
    """The smallest change whose interval excludes zero in 80 % of such runs."""


def between_rounds(base: Logs, new: Logs) -> Change:
    """Compare two samples of rounds by Welch's interval; at least one sample must vary.

    B. L. Welch, "The generalization of Student's problem when several different population
    variances are involved", 1947; the standard errors allow for resemblance as `mean.py` does.
    """
    mean = fmean(new) - fmean(base)
    squares = [_square(logs) for logs in (base, new)]
    dfs = len(base) - 1, len(new) - 1
    wider = [square + variance(logs) for square, logs in zip(squares, (base, new), strict=True)]
    wide, wide_df = _welch(wider, dfs)
    return _change(mean, *_welch(squares, dfs), guard=student_t(wide_df) * wide)


def between_runs(base: Sequence[Logs], new: Logs, usual: float) -> Change:
    """Compare a run with several; the interval also includes how much runs of the base differ.

    It is Student's t interval for one more value from the population of the runs' means, and never
    narrower than between the rounds. Few runs show their spread badly, so its square is averaged,
    weighted by degrees of freedom, with the expected one: that of the rounds plus the `usual` one
    between runs (G. K. Smyth, "Linear models and empirical Bayes methods", 2004). `base` must have
    `FEWEST_RUNS`.
    """
    means = [fmean(run) for run in base]
    mean = fmean(new) - fmean(means)
    own = len(means) - 1
    expected = usual**2 + fmean(map(_square, base))
    square = (own * variance(means) + _EXPECTED_DF * expected) / (own + _EXPECTED_DF)
    runs = math.sqrt(square * (1 + 1 / len(means))), float(own + _EXPECTED_DF)
    every = [log for run in base for log in run]
    rounds = _welch([_square(every), _square(new)], [len(every) - 1, len(new) - 1])
    return _change(mean, *max(runs, rounds, key=lambda part: student_t(part[1]) * part[0]))


def between_pairs(means: Logs) -> Change:
    """Compare pairs of runs, with a pair as the unit; at least two pairs must differ.

    Each number is the mean of a pair's rounds, each divided by its partner. Whatever slows the
    machine for a whole pair cancels out. The difference between two starts of a process is in the
    interval ("Student", "The probable error of a mean", 1908). There must be `FEWEST_RUNS` pairs.
    """
    return _change(fmean(means), math.sqrt(variance(means) / len(means)), len(means) - 1)


def _change(mean: float, error: float, df: float, guard: float | None = None) -> Change:
    half = student_t(df) * error
    p = 2 * student_tail(abs(mean) / error, df)
    needed = half + student_above(1 - POWER, df) * error
    return Change(mean, half, half if guard is None else guard, p, needed)


def rate_difference(base: tuple[float, float], new: tuple[float, float]) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two rates, each (count, total).

    R. G. Newcombe, "Interval estimation for the difference between independent proportions", 1998,
    method 10, from Wilson's intervals of both rates.
    """
    rate, before = new[0] / new[1], base[0] / base[1]
    low, high = wilson(*new)
    low_before, high_before = wilson(*base)
    return (
        rate - before - math.hypot(rate - low, high_before - before),
        rate - before + math.hypot(high - rate, before - low_before),
    )


def wilson(count: float, total: float) -> tuple[float, float]:
    """Return the 95 % interval of a rate, after Wilson."""
    z = NormalDist().inv_cdf(1 - ALPHA / 2)
    middle = count + z * z / 2
    half = z * math.sqrt(count * (total - count) / total + z * z / 4)
    whole = total + z * z
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def _welch(squares: Sequence[float], dfs: Sequence[int]) -> tuple[float, float]:
    """Return the standard error of a difference of means, and its degrees of freedom."""
    total = sum(squares)
    parts = zip(squares, dfs, strict=True)
    return math.sqrt(total), total**2 / sum(square**2 / df for square, df in parts)


def _square(logs: Logs) -> float:
    """Return the square of the standard error of a mean of rounds."""
    return (half_width(logs) / student_t(len(logs) - 1)) ** 2
