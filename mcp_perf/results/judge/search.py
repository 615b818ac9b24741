"""The search for the highest rate that a target holds, as a pure function of the trials so far.

Rates double until one breaks twice. Then the search tries the middle of the bracket (on a log
scale) until its ends are at most 5 % apart, and both ends until each has three trials. The edge is
placed so that the fewest trials contradict it: a trial that went wrong by chance is outvoted, and
the search continues where it would have been. If trials at an end disagree, rates around it are
tried until one below held three times and one above broke three times.

A long trial then repeats what short trials have found, because a target that pauses now and then
holds many short trials. If it breaks, or if short trials contradict each other near the edge, the
search continues with long trials. A long trial overrules short ones.

After a trial that broke, probes follow until the target has recovered.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mcp_perf.results.document.document import Phase
from mcp_perf.results.document.part import SearchEnd

NARROW: Final = 1.05
"""The ratio of the ends of a bracket that does not need a further trial between them."""
REPEATS: Final = 3
MOST_WRONG: Final = 2
"""How many trials may contradict the others; with more there is no edge to find."""
WIDEST: Final = 1.15
"""The largest ratio of the ends of an interval that still shows the capacity."""
RESTS_S: Final = (0.5, 3.0, 9.0, 17.0)
"""The rest before each probe, because some targets stay overloaded while they get any calls."""
MOST_WAIT_S: Final = 35.0
"""Counted from the first probe after a trial; after it, no further probe begins."""
_LONG: Final = 3
"""The fewest rounds of a long trial."""
_MANY: Final = 100
"""The fewest journeys of a long trial."""
_NEAR: Final = 2.5
"""A ratio around the edge, within which contradictions may be chance."""
_ASIDE: Final = 1.04
"""The ratio of the next rate to one at which trials disagreed."""
_FIRST_PER_S: Final = 5.0
_FEWEST_STARTS: Final = 4
"""The fewest journeys per trial; rates with fewer are not tried."""
_PROBED: Final = 5
"""The fewest journeys of a probe."""
_PROBED_SHARE: Final = 0.25
"""Share of the highest rate that held. At half of it, random arrivals begin to queue."""
_PROBE_S: Final = 0.5
_UNKNOWN_PROBES: Final = 2
"""Probes before each further trial of a target that has not held any rate yet."""


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
    """The outcome of one turn at one rate."""

    rate: float
    broke_by: tuple[str, ...] = ()
    """The conditions that the target did not meet; empty if the rate held."""
    generator: bool = False
    """The load generator did not keep up: a rate that broke shows nothing about the target."""
    own_limit: bool = False
    """As many journeys were in flight as we allow, and the target was not to blame for it."""
    unsettled: bool = False
    """The target was slower than usual before the trial: a rate that broke shows nothing."""
    rounds: int = 1
    """The length of the trial; more than one round is a long trial."""

    @property
    def held(self) -> bool:
        return not self.broke_by and not self.own_limit

    @property
    def spoiled(self) -> bool:
        """Whether the trial must be repeated."""
        return not self.held and (self.generator or self.unsettled)


@dataclass(frozen=True, slots=True)
class NextTurn:
    """A turn of a search: a trial, or a probe that shows whether the target has recovered."""

    phase: Phase
    rate: float
    seconds: float
    rest_s: float = 0.0
    """How long the target is left alone before the turn."""


@dataclass(frozen=True, slots=True)
class Probed:
    """The outcome of a probe."""

    recovered: bool
    waited_s: float
    """From the start of the first probe after the trial to the end of this one."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a search has found; `Capacity` of the document describes each outcome."""

    outcome: SearchEnd
    rate: float | None
    low: float | None
    """The highest rate, at most `rate`, that held every time."""
    high: float | None
    """The lowest rate above `rate` at which the target broke every time."""
    broke_by: tuple[str, ...]


def next_trial(within: Range, trials: Sequence[Trial]) -> NextTurn | None:
    """Return the trial to make next; None when the search is over."""
    rate, rounds = _next(within, trials)
    if rate is None or sum(trial.rounds for trial in trials) + rounds > within.most:
        return None
    return NextTurn("round", rate, rounds * within.round_s)


