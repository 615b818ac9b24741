"""One turn of a search: whether the target held the rate, and if not, what broke.

A rate holds when every gate on a time or a fraction of the arm holds at what the turn measured, the
journeys done per second follow the arrivals, almost none is dropped and few calls fail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from mcp_perf.results.judge.drops import stands
from mcp_perf.results.judge.rule import HOLDS
from mcp_perf.results.judge.search import Range, Trial
from mcp_perf.results.judge.verdict import MOST_FAILED
from mcp_perf.results.tally.health import GeneratorLimits
from mcp_perf.results.tally.metrics import FRACTIONS, Totals, bare
from mcp_perf.results.tally.tally import RunTally
from mcp_perf.results.tally.turns import MOST_DROPPED, RecordedTurn
from mcp_perf.scenario.model.gates import METRICS, Gate

FOLLOWS: Final = 0.95
"""The share of the arrivals that have to be done in time."""
THROUGHPUT: Final = "throughput"
DROPS: Final = "drops"
ERRORS: Final = "errors"
SPARED: Final = 2
"""Journeys that may be missing whatever their share: a slow trial consists of a dozen."""
_WHOLE: Final = 0.99
_ABOUT_ERRORS: Final = frozenset({"error_rate", "success_rate"})


@dataclass(frozen=True)
class Rules:
    """What holding a rate means for one arm."""

    gates: Sequence[Gate]
    limits: GeneratorLimits
    most_failed: float = MOST_FAILED
    """Of the calls, if no gate is about errors."""

    @classmethod
    def of(cls, arm: str, gates: Sequence[Gate], limits: Mapping[str, float]) -> Self:
        """Take the gates that are about every rate that holds."""
        own = [gate for gate in gates if gate.arm == arm and searched(gate)]
        return cls(own, GeneratorLimits.of(limits), limits.get("errors", MOST_FAILED))

    @property
    def default_errors(self) -> bool:
        return not any(gate.metric in _ABOUT_ERRORS for gate in self.gates)

    def described(self) -> list[str]:
        named = [gate.text for gate in self.gates]
        named.append(f"{THROUGHPUT} at least {FOLLOWS:.0%} of the offered rate")
        named.append(f"{DROPS} at most {MOST_DROPPED:.0%} of the arrivals")
        if self.default_errors:
            named.append(f"{ERRORS} at most {100 * self.most_failed:.3g}% of the calls")
        return named


def searched(gate: Gate) -> bool:
    """Tell whether a search takes the gate for a condition of every rate that holds."""
    return gate.versus is None and METRICS[gate.metric].kind in ("time", "fraction")


def is_search(load: Mapping[str, Any]) -> bool:
    """Tell whether the load of a run's record was a search."""
    return load.get("shape") == "breakpoint"


def range_of(load: Mapping[str, Any]) -> Range:
    """Return where the search of a run's record went."""
    return Range.of(load["rate_per_s"], load["round_s"], load["rounds"])


@dataclass(frozen=True)
class Tried:
    """A trial and the numbers it rests on."""

    trial: Trial
    turn: RecordedTurn
    totals: Totals
    achieved_per_s: float


def trials(tally: RunTally, arm: str, rules: Rules) -> list[Tried]:
    """Judge the arm's turns in their order; those that were cut short are left out."""
    found: list[Tried] = []
    usual_ns: float | None = None
    for turn in tally.measured(arm):
        if not turn.finished or turn.seconds < _WHOLE * turn.started.planned_s:
            continue
        totals = Totals([turn])
        one = _tried(turn, totals, rules, usual_ns)
        found.append(one)
        [p95_ns] = totals.journey.ok.latency.percentiles([0.95])
        if not one.trial.broke_by and p95_ns is not None:
            usual_ns = p95_ns if usual_ns is None else min(usual_ns, p95_ns)
    return found


def _tried(turn: RecordedTurn, totals: Totals, rules: Rules, usual_ns: float | None) -> Tried:
    seconds = turn.started.planned_s
    achieved_per_s = _achieved_per_s(turn, totals, usual_ns)
    # A journey that failed is not missing: how many may fail is another condition.
    missing = totals.planned * (totals.success_rate or 1) - achieved_per_s * seconds
    broke_by = [gate.text for gate in rules.gates if not _holds(gate, totals)]
    if missing > max(SPARED, (1 - FOLLOWS) * totals.planned):
        broke_by.append(THROUGHPUT)
    if totals.dropped > MOST_DROPPED * totals.planned:
        broke_by.append(DROPS)
    if rules.default_errors and (totals.call.error_rate or 0) > rules.most_failed:
        broke_by.append(ERRORS)
    generator = any(share.overtaxed(rules.limits) for share in turn.shares.values())
    trial = Trial(turn.started.rate, tuple(broke_by), generator)
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


def _achieved_per_s(turn: RecordedTurn, totals: Totals, usual_ns: float | None) -> float:
    """Return the journeys done per second, of those that the target was given time for.

    Counted at the end of the turn, journeys on their way are missing: many where they take long,
    though the target keeps up. Counted when all have ended, the time for that counts, too, but for
    what a journey usually takes (95 % of those at a rate that held; where none has held yet, the
    shortest). Whichever is higher: a target that does not keep up fails by both.
    """
    in_time = totals.throughput_per_s or 0.0
    if usual_ns is None:
        usual_ns = totals.journey.ok.min_ns or 0
    observed_s = max((share.observed_s for share in turn.shares.values()), default=0.0)
    span_s = max(turn.started.planned_s, observed_s - usual_ns / 1e9)
    return max(in_time, totals.journeys_done / span_s)
