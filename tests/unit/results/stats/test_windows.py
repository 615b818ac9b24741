"""Rates over the whole window: what is served per second in steady state is what is reported."""

import heapq
import math
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import pytest

from mcp_perf.results.journal.records import AnyRecord, Health, Slice, TurnEnded, TurnStarted
from mcp_perf.results.stats.windows import Moments, stretch
from mcp_perf.results.tally.metrics import Totals
from mcp_perf.results.tally.tally import fold
from tests.support.virtual_run import cell, started

HEALTH = Health(cpu_s=0.1, wall_s=1.0)
KINDS = ("call", "journey")
Ends = Sequence[tuple[float, float]]


def arrivals(rate: float, seconds: float, gaps: random.Random | None) -> list[float]:
    """Give the starts of a round: evenly spaced, or with exponential gaps."""
    if gaps is None:
        return [index / rate for index in range(round(rate * seconds))]
    found, at_s = [], gaps.expovariate(rate)
    while at_s < seconds:
        found.append(at_s)
        at_s += gaps.expovariate(rate)
    return found


def unqueued(
    duration: Callable[[int], float], starts: Sequence[float]
) -> list[tuple[float, float]]:
    """Give starts and ends without a queue: each journey takes only its own time."""
    return [(at, at + duration(index)) for index, at in enumerate(starts)]


def queued(
    service_s: float, slots: int, starts: Sequence[float], most: int = 10**9
) -> tuple[list[tuple[float, float]], int]:
    """Give starts and ends at a server with `slots` slots, and how many were dropped."""
    free, ends, dropped = [0.0] * slots, [], 0
    for at in starts:
        if sum(end > at for _, end in ends[-most:]) >= most:
            dropped += 1
            continue
        end = max(at, free[0]) + service_s
        heapq.heapreplace(free, end)
        ends.append((at, end))
    return ends, dropped


def turn(
    number: int, seconds: float, ends: Ends, dropped: int = 0, timeout_s: float = math.inf
) -> Iterator[AnyRecord]:
    """Give the records of a turn: slices of a second, and where the time of rates is over.

    Journeys that took at least `timeout_s` got no answer.
    """
    begin = 100.0 * number
    yield TurnStarted(
        turn=number,
        arm="mcp",
        phase="round",
        round=number + 1,
        at_s=begin,
        planned_s=seconds,
        rate=len(ends) / seconds,
    )
    bell = seconds + min(end - at for at, end in ends)
    last = max(end for _, end in ends)
    edges = sorted({bell, *(0.3 + n for n in range(int(last) + 2)), 0.0})
    for low, high in pairwise(edges):
        times = [1000 * (end - at) for at, end in ends if low <= end < high]
        begun = sum(low <= at < high for at, _ in ends)
        cells = [cell("mcp", [0.01] * begun, kind="start", name="say")] if begun else []
        late = [ms for ms in times if ms >= 1000 * timeout_s]
        by_class = {"ok": [ms for ms in times if ms < 1000 * timeout_s], "timeout": late}
        cells += [
            cell("mcp", some, kind=kind, name="say", cls=cls)
            for kind in KINDS
            for cls, some in by_class.items()
            if some
        ]
        yield Slice(
            node="w1",
            turn=number,
            at_s=begin + low,
            seconds=high - low,
            cells=cells,
            health=HEALTH,
            draining=low >= bell,
        )
    yield TurnEnded(
        turn=number,
        node="w1",
        users=0,
        busy_s=seconds,
        planned=len(ends) + dropped,
        dropped=dropped,
    )


def totals(
    seconds: float, rounds: Sequence[tuple[Ends, int]], timeout_s: float = math.inf
) -> Totals:
    """Give the totals of an arm with these rounds."""
    records: list[AnyRecord] = [started(["mcp"], load={"model": "open"})]
    for number, (ends, dropped) in enumerate(rounds):
        records += turn(number, seconds, ends, dropped, timeout_s)
    return Totals(fold(records).measured("mcp"))


