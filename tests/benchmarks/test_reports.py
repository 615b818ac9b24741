"""From a fixed journal to the report and its renderings, compared with reading the journal."""

import random
from pathlib import Path

import pytest

from mcp_perf.pytest_plugin.comparison import describe, records
from mcp_perf.pytest_plugin.turns import Measured, SideTurn
from mcp_perf.results.journal.journal import JournalWriter, read
from mcp_perf.results.render.files.write import write_all
from mcp_perf.results.report.build import JOURNAL, load_report
from mcp_perf.scenario.model.gates import parse

pytestmark = pytest.mark.benchmark(group="reports")
ROUNDS, CALLS = 20, 500
INFO = {"system": "reports", "layer": "report"}


@pytest.fixture
def run(tmp_path) -> Path:
    """Write the journal of a run of two arms whose times are drawn from a seed."""
    rng = random.Random(5)
    turns = []
    for number in range(2 * ROUNDS):
        arm = ("control", "mcp")[number % 2]
        times = [int(rng.lognormvariate(14 if arm == "mcp" else 13.5, 0.4)) for _ in range(CALLS)]
        whole = sum(times)
        at_ns = turns[-1].at_ns + turns[-1].wall_ns if turns else 0
        turns.append(SideTurn(arm, number // 2 + 1, at_ns, times, whole // 2, whole))
    gates = [parse("mcp.p50 <= 3x control")]
    measured = Measured({"control": 1, "mcp": 1}, 0.5, turns)
    about = describe("fixed", "A run of fixed numbers", measured, gates, {})
    writer = JournalWriter(tmp_path / JOURNAL)
    for record in records(about, measured):
        writer.write(record)
    writer.close()
    return tmp_path


def test_build(run, side_by_side):
    """Forty turns to a verdict, with all comparisons; `read` only decodes the records."""
    sides = {
        "build": lambda: load_report(run)[0],
        "read": lambda: list(read(run / JOURNAL)),
    }
    info = {side: {**INFO, "tool": side} for side in sides}
    returned = side_by_side(sides, round_s=0.1, info=info)
    assert returned["build"].verdict == "PASS"


@pytest.mark.parametrize("kind", ["html", "json", "md", "csv", "junit"])
def test_render(kind, run, tmp_path, benchmark):
    """One format of that report, written to disk."""
    benchmark.extra_info |= {**INFO, "tool": kind}
    report, samples = load_report(run)
    [written] = benchmark.pedantic(write_all, (report, samples, tmp_path, [kind]), rounds=10)
    assert written.stat().st_size > 0
