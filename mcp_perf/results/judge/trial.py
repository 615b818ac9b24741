"""One turn of a search: whether the target held the rate, and if not, what broke.

A rate holds if the turn meets every gate on a time or a fraction of the arm, the journeys done per
second follow the arrivals, and few calls fail. The load generator drops arrivals when
`max_in_flight` journeys are in flight. The target is to blame for it if its other journeys take
longer than usual or do not come back.
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
"""The share of the arrivals that must be done in time."""
THROUGHPUT: Final = "throughput"
ERRORS: Final = "errors"
SPARED: Final = 2
"""Journeys that may be missing whatever their share, because a slow trial has only a dozen."""
_WHOLE: Final = 0.99
_SLOW: Final = 2.0
"""If a typical journey takes more than this many times its usual time, the target is slow, and the
limit on journeys in flight is not to blame."""
_RECOVERED: Final = 1.5
"""The typical journey of a probe may take this many times its usual time."""
_RECOVERED_NS: Final = 10_000_000
"""It may take this much in addition: timers and a busy machine can add it to a fast answer."""


@dataclass(frozen=True)
class Rules:
    """What holding a rate means for one arm."""

    gates: Sequence[Gate]
    most_failed: float = MOST_FAILED
    """Share of the calls, if no gate is about errors."""

    @classmethod
    def of(cls, arm: str, gates: Sequence[Gate], limits: Mapping[str, float]) -> Self:
        """Return the rules of an arm: its gates that are conditions of every rate that holds."""
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
    """Tell whether a search uses the gate as a condition of every rate that holds."""
    return gate.versus is None and METRICS[gate.metric].kind in ("time", "fraction")


def finds_levels(load: Mapping[str, Any]) -> bool:
    """Tell whether the levels of a run's record depended on earlier outcomes."""
    return load.get("shape") in ("breakpoint", "doubling")


def range_of(load: Mapping[str, Any]) -> search.Range:
    """Return the range of the search of a run's record."""
    return search.Range.of(load["rate_per_s"], load["round_s"], load["rounds"])


@dataclass(frozen=True)
class Tried:
    """A trial and the numbers that it is based on."""

    trial: search.Trial
    turn: RecordedTurn
    totals: Totals
    achieved_per_s: float


def trials(tally: RunTally, arm: str, rules: Rules) -> list[Tried]:
    """Judge the arm's turns in order; turns that were cut short are left out."""
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
    # A probe is slow compared with what is usual by now, not at its time.
    probes = [] if usual_ns is None else _probes(tally, arm)
    slow = {turn.started.turn: not _has_recovered(turn, usual_ns) for turn in probes}
    for at, one in enumerate(found):
        before = [is_slow for number, is_slow in slow.items() if number < one.turn.started.turn]
        found[at] = replace(one, trial=replace(one.trial, unsettled=any(before[-1:])))
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
    """Return what the search on an arm has found."""
    made = [one.trial for one in tried]
    stuck = search.is_stuck(made, _probed(tally, arm, tried))
    return search.conclude(range_of(tally.run.load), made, stuck=stuck)


def _usual_ns(tried: Sequence[Tried], known_ns: float | None = None) -> float | None:
    """Return the p95 of a journey at the rate, among those that held, where it is the shortest."""
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
    """Tell whether the typical journey of a probe was ok, and about as fast as usual."""
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
    if full:  # the target never saw the arrivals that were dropped
        planned -= totals.dropped
        for part in asked.values():
            part.planned, part.dropped = planned, 0
    # A failed journey is not missing: another condition limits how many may fail.
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
    """Return the measured value.

    If a trial has so few calls that none can lie beyond a percentile, the percentile is the slowest
    call, and one hiccup would break the rate. Then the second slowest call counts.
    """
    fraction, ranked = FRACTIONS.get(bare(metric)), totals.ranked(metric)
    if fraction is None or ranked.n < 2 or ranked.unmeasured:
        return totals.value(metric)
    return ranked.percentile_ms(min(fraction, (ranked.n - 1) / ranked.n))


def _achieved_per_s(turn: RecordedTurn, totals: Totals, usual_ns: float) -> float:
    """Return the journeys done per second, counting journeys that the target had time for.

    A count at the end of the turn lacks the journeys in flight: many if they take long, although
    the target keeps up. A count after all have ended includes the time for that, less what a
    journey usually takes (the p95 at a rate that held, or the shortest journey if none has held
    yet). The higher of the two is returned: a target that does not keep up fails by both.
    """
    in_time = totals.throughput_per_s or 0.0
    span_s = max(turn.started.planned_s, turn.observed_s - usual_ns / 1e9)
    return max(in_time, totals.journeys_done / span_s)