def next_probe(within: Range, trials: Sequence[Trial], probes: Sequence[Probed]) -> NextTurn | None:
    """Return the probe to make before the next trial; None if the trial may begin.

    `probes` are the probes since the last trial. After a rate that held there is nothing to recover
    from. A probe asks for a part of the rate that held, because a target that has lost most of its
    power can still do a little.
    """
    settled = (trials and trials[-1].held) or (probes and probes[-1].recovered)
    if settled or _in_vain(trials, probes):
        return None
    rate = max([within.first, *(_PROBED_SHARE * trial.rate for trial in trials if trial.held)])
    rest_s = RESTS_S[len(probes)] if trials or probes else 0.0
    return NextTurn("probe", rate, max(_PROBED / rate, _PROBE_S), rest_s)


def is_stuck(trials: Sequence[Trial], probes: Sequence[Probed]) -> bool:
    """Tell whether the target has held a rate, and has not recovered from the last trial."""
    return any(trial.held for trial in trials) and _in_vain(trials, probes)


def _in_vain(trials: Sequence[Trial], probes: Sequence[Probed]) -> bool:
    """Tell whether the search has waited long enough for the target.

    A target that has not held any rate may be just starting; after its first trial it gets less
    time.
    """
    if not probes or probes[-1].recovered:
        return False
    unknown = trials and not any(trial.held for trial in trials)
    most = _UNKNOWN_PROBES if unknown else len(RESTS_S)
    return len(probes) >= most or probes[-1].waited_s > MOST_WAIT_S


