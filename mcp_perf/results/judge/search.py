"""The search for the highest rate that a target holds, as a pure function of what was tried.

Rates double until one breaks, and breaks again. Then the middle of the bracket (on a log scale) is
tried until its ends are at most 5 % apart, and both ends until each has three trials. A rate is
taken to hold or to break so that the fewest trials contradict: a trial that was wrong by chance is
outvoted, and the search goes on where it should have. Around an end that did not do the same every
time, rates are tried until one below held three times, and one above broke three times.

What short trials have found is tried once more by a long one: a target that pauses now and then
holds many a short trial. If it breaks, or if short trials contradict each other near the edge, the
search goes on with long ones. A long trial overrules short ones.

A trial that broke is followed by probes, until the target is what it was before.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mcp_perf.results.document.document import Phase
from mcp_perf.results.document.part import SearchEnd

NARROW: Final = 1.05
"""The ends of a bracket that need no further trial between them, as a ratio."""
REPEATS: Final = 3
MOST_WRONG: Final = 2
"""Trials that may contradict the others; beyond that there is no edge to be found."""
WIDEST: Final = 1.15
"""The ends of an interval, as a ratio, that still tell the capacity."""
RESTS_S: Final = (0.5, 3.0, 9.0, 17.0)
"""Before each probe: what is overloaded for good as long as it is asked gets some rest."""
MOST_WAIT_S: Final = 35.0
"""From the first probe after a trial; beyond it no further one begins."""
_LONG: Final = 3
"""Rounds of a long trial, at least, and"""
_MANY: Final = 100
"""its journeys, at least."""
_NEAR: Final = 2.5
"""Around the edge, as a ratio: what contradicts within it may be chance."""
_ASIDE: Final = 1.04
"""How far from a rate that did not do the same every time the next one is tried, as a ratio."""
_FIRST_PER_S: Final = 5.0
_FEWEST_STARTS: Final = 4
"""Journeys per trial, below which a rate is not tried."""
_PROBED: Final = 5
"""Journeys of a probe, at least."""
_PROBED_SHARE: Final = 0.25
"""Of the highest rate that held. At half of it journeys that come at random begin to queue."""
_PROBE_S: Final = 0.5
_UNKNOWN_PROBES: Final = 2
"""Before each further trial of a target that has not held any rate yet."""


@dataclass(frozen=True, slots=True)
class Range:
    """Where to search. Rates are journeys per second."""

    first: float
    lowest: float
    highest: float
    most: int
    """Rounds of all trials together."""
    round_s: float

    @classmethod
    def of(cls, highest: float, round_s: float, most: int) -> "Range":
        lowest = min(_FEWEST_STARTS / round_s, highest)
        return cls(max(lowest, min(_FIRST_PER_S, highest)), lowest, highest, most, round_s)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one turn at one rate."""

    rate: float
    broke_by: tuple[str, ...] = ()
    """The conditions that the target did not meet; none where the rate held."""
    generator: bool = False
    """The load generator itself did not keep up: a rate that broke says nothing of the target."""
    own_limit: bool = False
    """So many journeys were in flight as we allow, and the target was not to blame for it."""
    unsettled: bool = False
    """The target was slower before it than usual: a rate that broke says nothing."""
    rounds: int = 1
    """How long it was; more than one is a long trial."""

    @property
    def held(self) -> bool:
        return not self.broke_by and not self.own_limit

    @property
    def spoiled(self) -> bool:
        """Whether it is to be repeated."""
        return not self.held and (self.generator or self.unsettled)


@dataclass(frozen=True, slots=True)
class NextTurn:
    """A turn of a search: a trial, or a probe that tells whether the target has recovered."""

    phase: Phase
    rate: float
    seconds: float
    rest_s: float = 0.0
    """How long the target is left alone before."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of a probe."""

    recovered: bool
    waited_s: float
    """From the start of the first probe after the trial to the end of this one."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a search has found; `Capacity` of the document says what each outcome is."""

    outcome: SearchEnd
    rate: float | None
    low: float | None
    """The highest rate, not above it, that held every time."""
    high: float | None
    """The lowest rate above it that the target broke every time."""
    broke_by: tuple[str, ...]


def next_trial(within: Range, trials: Sequence[Trial]) -> NextTurn | None:
    """Return the trial to make next; None when the search is over."""
    rate, rounds = _next(within, trials)
    if rate is None or sum(trial.rounds for trial in trials) + rounds > within.most:
        return None
    return NextTurn("round", rate, rounds * within.round_s)


