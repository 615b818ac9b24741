"""The lines of a run's progress, from its records."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from locustfiles._progress import Progress
from locustfiles._schedule import plan
from reports.histogram import Histogram
from reports.journal import Cell, Health, RunEnded, Slice, TurnEnded, TurnStarted

CALLS = 700
SECOND_NS = 10**9


def shared(node: str) -> list[Slice | TurnEnded]:
    """Return the records of one node: a second with CALLS calls, and the turn's end."""
    latency = Histogram()
    latency.record(SECOND_NS, CALLS)
    cell = Cell(
        arm="mcp",
        kind="call",
        name="tools/call echo",
        cls="ok",
        n=CALLS,
        total_ns=CALLS * SECOND_NS,
        min_ns=SECOND_NS,
        max_ns=SECOND_NS,
        latency=latency.pairs(),
    )
    health = Health(cpu_s=0.1, wall_s=1.0)
    piece = Slice(node=node, turn=0, at_s=0.0, seconds=1.0, cells=[cell], health=health)
    ended = TurnEnded(turn=0, node=node, users=1, busy_s=1.0, planned=CALLS)
    return [piece, ended]


@pytest.mark.parametrize("nodes", [["local"], ["worker 1", "worker 2", "worker 3"]])
def test_a_turn_is_one_line_with_the_rates_of_all_nodes_added_up(nodes):
    """Workers work side by side: their rates are added, and their turn ends once."""
    run = SimpleNamespace(
        watchers=[], prepared=SimpleNamespace(targets={"mcp": None}, turns=plan(["mcp"], 1, 1.0, 0))
    )
    out = io.StringIO()
    Progress(run, Console(file=out, width=200))
    started = TurnStarted(turn=0, arm="mcp", phase="round", round=1, at_s=0.0, planned_s=1.0)
    records = [started, *(record for node in nodes for record in shared(node))]
    for watch in run.watchers:
        watch([*records, RunEnded(at_s=2.0, reason="finished")])
    total = CALLS * len(nodes)
    assert out.getvalue().replace("\u202f", " ").splitlines() == [
        f"round 1 of 1  mcp: {total} calls/s, p95 1 000 ms, 0 errors in {total} calls"
    ]
