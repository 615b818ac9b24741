"""The search for the highest rate that a target holds, as a pure function of what was tried.

Rates double until one breaks, and breaks again. Then the middle of the bracket (on a log scale) is
tried until its ends are at most 5 % apart, and both ends until each has three trials. A rate is
taken to hold or to break so that the fewest trials contradict: a trial that was wrong by chance is
outvoted, and the search goes on where it should have.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

NARROW: Final = 1.05
"""The ends of a bracket that need no further trial between them, as a ratio."""
REPEATS: Final = 3
_FIRST_PER_S: Final = 5.0
_FEWEST_STARTS: Final = 4
"""Journeys per trial, below which a rate is not tried."""

SearchEnd = Literal["knee", "held", "lowest", "generator", "unfinished"]


@dataclass(frozen=True, slots=True)
class Range:
    """Where to search. Rates are journeys per second."""

    first: float
    lowest: float
    highest: float
    most: int
    """Trials."""

    @classmethod
    def of(cls, highest: float, trial_s: float, most: int) -> "Range":
        lowest = min(_FEWEST_STARTS / trial_s, highest)
        return cls(max(lowest, min(_FIRST_PER_S, highest)), lowest, highest, most)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one turn at one rate."""

    rate: float
    broke_by: tuple[str, ...] = ()
    """The conditions that were not met; none where the rate held."""
    generator: bool = False
    """The load generator itself did not keep up: a rate that broke says nothing of the target."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a search has found."""

    outcome: SearchEnd
    """`knee`; `held` even at the highest rate; `lowest`: not even that one did; `generator`: it was
    the limit; `unfinished`: more trials were needed."""
    rate: float | None
    """The highest rate that held, by the majority of its trials."""
    low: float | None
    """The highest rate, not above it, that held every time."""
    high: float | None
    """The lowest rate above it that the target broke every time."""
    broke_by: tuple[str, ...]
    """What was not met just above it."""


def next_rate(within: Range, trials: Sequence[Trial]) -> float | None:
    """Return the rate to try next; None when the search is over."""
    return _wanted(within, trials) if len(trials) < within.most else None


def conclude(within: Range, trials: Sequence[Trial]) -> Result:
    """Say what the trials have shown."""
    low, high = _bracket(trials)
    above = [trial for trial in trials if trial.rate == high and trial.broke_by]
    ours = sum(trial.generator for trial in above)
    if _wanted(within, trials) is not None:
        outcome: SearchEnd = "unfinished"
    elif 2 * ours > len(above):
        outcome = "generator"
    elif low is None:
        outcome = "lowest"
    else:
        outcome = "held" if high is None else "knee"
    held = {trial.rate for trial in trials} - {trial.rate for trial in trials if trial.broke_by}
    spared = {trial.rate for trial in trials if not trial.broke_by or trial.generator}
    broken = {trial.rate for trial in trials} - spared
    reasons = Counter(trial.broke_by for trial in above if not trial.generator)
    return Result(
        outcome,
        low,
        max((rate for rate in held if low is not None and rate <= low), default=None),
        min((rate for rate in broken if high is not None and rate >= high), default=None),
        reasons.most_common(1)[0][0] if reasons else (),
    )


def _wanted(within: Range, trials: Sequence[Trial]) -> float | None:
    if not trials:
        return within.first
    low, high = _bracket(trials)
    if high is not None and sum(bool(trial.broke_by) for trial in trials) == 1:
        return high  # a hiccup, perhaps; to find that out later would take many trials
    if high is None and low is not None and low < within.highest:
        return min(2 * low, within.highest)
    if low is None and high is not None and high > within.lowest:
        return max(high / 2, within.lowest)
    if low is not None and high is not None and high > NARROW * low:
        return _middle(low, high)
    tried = Counter(trial.rate for trial in trials)
    ends = [rate for rate in (low, high) if rate is not None and tried[rate] < REPEATS]
    return min(ends, key=tried.__getitem__, default=None)


def _bracket(trials: Sequence[Trial]) -> tuple[float | None, float | None]:
    """Return the neighbouring rates between which the fewest trials see the knee as misplaced.

    Of several such rates the lowest, for what is claimed to hold should. None where the knee is
    below, or above, all that was tried.
    """
    rates = sorted({trial.rate for trial in trials})
    held = Counter(trial.rate for trial in trials if not trial.broke_by)
    broke = Counter(trial.rate for trial in trials if trial.broke_by)
    wrong = [sum(held.values())]
    for rate in rates:
        wrong.append(wrong[-1] - held[rate] + broke[rate])
    index = wrong.index(min(wrong))
    ends = [None, *rates, None]
    return ends[index], ends[index + 1]


def _middle(low: float, high: float) -> float:
    """Return the geometric mean, in three digits that people can read."""
    return float(f"{math.sqrt(low * high):.3g}")