def next_probe(within: Range, trials: Sequence[Trial], probes: Sequence[Probed]) -> NextTurn | None:
    """Return the probe to make before the next trial; None if that may begin.

    `probes` are those since the last trial. A rate that held leaves nothing to recover from. What
    is asked is a part of what held: a target that has lost most of its power still does a little.
    """
    if trials and trials[-1].held:
        return None
    if probes and (probes[-1].recovered or _in_vain(trials, probes)):
        return None
    rate = max([within.first, *(_PROBED_SHARE * trial.rate for trial in trials if trial.held)])
    rest_s = RESTS_S[len(probes)] if trials or probes else 0.0
    return NextTurn("probe", rate, max(_PROBED / rate, _PROBE_S), rest_s)


def is_stuck(trials: Sequence[Trial], probes: Sequence[Probed]) -> bool:
    """Tell whether the target held something, and has not recovered from the last trial."""
    return any(trial.held for trial in trials) and _in_vain(trials, probes)


def _in_vain(trials: Sequence[Trial], probes: Sequence[Probed]) -> bool:
    """Tell whether the target was waited for long enough.

    One that has held nothing yet may be just starting; after its first trial it gets less time.
    """
    if not probes or probes[-1].recovered:
        return False
    unknown = trials and not any(trial.held for trial in trials)
    most = _UNKNOWN_PROBES if unknown else len(RESTS_S)
    return len(probes) >= most or probes[-1].waited_s > MOST_WAIT_S


def counted(trials: Sequence[Trial]) -> list[Trial]:
    """Leave out the trials that are to be repeated.

    Where the load generator was the limit as often as a rate is tried at all, that is what is known
    of the rate.
    """
    sound = [trial for trial in trials if not trial.spoiled]
    known = {trial.rate for trial in sound}
    ours = [t for t in trials if t.spoiled and not t.unsettled and t.rate not in known]
    times = Counter(trial.rate for trial in ours)
    return sound + [trial for trial in ours if times[trial.rate] >= REPEATS]


def conclude(within: Range, trials: Sequence[Trial], *, stuck: bool = False) -> Result:
    """Say what the trials have shown; `stuck` is a target that did not recover from the last."""
    sound, _ = _telling(within, trials)
    rate, above_it = _bracket(sound)
    above = [trial for trial in sound if trial.rate == above_it and not trial.held]
    over = _next(within, trials)[0] is None
    reasons = Counter(trial.broke_by for trial in above if _by_target(trial))
    low, high = _sure(sound) if _wrong(sound) <= MOST_WRONG else _often_alike(sound)
    ours = {trial.rate for trial in sound if trial.held or not _by_target(trial)}
    blamed = {trial.rate for trial in sound} - ours
    return Result(
        "unfinished" if not over and not stuck else _outcome(sound, above, stuck=stuck),
        rate,
        low,
        min((rate for rate in blamed if high is not None and rate >= high), default=None),
        reasons.most_common(1)[0][0] if reasons else (),
    )


def _outcome(sound: Sequence[Trial], above: Sequence[Trial], *, stuck: bool) -> SearchEnd:
    rate, above_it = _bracket(sound)
    states: list[tuple[bool, SearchEnd]] = [
        (_wrong(sound) > MOST_WRONG, "unsteady"),
        (stuck, "did_not_recover"),
        (2 * sum(trial.generator for trial in above) > len(above), "generator"),
        (2 * sum(trial.own_limit for trial in above) > len(above), "own_limit"),
        (rate is None, "unsteady" if any(trial.rounds > 1 for trial in sound) else "lowest"),
        (above_it is None, "held"),
        (_is_unsteady(sound), "unsteady"),
    ]
    return next((outcome for holds, outcome in states if holds), "knee")


def _next(within: Range, trials: Sequence[Trial]) -> tuple[float | None, int]:
    """Return the rate to try next, None if all is known, and for how many rounds."""
    sound, long = _telling(within, trials)
    rate = _wanted(within, sound)
    if not long:
        return rate, 1
    low, _ = _bracket(sound)
    if rate is None and not any(one.rounds > 1 and one.rate == low for one in sound):
        rate = low
    if rate is None or low is None:  # it held short trials only
        return None, 1
    return rate, max(_LONG, math.ceil(_MANY / rate / within.round_s))


def _telling(within: Range, trials: Sequence[Trial]) -> tuple[list[Trial], bool]:
    """Return the trials that show the edge, and whether further ones are to be long."""
    sound = counted(trials)
    short = [trial for trial in sound if trial.rounds == 1]
    if _wanted(within, short) is not None:
        return sound, False
    low, high = _all_alike(short) if _is_unsteady(short) else _sure(short)
    if low is None or (high or 0.0) > _NEAR * low:
        return sound, False
    agreeing = [trial for trial in short if not low < trial.rate < (high or math.inf)]
    long = [trial for trial in sound if trial.rounds > 1]
    broke = min((trial.rate for trial in long if not trial.held), default=math.inf)
    held = max((trial.rate for trial in long if trial.held), default=0.0)
    left = [one for one in agreeing if (one.rate < broke if one.held else one.rate > held)]
    return left + long, True


