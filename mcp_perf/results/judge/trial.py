"""One turn of a search: whether the target held the rate, and if not, what broke.

A rate holds when every gate on a time or a fraction of the arm holds at what the turn measured, the
journeys done per second follow the arrivals, and few calls fail. Arrivals are dropped by us, when
`max_in_flight` journeys are under way. Whether the target is to blame for it, its other journeys
tell: they take longer than usual, or do not come back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from mcp_perf.numbers import said
from mcp_perf.results.judge import search
from mcp_perf.results.judge.drops import stands
from mcp_perf.results.judge.rule import HOLDS
from mcp_perf.results.judge.verdict import ABOUT_ERRORS, MOST_FAILED
from mcp_perf.results.tally.metrics import FRACTIONS, Totals, bare
from mcp_perf.results.tally.tally import RunTally
from mcp_perf.results.tally.turns import MOST_DROPPED, RecordedTurn
from mcp_perf.scenario.model.gates import METRICS, Gate

FOLLOWS: Final = 0.95
"""The share of the arrivals that have to be done in time."""
THROUGHPUT: Final = "throughput"
ERRORS: Final = "errors"
SPARED: Final = 2
"""Journeys that may be missing whatever their share: a slow trial consists of a dozen."""
_WHOLE: Final = 0.99
_SLOW: Final = 2.0
"""Times as long as usual: a target whose typical journey takes that is not kept from working by the
number of journeys that we let be under way."""
_RECOVERED: Final = 1.5
"""Times as long as usual that the typical journey of a probe may take, and"""
_RECOVERED_NS: Final = 10_000_000
"""so much in addition: what timers and a busy machine make of a fast answer."""


@dataclass(frozen=True)
class Rules:
    """What holding a rate means for one arm."""

    gates: Sequence[Gate]
    most_failed: float = MOST_FAILED
    """Of the calls, if no gate is about errors."""

    @classmethod
    def of(cls, arm: str, gates: Sequence[Gate], limits: Mapping[str, float]) -> Self:
        """Take the gates that are about every rate that holds."""
        own = [gate for gate in gates if gate.focus.arm == arm and searched(gate)]
        return cls(own, limits.get("errors", MOST_FAILED))

    @property
    def default_errors(self) -> bool:
        return not any(gate.metric in ABOUT_ERRORS and not gate.focus.kind for gate in self.gates)

    def described(self) -> list[str]:
        named = [gate.text for gate in self.gates]
        named.append(f"{THROUGHPUT} at least {said(FOLLOWS, 'fraction')} of the offered rate")
        if self.default_errors:
            named.append(f"{ERRORS} at most {said(self.most_failed, 'fraction')} of the calls")
        return named


def searched(gate: Gate) -> bool:
    """Tell whether a search takes the gate for a condition of every rate that holds."""
    return gate.versus is None and METRICS[gate.metric].kind in ("time", "fraction")


def is_search(load: Mapping[str, Any]) -> bool:
    """Tell whether the load of a run's record was a search."""
    return load.get("shape") == "breakpoint"


def finds_levels(load: Mapping[str, Any]) -> bool:
    """Tell whether the levels of a run's record depended on what came of them."""
    return load.get("shape") in ("breakpoint", "doubling")


def range_of(load: Mapping[str, Any]) -> search.Range:
    """Return where the search of a run's record went."""
    return search.Range.of(load["rate_per_s"], load["round_s"], load["rounds"])


@dataclass(frozen=True)
class Tried:
    """A trial and the numbers it rests on."""

    trial: search.Trial
    turn: RecordedTurn
    totals: Totals
    achieved_per_s: float


def trials(tally: RunTally, arm: str, rules: Rules) -> list[Tried]:
    """Judge the arm's turns in their order; those that were cut short are left out."""
    found: list[Tried] = []
    usual_ns: float | None = None
    broken = tally.health.broken_turns
    for turn in tally.measured(arm):
        if not turn.finished or turn.seconds < _WHOLE * turn.started.planned_s:
            continue
        one = _tried(turn, Totals([turn]), rules, usual_ns)
        rounds = round(turn.started.planned_s / tally.run.load["round_s"])
        generator = turn.started.turn in broken
        found.append(replace(one, trial=replace(one.trial, rounds=rounds, generator=generator)))
        usual_ns = _usual_ns(found[-1:], usual_ns)
    # Whether the target was slower in a probe than it is by now.
    probes = [] if usual_ns is None else _probes(tally, arm)
    slow = {turn.started.turn: not _has_recovered(turn, usual_ns) for turn in probes}
    for at, one in enumerate(found):
        last = max((number for number in slow if number < one.turn.started.turn), default=None)
        unsettled = last is not None and slow[last]
        found[at] = replace(one, trial=replace(one.trial, unsettled=unsettled))
    return found