MIXES: dict[str, Callable[[int], float]] = {
    "all fast": lambda _: 0.001,
    "half of it 2 s long": lambda index: 2.0 * (index % 2),
    "one in ten 3 s long": lambda index: 3.0 * (index % 10 == 0),
    "all 2 s long": lambda _: 2.0,
    "all longer than the round": lambda _: 7.0,
    "from 0 to 4 s": lambda index: index * 7919 % 4000 / 1000,
    "exponential": lambda index: random.Random(index).expovariate(1.0),
}


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("mix", MIXES)
def test_promise_33_what_is_offered_and_served_is_the_rate(mix, even):
    """40/s offered and served are 40/s within 2 %, whatever the mix of durations."""
    rng = random.Random(3)
    rounds = []
    for _ in range(10):
        starts = arrivals(40, 5, None if even else rng)
        rounds.append((unqueued(MIXES[mix], starts), 0))
    offered = sum(len(ends) for ends, _ in rounds) / 50
    found = totals(5, rounds)
    assert found.throughput_per_s == pytest.approx(offered, rel=0.02)
    assert found.calls_per_s == pytest.approx(offered, rel=0.02)


@pytest.mark.parametrize("cut_off", [False, True])
def test_promise_33_journeys_that_are_unanswered_in_the_drain_take_nothing_from_others(cut_off):
    """Half of the journeys take 4 s, and one in ten is never answered: 36/s of 40/s are served.

    The unanswered ones reach their timeout of 10 s in the drain, or are cut off at its end, 17 s.
    """
    starts = arrivals(40, 5, None)

    def duration(index: int) -> float:
        hung = 17 - starts[index] if cut_off else 10.5
        return hung if index % 10 == 0 else 4.0 * (index % 2) + 0.001

    found = totals(5, [(unqueued(duration, starts), 0)] * 6, timeout_s=10)
    assert found.throughput_per_s == pytest.approx(36, rel=0.02)
    assert found.calls_per_s == pytest.approx(40, rel=0.02)
    assert found.call.error_rate == pytest.approx(0.1)


@pytest.mark.parametrize("service_s", [0.02, 0.5])
@pytest.mark.parametrize("offered", [0.5, 0.9, 1.03, 1.2, 2.0, 4.0])
def test_promise_33_a_queue_that_grows_does_not_swell_the_rate(offered, service_s):
    """A server of 40/s serves at most 40/s, however many calls it gets and drains."""
    slots = round(40 * service_s) or 1
    capacity = slots / service_s
    starts = arrivals(offered * capacity, 8, None)
    found = totals(8, [queued(service_s, slots, starts)] * 6)
    assert found.throughput_per_s == pytest.approx(min(1, offered) * capacity, rel=0.02)


def test_promise_33_dropped_arrivals_do_not_swell_the_rate():
    """Journeys in flight when arrivals are dropped were not served within the round."""
    starts = arrivals(100, 5, None)
    ends = queued(0.02, 1, starts, most=100)
    assert ends[1] > 0
    assert totals(5, [ends] * 6).throughput_per_s == pytest.approx(50, rel=0.02)


def test_too_little_data_has_no_stretch():
    """One journey, or missing ends, do not show how long serving took."""
    one, two = Moments(), Moments()
    one.add(1, 0.0, 1.0)
    two.add(2, 0.0, 1.0)
    assert stretch(one, one, 0.0) is None
    assert stretch(two, one, 0.0) is None
    assert stretch(two, two, 0.0) == 1.0
    same = Moments()
    same.add(2, 1.0, 0.0)
    assert stretch(same, same, 0.0) is None


def test_moments_are_those_of_what_lies_in_slices():
    """Moments given by slices have the mean and variance of evenly spread moments."""
    found = Moments()
    for low in range(4):
        found.add(1000, float(low), 1.0)
    assert found.total_s / found.n == pytest.approx(2.0)
    assert found.variance_s2 == pytest.approx(16 / 12)
