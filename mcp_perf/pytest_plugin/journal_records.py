"""A measured comparison as the journal of a run: sides are arms, each call a journey of one step.

From there on everything is as after a load run: the same statistics, gates, report and renderings.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from mcp_perf.outcomes import OK
from mcp_perf.pytest_plugin.turns import Measured, SideTurn
from mcp_perf.results.journal import records as journal
from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.tally.groups import CALL, JOURNEY

_NODE: Final = "pytest"
NO_LIMITS: Final = {
    "generator_cpu": 1e9,
    "loop_lag_p99_ms": 1e9,
    "late_starts": 1.0,
    "lost_time": 1.0,
}
"""The process that measures is, for all that runs inside it, also the one that is measured."""


def records(about: journal.RunStarted, measured: Measured) -> Iterator[journal.AnyRecord]:
    """Yield the journal of a comparison; `about` says everything but the load."""
    load = {
        "model": "closed",
        "users": 1,
        "rounds": max((turn.round for turn in measured.turns), default=0),
        "round_s": measured.round_s,
        "think_s": [0.0, 0.0],
        "order": [turn.side for turn in measured.turns],
    }
    yield replace(about, load=load)
    end_s = 0.0
    for number, turn in enumerate(measured.turns):
        yield from _turn(number, turn, measured.block[turn.side], measured.round_s)
        end_s = (turn.at_ns + turn.wall_ns) / 1e9
    yield journal.RunEnded(at_s=end_s, reason="finished")


def step_name(side: str, block: int) -> str:
    """Name what was timed: a time of several calls together is not that of a call."""
    return side if block == 1 else f"{side} (mean of {block} calls)"


def _turn(number: int, turn: SideTurn, block: int, round_s: float) -> Iterator[journal.AnyRecord]:
    at_s, busy_s = turn.at_ns / 1e9, sum(turn.blocks_ns) / 1e9
    yield journal.TurnStarted(
        turn=number,
        arm=turn.side,
        phase="round",
        round=turn.round,
        at_s=at_s,
        planned_s=round_s,
        users=1,
    )
    yield journal.Slice(
        node=_NODE,
        turn=number,
        at_s=at_s,
        seconds=turn.wall_ns / 1e9,
        cells=[_cell(kind, turn, block) for kind in (CALL, JOURNEY)],
        health=journal.Health(cpu_s=turn.cpu_ns / 1e9, wall_s=turn.wall_ns / 1e9),
    )
    calls = block * len(turn.blocks_ns)
    yield journal.TurnEnded(turn=number, node=_NODE, users=1, busy_s=busy_s, planned=calls)


def _cell(kind: str, turn: SideTurn, block: int) -> journal.Cell:
    each_ns = Counter(round(ns / block) for ns in turn.blocks_ns)
    latency = Histogram()
    for ns, count in each_ns.items():
        latency.record(ns, count * block)
    return journal.Cell(
        arm=turn.side,
        kind=kind,
        name=step_name(turn.side, block),
        cls=OK,
        n=block * len(turn.blocks_ns),
        total_ns=sum(turn.blocks_ns),
        min_ns=min(each_ns),
        max_ns=max(each_ns),
        latency=latency.pairs(),
    )