def next_step(tally: RunTally, arm: str, rules: Rules) -> search.NextTurn | None:
    """Return the next turn of an arm; None if its search is over."""
    within = range_of(tally.run.load)
    tried = trials(tally, arm, rules)
    made = [one.trial for one in tried]
    trial = search.next_trial(within, made)
    probes = _probed(tally, arm, tried)
    if trial is None or search.is_stuck(made, probes):
        return None
    return search.next_probe(within, made, probes) or trial


def result(tally: RunTally, arm: str, tried: Sequence[Tried]) -> search.Result:
    """Say what the search on an arm has found."""
    made = [one.trial for one in tried]
    stuck = search.is_stuck(made, _probed(tally, arm, tried))
    return search.conclude(range_of(tally.run.load), made, stuck=stuck)


def _usual_ns(tried: Sequence[Tried], known_ns: float | None = None) -> float | None:
    """Return what a journey takes at most (95 %) at the rate that held where they were fastest."""
    held = [one.totals.journey.ok.latency for one in tried if one.trial.held]
    times = [known_ns, *(latency.percentiles([0.95])[0] for latency in held)]
    return min((time for time in times if time is not None), default=None)


def _probes(tally: RunTally, arm: str) -> list[RecordedTurn]:
    return [turn for turn in tally.turns_of(arm) if turn.started.phase == "probe"]


def _probed(tally: RunTally, arm: str, tried: Sequence[Tried]) -> list[search.Probed]:
    last = tried[-1].turn.started.turn if tried else -1
    usual_ns = _usual_ns(tried)
    since = [turn for turn in _probes(tally, arm) if turn.started.turn > last]
    begun_s = since[0].started.at_s if since else 0.0
    return [
        search.Probed(_has_recovered(turn, usual_ns), turn.started.at_s + turn.observed_s - begun_s)
        for turn in since
    ]


def _has_recovered(turn: RecordedTurn, usual_ns: float | None) -> bool:
    """Tell whether the typical journey of a probe was ok, and as fast as they usually are."""
    typical_ms = Totals([turn]).value("journey_p50")
    if typical_ms is None:
        return False
    return usual_ns is None or 1e6 * typical_ms <= _RECOVERED * usual_ns + _RECOVERED_NS


def _tried(turn: RecordedTurn, totals: Totals, rules: Rules, usual_ns: float | None) -> Tried:
    usual_ns = (totals.journey.ok.min_ns or 0) if usual_ns is None else usual_ns
    achieved_per_s = _achieved_per_s(turn, totals, usual_ns)
    full = totals.dropped > MOST_DROPPED * totals.planned
    asked = {str(gate.focus): Totals([turn.within(gate.focus)]) for gate in rules.gates}
    planned = totals.planned
    if full:  # the target never heard of the arrivals that were dropped
        planned -= totals.dropped
        for part in asked.values():
            part.planned, part.dropped = planned, 0
    # A journey that failed is not missing: how many may fail is another condition.
    done = achieved_per_s * turn.started.planned_s
    missing = planned * (totals.success_rate or 1) - done
    [typical_ns] = totals.journey.ok.latency.percentiles([0.5])
    broke_by = [gate.text for gate in rules.gates if not _holds(gate, asked[str(gate.focus)])]
    if missing > max(SPARED, (1 - FOLLOWS) * planned) or (
        full and (typical_ns or 0.0) > _SLOW * usual_ns
    ):
        broke_by.append(THROUGHPUT)
    if rules.default_errors and (totals.call.error_rate or 0) > rules.most_failed:
        broke_by.append(ERRORS)
    trial = search.Trial(turn.started.rate, tuple(broke_by), own_limit=full and not broke_by)
    return Tried(trial, turn, totals, achieved_per_s)


def _holds(gate: Gate, totals: Totals) -> bool:
    value = _value(gate.metric, totals)
    if value is None or gate.value is None or not HOLDS[gate.op](value, gate.value):
        return False
    return METRICS[gate.metric].kind != "time" or stands(gate, totals)


def _value(metric: str, totals: Totals) -> float | None:
    """Return what was measured.

    Where a trial has so few calls that none can lie beyond a percentile, that is the slowest call,
    and a hiccup would break the rate: the next one is taken.
    """
    fraction = FRACTIONS.get(bare(metric))
    if fraction is None:
        return totals.value(metric)
    ranked = totals.ranked(metric)
    if ranked.n < 2 or ranked.unmeasured:
        return totals.value(metric)
    return ranked.percentile_ms(min(fraction, (ranked.n - 1) / ranked.n))


def _achieved_per_s(turn: RecordedTurn, totals: Totals, usual_ns: float) -> float:
    """Return the journeys done per second, of those that the target was given time for.

    Counted at the end of the turn, journeys on their way are missing: many where they take long,
    though the target keeps up. Counted when all have ended, the time for that counts, too, but for
    what a journey usually takes (95 % of those at a rate that held; where none has held yet, the
    shortest). Whichever is higher: a target that does not keep up fails by both.
    """
    in_time = totals.throughput_per_s or 0.0
    span_s = max(turn.started.planned_s, turn.observed_s - usual_ns / 1e9)
    return max(in_time, totals.journeys_done / span_s)