def counted(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials without those that must be repeated.

    If the load generator was the limit `REPEATS` times at a rate, that is the result for the rate.
    """
    sound = [trial for trial in trials if not trial.spoiled]
    known = {trial.rate for trial in sound}
    ours = [t for t in trials if t.spoiled and not t.unsettled and t.rate not in known]
    times = Counter(trial.rate for trial in ours)
    return sound + [trial for trial in ours if times[trial.rate] >= REPEATS]


def conclude(within: Range, trials: Sequence[Trial], *, stuck: bool = False) -> Result:
    """Return what the trials have shown; `stuck`: the target did not recover from the last one."""
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
        rate or None,
        low or None,
        min((rate for rate in blamed if rate >= high), default=None),
        reasons.most_common(1)[0][0] if reasons else (),
    )


def _outcome(sound: Sequence[Trial], above: Sequence[Trial], *, stuck: bool) -> SearchEnd:
    rate, above_it = _bracket(sound)
    states: list[tuple[bool, SearchEnd]] = [
        (_wrong(sound) > MOST_WRONG, "unsteady"),
        (stuck, "did_not_recover"),
        (2 * sum(trial.generator for trial in above) > len(above), "generator"),
        (2 * sum(trial.own_limit for trial in above) > len(above), "own_limit"),
        (not rate, "unsteady" if any(trial.rounds > 1 for trial in sound) else "lowest"),
        (above_it == math.inf, "held"),
        (_is_unsteady(sound), "unsteady"),
    ]
    return next((outcome for holds, outcome in states if holds), "knee")


def _next(within: Range, trials: Sequence[Trial]) -> tuple[float | None, int]:
    """Return the rate to try next (None if the search is over) and for how many rounds."""
    sound, long = _telling(within, trials)
    rate = _wanted(within, sound)
    if not long:
        return rate, 1
    low, _ = _bracket(sound)
    if rate is None and not any(one.rounds > 1 and one.rate == low for one in sound):
        rate = low
    if rate is None or not low:  # the target held short trials only
        return None, 1
    return rate, max(_LONG, math.ceil(_MANY / rate / within.round_s))


def _telling(within: Range, trials: Sequence[Trial]) -> tuple[list[Trial], bool]:
    """Return the trials that show the edge, and whether further trials must be long."""
    sound = counted(trials)
    short = [trial for trial in sound if trial.rounds == 1]
    if _wanted(within, short) is not None:
        return sound, False
    low, high = _all_alike(short) if _is_unsteady(short) else _sure(short)
    if not low or _NEAR * low < high < math.inf:
        return sound, False
    agreeing = [trial for trial in short if not low < trial.rate < high]
    long = [trial for trial in sound if trial.rounds > 1]
    broke = min((trial.rate for trial in long if not trial.held), default=math.inf)
    held = max((trial.rate for trial in long if trial.held), default=0.0)
    left = [one for one in agreeing if (one.rate < broke if one.held else one.rate > held)]
    return left + long, True


def _is_unsteady(trials: Sequence[Trial]) -> bool:
    (sure_low, sure_high), (low, high) = _sure(trials), _bracket(trials)
    wide = sure_high > WIDEST * sure_low and low > 0 and high < math.inf
    return wide or _wrong(trials) > MOST_WRONG


def _by_target(trial: Trial) -> bool:
    return not trial.own_limit and not trial.generator


def _wanted(within: Range, trials: Sequence[Trial]) -> float | None:
    if not trials:
        return within.first
    if _wrong(trials) > MOST_WRONG:
        return None  # more trials would only add contradictions
    low, high = _bracket(trials)
    if high < math.inf and sum(not trial.held for trial in trials) == 1:
        return high  # perhaps a hiccup; finding that out later would take many trials
    if high == math.inf and low < within.highest:
        return min(2 * low, within.highest)
    if low == 0 and high > within.lowest:
        return max(high / 2, within.lowest)
    if low > 0 and NARROW * low < high < math.inf:
        return _readable(math.sqrt(low * high))
    return _too_few(trials, low, high) or _aside(within, trials)


def _too_few(trials: Sequence[Trial], *ends: float) -> float | None:
    """Return the end of a bracket that was tried too few times; None if neither was."""
    tried = Counter(trial.rate for trial in trials)
    few = [rate for rate in ends if 0 < tried[rate] < REPEATS]
    return min(few, key=tried.__getitem__, default=None)


def _aside(within: Range, trials: Sequence[Trial]) -> float | None:
    """Return a rate next to an end at which trials disagreed; None if they agreed at both."""
    low, high = _bracket(trials)
    sure_low, sure_high = _sure(trials)
    rates = {trial.rate for trial in trials}
    if sure_low < low:
        lowest = min(rate for rate in rates if sure_low < rate <= low)
        edge = _readable(lowest / _ASIDE)
        if edge >= within.lowest and edge > sure_low:
            return edge
    if high < sure_high:
        highest = max(rate for rate in rates if high <= rate < sure_high)
        edge = _readable(highest * _ASIDE)
        if edge <= within.highest and edge < sure_high:
            return edge
    return _too_few(trials, sure_low, sure_high)


def _sure(trials: Sequence[Trial]) -> tuple[float, float]:
    """Return the ends of the bracket, moved outwards to rates where every trial held, or broke."""
    low, high = _bracket(trials)
    held, broke = _outcomes(trials)
    return (
        max((rate for rate in held - broke if rate <= low), default=0.0),
        min((rate for rate in broke - held if rate >= high), default=math.inf),
    )


def _all_alike(trials: Sequence[Trial]) -> tuple[float, float]:
    """Return the rate up to which every trial held, and the rate from which every trial broke."""
    held, broke = _outcomes(trials)
    return (
        max((rate for rate in held if rate < min(broke, default=math.inf)), default=0.0),
        min((rate for rate in broke if rate > max(held, default=0.0)), default=math.inf),
    )


def _outcomes(trials: Sequence[Trial]) -> tuple[set[float], set[float]]:
    """Return the rates that held at least once, and those that broke at least once."""
    held = {trial.rate for trial in trials if trial.held}
    return held, {trial.rate for trial in trials if not trial.held}


def _often_alike(trials: Sequence[Trial]) -> tuple[float, float]:
    """Return the ends of `_all_alike`, each only if enough trials show it."""
    low, high = _all_alike(trials)
    below = sum(trial.rate <= low for trial in trials)
    above = sum(trial.rate >= high for trial in trials)
    return low if below >= REPEATS else 0.0, high if above >= REPEATS else math.inf


def _errors(trials: Sequence[Trial]) -> tuple[list[float], list[int]]:
    """Return the rates, and how many trials contradict an edge below each of them or above all."""
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


def _bracket(trials: Sequence[Trial]) -> tuple[float, float]:
    """Return the neighbouring rates between which the knee contradicts the fewest trials.

    The lowest such pair is returned, because a rate that is said to hold should hold. An end is 0
    or infinite if the knee is below, or above, all rates that were tried.
    """
    rates, wrong = _errors(trials)
    index = wrong.index(min(wrong))
    ends = [0.0, *rates, math.inf]
    return ends[index], ends[index + 1]


def _readable(rate: float) -> float:
    return float(f"{rate:.3g}")
