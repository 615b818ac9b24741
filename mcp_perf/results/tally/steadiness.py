"""Whether an arm did the same in all its rounds: what changed, by the statistics on drift."""

import math
from collections.abc import Iterator

from mcp_perf.results.document.comparison import STEADY, Drift, Steady
from mcp_perf.results.stats import drift as stats
from mcp_perf.results.tally.metrics import Evidence, Totals


def drifts(evidence: Evidence) -> list[Drift]:
    """Return how the time of journeys and their rate changed over the finished rounds.

    All rounds must have the same level. The list lacks a metric that has no value in a round, and
    is empty if there are too few rounds.
    """
    return [found for metric in STEADY for found in _drifts(evidence, metric)]


def may_change(evidence: Evidence) -> float:
    """Return the most by which they may have changed, as a fraction.

    A failed journey could have been the fastest of its round as well as the slowest. Infinite if
    a round does not bound the change.
    """
    changes = []
    for metric in STEADY:
        ends = [
            sorted(_log(_value(part, metric, first=first)) for first in (True, False))
            for part in evidence.rounds.values()
        ]
        if not all(math.isfinite(end) for both in ends for end in both):
            return math.inf
        changes.append(stats.farthest([low for low, _ in ends], [high for _, high in ends]))
    return math.expm1(max(changes))


def _drifts(evidence: Evidence, metric: Steady) -> Iterator[Drift]:
    logs = [_log(_value(part, metric, first=False)) for part in evidence.rounds.values()]
    if len(logs) < stats.FEWEST_ROUNDS or not all(map(math.isfinite, logs)):
        return
    line, step = stats.drift(logs), stats.step(logs)
    yield _drift(metric, line, None, len(logs))
    if step.shown:
        yield _drift(metric, step, list(evidence.rounds)[step.after - 1], len(logs))


def _drift(metric: Steady, shift: stats.Shift, after_round: int | None, rounds: int) -> Drift:
    return Drift(
        metric=metric,
        change=math.expm1(shift.mean),
        ci95=(math.expm1(shift.mean - shift.half), math.expm1(shift.mean + shift.half)),
        after_round=after_round,
        rounds=rounds,
    )


def _value(part: Totals, metric: Steady, *, first: bool) -> float | None:
    """Return a metric of a round; with `first`, as if failed journeys had been done at once.

    In an open load, journeys done are divided by journeys planned, because by chance more journeys
    begin in one round than in another.
    """
    if metric == "journey_p50":
        return part.value(metric, first=first)
    rate = (part.throughput_per_s or 0.0) / ((part.planned or 1) if part.is_open else 1)
    ok = part.success_rate
    return rate / ok if first and ok else rate


def _log(value: float | None) -> float:
    return math.inf if value is None else math.log(value) if value > 0 else -math.inf
