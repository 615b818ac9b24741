"""Searches for the capacity of servers that are a formula: no clock, no socket."""

import heapq
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp_perf.results.journal.records import (
    AnyRecord,
    Health,
    RunEnded,
    Slice,
    TurnEnded,
    TurnStarted,
)
from mcp_perf.results.judge.search import next_rate
from mcp_perf.results.judge.trial import Rules, range_of, trials
from mcp_perf.results.tally.tally import RunTally, fold
from mcp_perf.scenario.model.gates import parse
from tests.support.virtual_run import cell, started

GRACE_S = 4.0
COOL = Health(cpu_s=0.3, wall_s=3.0, lag=[10_000, 20], starts=100)


@dataclass
class Server:
    """So many slots, each with one journey at a time, first come, first served.

    Its capacity is slots / service time; with `noise`, the service time of each turn differs.
    """

    service_s: float = 0.02
    slots: int = 4
    noise: float = 0.0
    in_flight: int = 200
    fails_above: float = float("inf")
    """A rate above which every tenth journey fails."""
    health: Callable[[float], Health] = lambda _rate: COOL
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    @property
    def capacity(self) -> float:
        """Journeys per second that it can do."""
        return self.slots / self.service_s

    def turn(self, number: int, arm: str, round_: int, rate: float, seconds: float) -> Any:
        """Give the records of a turn at a rate."""
        service_s = self.service_s * self.rng.lognormvariate(0, self.noise)
        free, ends, dropped, done = [0.0] * self.slots, [], 0, 0
        for index in range(int(rate * seconds - 1e-9) + 1):
            at_s = index / rate
            while done < len(ends) and ends[done][1] <= at_s:
                done += 1  # they end in their order: all take the same time
            if len(ends) - done >= self.in_flight:
                dropped += 1
                continue
            end = max(at_s, free[0]) + service_s
            heapq.heapreplace(free, end)
            ends.append((at_s, end))
        planned = len(ends) + dropped
        bell_s = seconds + ends[0][1]
        in_time = [(at, end) for at, end in ends if end <= bell_s]
        late = [(at, end) for at, end in ends if bell_s < end <= seconds + GRACE_S]
        cut = len(ends) - len(in_time) - len(late)
        drained_s = GRACE_S - ends[0][1] if cut else max([0.0, *(e - bell_s for _, e in late)])
        failing = rate > self.fails_above
        parts = [(in_time, bell_s, False), (late, drained_s, True)]
        phase = "round" if round_ else "warmup"
        yield TurnStarted(
            turn=number, arm=arm, phase=phase, round=round_, at_s=0.0, planned_s=seconds, rate=rate
        )
        for calls, length_s, draining in parts:
            yield Slice(
                node="w1",
                turn=number,
                at_s=0.0,
                seconds=length_s,
                cells=_cells(arm, calls, failing=failing),
                health=self.health(rate),
                draining=draining,
            )
        yield TurnEnded(
            turn=number, node="w1", users=200, busy_s=seconds, planned=planned, dropped=dropped
        )


def _cells(arm: str, calls: Sequence[tuple[float, float]], *, failing: bool) -> list[Any]:
    times = [1000 * (end - at) for at, end in calls]
    split = {"tool_error": times[::10] if failing else [], "ok": times}
    if failing:
        split["ok"] = [ms for index, ms in enumerate(times) if index % 10]
    return [
        cell(arm, some, kind=kind, name=name, cls=cls)
        for cls, some in split.items()
        if some
        for kind, name in (("call", "tools/call echo"), ("journey", "say"))
    ]


def run_record(
    arms: Iterable[str],
    gates: Sequence[str] = (),
    *,
    rate: float = 10_000.0,
    round_s: float = 3.0,
    rounds: int = 40,
    **changes: Any,
) -> Any:
    """Give the first record of a search."""
    load = {
        "model": "open",
        "shape": "breakpoint",
        "rate_per_s": rate,
        "round_s": round_s,
        "rounds": rounds,
    }
    return started(list(arms), gates=list(gates), load=load, **changes)


def search(
    servers: Mapping[str, Server],
    gates: Sequence[str] = (),
    *,
    end: str | None = "finished",
    **load: Any,
) -> list[AnyRecord]:
    """Run a search on each server, arm after arm; return the journal."""
    run = run_record(servers, gates, **load)
    records: list[AnyRecord] = [run]
    tally: RunTally = fold([run])
    number = 0
    for arm, server in servers.items():
        rules = Rules.of(arm, [parse(text) for text in gates], run.limits)
        for round_ in range(1, 1000):
            tried = [one.trial for one in trials(tally, arm, rules)]
            rate = next_rate(range_of(run.load), tried)
            if rate is None:
                break
            fresh = list(server.turn(number, arm, round_, rate, run.load["round_s"]))
            for record in fresh:
                tally.take(record)
            records += fresh
            number += 1
    if end is not None:
        records.append(RunEnded(at_s=1.0, reason=end))
    return records