def _is_unsteady(trials: Sequence[Trial]) -> bool:
    low, high = _sure(trials)
    wide = low is None or high is None or high > WIDEST * low
    return _wrong(trials) > MOST_WRONG or (wide and None not in _bracket(trials))


def _by_target(trial: Trial) -> bool:
    return not trial.own_limit and not trial.generator


def _wanted(within: Range, trials: Sequence[Trial]) -> float | None:
    if not trials:
        return within.first
    if _wrong(trials) > MOST_WRONG:
        return None  # more trials only add to what contradicts
    low, high = _bracket(trials)
    if high is not None and sum(not trial.held for trial in trials) == 1:
        return high  # a hiccup, perhaps; to find that out later would take many trials
    if high is None and low is not None and low < within.highest:
        return min(2 * low, within.highest)
    if low is None and high is not None and high > within.lowest:
        return max(high / 2, within.lowest)
    if low is not None and high is not None and high > NARROW * low:
        return _readable(math.sqrt(low * high))
    return _too_few(trials, low, high) or _aside(within, trials)


def _too_few(trials: Sequence[Trial], *ends: float | None) -> float | None:
    """Return the end of a bracket with fewer trials than it needs; None if there is none."""
    tried = Counter(trial.rate for trial in trials)
    few = [rate for rate in ends if rate is not None and tried[rate] < REPEATS]
    return min(few, key=tried.__getitem__, default=None)


def _aside(within: Range, trials: Sequence[Trial]) -> float | None:
    """Return a rate next to an end that did not do the same every time; None if both did."""
    low, high = _bracket(trials)
    sure_low, sure_high = _sure(trials)
    rates = {trial.rate for trial in trials}
    if low is not None and sure_low != low:
        lowest = min(rate for rate in rates if (sure_low or 0.0) < rate <= low)
        edge = _readable(lowest / _ASIDE)
        if edge >= within.lowest and (sure_low is None or sure_low < edge):
            return edge
    if high is not None and sure_high != high:
        highest = max(rate for rate in rates if high <= rate < (sure_high or math.inf))
        edge = _readable(highest * _ASIDE)
        if edge <= within.highest and (sure_high is None or sure_high > edge):
            return edge
    return _too_few(trials, sure_low if low else None, sure_high if high else None)


def _sure(trials: Sequence[Trial]) -> tuple[float | None, float | None]:
    """Return the ends of the bracket, each moved to where every trial held, or broke."""
    low, high = _bracket(trials)
    held = {trial.rate for trial in trials if trial.held}
    broke = {trial.rate for trial in trials if not trial.held}
    return (
        max((rate for rate in held - broke if low is not None and rate <= low), default=None),
        min((rate for rate in broke - held if high is not None and rate >= high), default=None),
    )


def _all_alike(trials: Sequence[Trial]) -> tuple[float | None, float | None]:
    """Return up to which rate every trial held, and from which on every one broke."""
    held = {trial.rate for trial in trials if trial.held}
    broke = {trial.rate for trial in trials if not trial.held}
    return (
        max((rate for rate in held if rate < min(broke, default=math.inf)), default=None),
        min((rate for rate in broke if rate > max(held, default=0.0)), default=None),
    )


def _often_alike(trials: Sequence[Trial]) -> tuple[float | None, float | None]:
    """Return the same, if that was more than chance."""
    low, high = _all_alike(trials)
    below = [trial for trial in trials if low is not None and trial.rate <= low]
    above = [trial for trial in trials if high is not None and trial.rate >= high]
    return low if len(below) >= REPEATS else None, high if len(above) >= REPEATS else None


def _errors(trials: Sequence[Trial]) -> tuple[list[float], list[int]]:
    """Return the rates, and how many trials contradict an edge below each, or above all."""
    rates = sorted({trial.rate for trial in trials})
    held = Counter(trial.rate for trial in trials if trial.held)
    broke = Counter(trial.rate for trial in trials if not trial.held)
    wrong = [sum(held.values())]
    for rate in rates:
        wrong.append(wrong[-1] - held[rate] + broke[rate])
    return rates, wrong


def _wrong(trials: Sequence[Trial]) -> int:
    """Return how many trials contradict the others, wherever the edge is."""
    return min(_errors(trials)[1])


def _bracket(trials: Sequence[Trial]) -> tuple[float | None, float | None]:
    """Return the neighbouring rates between which the fewest trials see the knee as misplaced.

    Of several such rates the lowest, for what is claimed to hold should. None where the knee is
    below, or above, all that was tried.
    """
    rates, wrong = _errors(trials)
    index = wrong.index(min(wrong))
    ends = [None, *rates, None]
    return ends[index], ends[index + 1]


def _readable(rate: float) -> float:
    return float(f"{rate:.3g}")
