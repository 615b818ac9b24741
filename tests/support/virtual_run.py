"""Journals of simulated runs: the test chooses every number in them."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from mcp_perf.results.document.document import GateResult
from mcp_perf.results.document.part import Reason
from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.journal.records import (
    AnyRecord,
    Cell,
    Health,
    RunEnded,
    RunStarted,
    Slice,
    TurnEnded,
    TurnStarted,
)
from mcp_perf.results.judge.gates import judge
from mcp_perf.results.tally.metrics import Evidence, Totals
from mcp_perf.results.tally.tally import fold
from mcp_perf.scenario.model.gates import parse

COOL = Health(cpu_s=0.3, wall_s=1.0, lag=[10_000, 20], starts=100)


@dataclass(frozen=True)
class Round:
    """One arm's work in one round: one-step journeys, all within one second on one node."""

    ms: float = 10.0
    ok: int = 100
    failed: int = 0
    cls: str = "tool_error"
    busy_s: float = 1.0
    users: int = 1
    planned: int = 0
    dropped: int = 0
    other: Mapping[str, int] = ()
    """Calls by further classes, such as `interrupted`."""
    rate: float = 0.0
    """The level of an open load."""
    without_session: int = 0
    """Users without a session."""
    without_journey: int = 0
    """Users without a call."""
    sampled: tuple[int, int, int] = (0, 0, 0)
    """Results that were checked, that broke their schema, and that were not checked."""
    lost: int = 0
    """Calls that found their session lost and succeeded in another."""
    mended: int = 0
    """Calls that had to repair something else."""


def filled(nanoseconds: Sequence[int]) -> Histogram:
    """Give the histogram of some durations."""
    histogram = Histogram()
    for ns in nanoseconds:
        histogram.record(ns)
    return histogram


def pairs(nanoseconds: Sequence[int]) -> list[int]:
    """Give the buckets of some durations."""
    return filled(nanoseconds).pairs()


def cell(arm: str, times_ms: Sequence[float], **changes: Any) -> Cell:
    """Give the cell of calls with these durations."""
    times = [round(ms * 1e6) for ms in times_ms]
    fields = {"kind": "call", "name": "tools/call echo", "cls": "ok", "bytes_in": 10 * len(times)}
    numbers = {"n": len(times), "total_ns": sum(times), "min_ns": min(times), "max_ns": max(times)}
    return Cell(**{"arm": arm, "latency": pairs(times)} | fields | numbers | changes)


def spread(ms: float, n: int) -> list[float]:
    """Give n durations around ms, from 10 % below to 10 % above."""
    return [ms * (0.9 + 0.2 * (i + 0.5) / n) for i in range(n)]


def cells(arm: str, what: Round) -> list[Cell]:
    """Give the calls of a round, and the journeys made of them."""
    counts = {"ok": what.ok, what.cls: what.failed, **dict(what.other)}
    found = [
        cell(arm, spread(what.ms, n), kind=kind, name=name, cls=cls)
        for cls, n in counts.items()
        if n
        for kind, name in (("call", "tools/call echo"), ("journey", "say"))
    ]
    for kind, n in (("recovery", what.lost), ("healed", what.mended)):
        found += [cell(arm, spread(what.ms, n), kind=kind)] if n else []
    if any(what.sampled):
        checked = zip(("checked", "violations", "unchecked"), what.sampled, strict=True)
        found[0] = replace(found[0], **dict(checked))
    return found


def turn(
    number: int,
    arm: str,
    round_: int,
    what: Round,
    nodes: Sequence[str] = ("w1",),
    health: Health = COOL,
    at_s: float | None = None,
) -> list[AnyRecord]:
    """Give all records of one turn; every node does the same."""
    at_s = float(2 * number) if at_s is None else at_s
    phase = "round" if round_ else "warmup"
    start = TurnStarted(
        turn=number,
        arm=arm,
        phase=phase,
        round=round_,
        at_s=at_s,
        planned_s=what.busy_s,
        users=what.users,
        rate=what.rate,
    )
    slices = [
        Slice(
            node=node,
            turn=number,
            at_s=at_s,
            seconds=what.busy_s,
            cells=cells(arm, what),
            health=health,
        )
        for node in nodes
    ]
    ends = [
        TurnEnded(
            turn=number,
            node=node,
            users=what.users,
            busy_s=what.busy_s,
            planned=what.planned,
            dropped=what.dropped,
            without_session=what.without_session,
            without_journey=what.without_journey,
        )
        for node in nodes
    ]
    return [start, *slices, *ends]


def started(arms: Sequence[str] = ("control", "mcp"), **changes: Any) -> RunStarted:
    """Give the first record of a run."""
    fields: dict[str, Any] = {
        "run_id": "echo-20260101T000000Z",
        "started": "2026-01-01T00:00:00Z",
        "scenario": "echo",
        "title": "Echo",
        "scenario_text": "name: echo",
        "seed": 7,
        "arms": {arm: {"target": f"http://127.0.0.1/{arm}", "protocol": "x"} for arm in arms},
        "gates": [],
        "limits": {},
        "load": {"model": "closed", "users": 1, "think_s": [0.5, 0.5]},
        "environment": {"python": "3.11"},
    }
    return RunStarted(**fields | changes)


def journal(
    arms: Mapping[str, Sequence[Round]],
    *,
    end: str | None = "finished",
    nodes: Sequence[str] = ("w1",),
    health: Health = COOL,
    extra: Sequence[AnyRecord] = (),
    **changes: Any,
) -> list[AnyRecord]:
    """Give the journal of a run: rounds in the order A B, B A, A B …; `extra` before its end."""
    records: list[AnyRecord] = [started(list(arms), **changes)]
    number = 0
    for index in range(max(map(len, arms.values()))):
        for arm in list(arms) if index % 2 == 0 else list(arms)[::-1]:
            if index < len(arms[arm]):
                records += turn(number, arm, index + 1, arms[arm][index], nodes, health)
                number += 1
    records += extra
    if end is not None:
        records.append(RunEnded(at_s=2.0 * number, reason=end))
    return records


def evidence(records: list[AnyRecord]) -> dict[str, Evidence]:
    """Give the evidence of a run about each arm."""
    tally = fold(records)
    found = {}
    for arm in tally.arms:
        turns = tally.measured(arm)
        rounds = {turn.started.round: Totals([turn]) for turn in turns if turn.finished}
        found[arm] = Evidence(Totals(turns), rounds, tally.complete)
    return found


def judged(gate: str, **arms: list[Round]) -> GateResult:
    """Judge a gate on a run of these rounds."""
    return judge(parse(gate), evidence(journal(arms)))


def texts(reasons: Sequence[Reason]) -> list[str]:
    """Give the sentences of reasons."""
    return [reason.text for reason in reasons]


def noisy(ms: float, rounds: int, n: int = 100, noise: float = 0.02, seed: int = 1) -> list[Round]:
    """Give rounds of about this many milliseconds; their throughput is the inverse."""
    rng = random.Random(seed)
    factors = [rng.lognormvariate(0, noise) for _ in range(rounds)]
    return [Round(ms=ms * f, ok=n, busy_s=n * ms * f / 1000) for f in factors]
