"""Capacity searches on servers that are formulas: no clock, no socket."""

import heapq
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp_perf.load.plan.arrivals import arrivals
from mcp_perf.load.plan.schedule import Turn
from mcp_perf.load.plan.search import beginning, turns
from mcp_perf.results.journal.records import (
    AnyRecord,
    Health,
    RunEnded,
    Slice,
    TurnEnded,
    TurnStarted,
)
from mcp_perf.results.tally.tally import fold
from mcp_perf.scenario.model.load import Load
from tests.support.virtual_run import cell, started

GRACE_S = 4.0
COOL = Health(cpu_s=0.3, wall_s=3.0, lag=[10_000, 20], starts=100)
Journey = tuple[float, float, str]
"""When each turn began and ended, and how."""


@dataclass
class Server:
    """Slots with one journey at a time each, first come, first served.

    Its capacity is slots / service time; with `noise`, the service time of each turn differs.
    """

    service_s: float = 0.02
    slots: int = 4
    noise: float = 0.0
    in_flight: int = 200
    poisson: bool = False
    timeout_s: float = float("inf")
    """The time after which a client gives up; the server finishes the work all the same."""
    fails_above: float = float("inf")
    """A rate above which every tenth journey fails."""
    health: Callable[[float], Health] = lambda _rate: COOL
    seed: int = 1
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    def __post_init__(self) -> None:
        self._free = [0.0] * self.slots
        self._factor = 1.0

    @property
    def capacity(self) -> float:
        """The journeys per second that it can serve."""
        return self.slots / self.service_s

    def takes_s(self, _at_s: float) -> float:
        """Give the service time of a journey that begins now."""
        return self.service_s * self._factor

    def serve(self, at_s: float) -> tuple[float, str]:
        """Return when a journey that begins now ends, and its class."""
        begins_s = max(at_s, self._free[0])
        ends_s = begins_s + self.takes_s(begins_s)
        heapq.heapreplace(self._free, ends_s)
        return ends_s, "ok"

    def turn(self, turn: Turn, at_s: float) -> tuple[list[AnyRecord], float]:
        """Give the records of a turn that begins now, and the time when its last journey ends."""
        self._factor = self.rng.lognormvariate(0, self.noise)
        made, dropped = self._journeys(turn, at_s)
        bell_s = at_s + turn.seconds + (made[0][1] - made[0][0] if made else 0.0)
        last_s = at_s + turn.seconds + GRACE_S
        in_time = [one for one in made if one[1] <= bell_s]
        late = [one for one in made if bell_s < one[1] <= last_s]
        cut = len(made) > len(in_time) + len(late)
        ended_s = last_s if cut else max([bell_s, *(end for _, end, _ in late)])
        begun = TurnStarted(
            turn=turn.number,
            arm=turn.arm,
            phase=turn.phase,
            round=turn.round,
            at_s=at_s,
            planned_s=turn.seconds,
            rate=turn.rate,
        )
        slices = [
            Slice(
                node="w1",
                turn=turn.number,
                at_s=from_s,
                seconds=until_s - from_s,
                cells=_cells(turn.arm, some),
                health=self.health(turn.rate),
                draining=draining,
            )
            for some, from_s, until_s, draining in (
                (in_time, at_s, bell_s, False),
                (late, bell_s, ended_s, True),
            )
        ]
        ended = TurnEnded(
            turn=turn.number,
            node="w1",
            users=self.in_flight,
            busy_s=turn.seconds,
            planned=len(made) + dropped,
            dropped=dropped,
        )
        return [begun, *slices, ended], ended_s

    def _journeys(self, turn: Turn, at_s: float) -> tuple[list[Journey], int]:
        made: list[Journey] = []
        dropped = 0
        under_way: list[float] = []
        plan = arrivals(
            turn.rate, turn.seconds, poisson=self.poisson, seed=f"{self.seed}/{turn.seed}"
        )
        for index, offset_ns in enumerate(plan):
            now_s = at_s + offset_ns / 1e9
            while under_way and under_way[0] <= now_s:
                heapq.heappop(under_way)
            if len(under_way) >= self.in_flight:
                dropped += 1
                continue
            ends_s, cls = self.serve(now_s)
            if ends_s > now_s + self.timeout_s:
                ends_s, cls = now_s + self.timeout_s, "timeout"
            if turn.rate > self.fails_above and index % 10 == 0:
                cls = "tool_error"
            heapq.heappush(under_way, ends_s)
            made.append((now_s, ends_s, cls))
        return made, dropped


def _cells(arm: str, made: Sequence[Journey]) -> list[Any]:
    by_class: dict[str, list[float]] = {}
    for begun_s, ended_s, cls in made:
        by_class.setdefault(cls, []).append(1000 * (ended_s - begun_s))
    return [
        cell(arm, times, kind=kind, name=name, cls=cls)
        for cls, times in by_class.items()
        for kind, name in (("call", "tools/call echo"), ("journey", "say"))
    ]


def load(**given: Any) -> Load:
    """Read the load of a search."""
    return Load.model_validate({"shape": "breakpoint", **given})


def run_record(arms: Sequence[str], gates: Sequence[str] = (), **given: Any) -> Any:
    """Give the first record of a search."""
    read = load(**given)
    described = {
        "model": "open",
        "shape": "breakpoint",
        "rate_per_s": read.peak,
        "round_s": read.round,
        "rounds": read.rounds,
    }
    return started(list(arms), gates=list(gates), load=described)


def conduct(
    servers: Mapping[str, Server],
    gates: Sequence[str] = (),
    *,
    lost: Collection[int] = (),
    **given: Any,
) -> Iterator[tuple[Turn, list[AnyRecord]]]:
    """Run a search as a run does: each turn's records are in the tally before the next request.

    The turns in `lost` have no end. The first record is the run's, without a turn.
    """
    read, run = load(**given), run_record(list(servers), gates, **given)
    tally = fold([run])
    now_s = 0.0
    first = beginning(read, list(servers), read.most_users)
    for turn in turns(first, tally):
        now_s += turn.rest_s
        records, now_s = servers[turn.arm].turn(turn, now_s)
        records = records[: 1 if turn.number in lost else None]
        for record in records:
            tally.take(record)
        yield turn, records


def search(
    servers: Mapping[str, Server],
    gates: Sequence[str] = (),
    *,
    end: str | None = "finished",
    lost: Collection[int] = (),
    seen: list[Turn] | None = None,
    **given: Any,
) -> list[AnyRecord]:
    """Return the journal of a search; its turns are added to `seen`."""
    made = list(conduct(servers, gates, lost=lost, **given))
    if seen is not None:
        seen.extend(turn for turn, _ in made)
    ended = [RunEnded(at_s=1.0, reason=end)] if end is not None else []
    run = run_record(list(servers), gates, **given)
    return [run, *(record for _, records in made for record in records), *ended]
