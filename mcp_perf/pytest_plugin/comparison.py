"""Turns the measurement of a comparison into a run's journal, whose arms are the sides.

Each call is a journey of one step. Everything after that is as after a load run: the same
statistics, gates, report and renderings.
"""

import copy
import importlib.metadata
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mcp_perf import folders
from mcp_perf.load.prepare import machine
from mcp_perf.outcomes import OK
from mcp_perf.pytest_plugin.turns import Measured, SideTurn
from mcp_perf.results.document.document import Report
from mcp_perf.results.journal import records as journal
from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.journal.journal import JournalWriter
from mcp_perf.results.journal.records import RunStarted
from mcp_perf.results.journal.redact import Redactor
from mcp_perf.results.render.files.write import write_all
from mcp_perf.results.report.build import JOURNAL, build, load_report
from mcp_perf.results.tally.groups import CALL, JOURNEY
from mcp_perf.scenario.model.gates import Gate

FORMATS: Final = ("html", "json", "md")
_NODE: Final = "pytest"
NO_LIMITS: Final = {
    **dict.fromkeys(("generator_cpu", "loop_lag_p99_ms"), 1e9),
    **dict.fromkeys(("late_starts", "lost_time"), 1.0),
}
"""The process that measures is also the one that is measured, for all that runs inside it."""
_OF_WHOLE_BLOCKS: Final = frozenset(
    ("mean", "p50", "journey_mean", "journey_p50", "throughput", "calls_per_s")
)
_NO_NAME: Final = re.compile(r"[^\w.+-]+")


def describe(
    benchmark: str, title: str, measured: Measured, gates: Iterable[Gate], info: Mapping[str, Any]
) -> RunStarted:
    """Describe a comparison that ends now; `info` becomes a part of its environment."""
    now = datetime.now(UTC)
    return RunStarted(
        run_id=f"{file_name(benchmark)}-{now:%Y%m%dT%H%M%SZ}",
        started=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        scenario=benchmark,
        title=title,
        scenario_text="",
        seed=0,
        arms={side: {"target": f"{benchmark}: {side}"} for side in measured.block},
        gates=[gate.text for gate in gates],
        limits=NO_LIMITS,
        load={
            "model": "closed",
            "users": 1,
            "rounds": max((turn.round for turn in measured.turns), default=0),
            "round_s": measured.round_s,
            "think_s": [0.0, 0.0],
            "order": [turn.side for turn in measured.turns],
        },
        environment={
            **machine.environment(),
            "pytest_benchmark": importlib.metadata.version("pytest-benchmark"),
            **info,
        },
    )


def report_of(
    about: RunStarted, measured: Measured, folder: Path | None
) -> tuple[Report, Path | None]:
    """Build the report, and write it and its journal to a new folder in `folder`, if any.

    Return the report, and the new folder. Raises OSError.
    """
    if folder is None:
        return build(records(about, measured)), None
    own = new_folder(folder / file_name(about.scenario))
    writer = JournalWriter(own / JOURNAL, Redactor())
    for record in records(about, measured):
        writer.write(record)
    writer.close()
    report, samples = load_report(own)
    write_all(report, samples, own, FORMATS)
    return report, own


def file_name(benchmark: str) -> str:
    """Return a name that every file system accepts."""
    return _NO_NAME.sub("-", benchmark).strip("-")


def too_fine(gates: Iterable[Gate], block: Mapping[str, int]) -> list[str]:
    """Say which gate asks for the tail of calls that were too short to be timed one by one.

    Such a block has one time, the mean of its calls. The tail of these means does not show the tail
    of the calls.
    """
    return [
        f"{gate.text}: {side} is so short that {block[side]} calls were timed together, and what "
        f"is rare among them was not seen. Write {gate.text.replace(gate.metric, 'p50', 1)}"
        for gate in gates
        for side in map(str, gate.sides)
        if block[side] > 1 and gate.metric not in _OF_WHOLE_BLOCKS
    ][:1]


def new_folder(folder: Path) -> Path:
    """Make a folder of this name, with a number after it if the name is taken. Raises OSError."""
    path = folders.unused(folder)
    path.mkdir(parents=True)
    return path


def hand_over(
    benchmark: Any, side: str, seconds: Iterable[float], block: int, info: Mapping[str, Any]
) -> None:
    """Add a side as a benchmark of pytest-benchmark's, which can compare it with earlier sessions.

    Each of `seconds` stands for `block` calls. `info` goes into the benchmark's `extra_info`.
    """
    own = copy.copy(benchmark)
    own.name = f"{own.name} {side}"
    own.fullname = f"{own.fullname} {side}"
    own.group = own.group or benchmark.name
    own.extra_info = {**own.extra_info, "side": side, **info}
    # pytest-benchmark measures one function per test, and has no public API for other measurements.
    stats = own._make_stats(block)  # noqa: SLF001
    for value in seconds:
        stats.update(value)


def records(about: journal.RunStarted, measured: Measured) -> Iterator[journal.AnyRecord]:
    """Yield the journal of a comparison."""
    yield about
    end_s = 0.0
    for number, turn in enumerate(measured.turns):
        yield from _turn(number, turn, measured.block[turn.side], measured.round_s)
        end_s = (turn.at_ns + turn.wall_ns) / 1e9
    yield journal.RunEnded(at_s=end_s, reason="finished")


def step_name(side: str, block: int) -> str:
    """Name what was timed: a single call, or several calls together."""
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
