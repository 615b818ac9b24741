"""Writing and reading the journal, compared with the standard library's JSON."""

import json

import msgspec
import pytest

from mcp_perf.results.journal.journal import JournalWriter, read
from mcp_perf.results.journal.records import Cell, Health, Slice
from mcp_perf.results.journal.redact import Redactor

pytestmark = pytest.mark.benchmark(group="journal")
CELLS = [
    Cell(
        arm="mcp",
        kind=kind,
        name=f"tools/call tool-{number}",
        cls="ok",
        n=1000,
        total_ns=10**9,
        min_ns=10**5,
        max_ns=10**7,
        latency=[part for bucket in range(200) for part in (10_000 + bucket, 5)],
    )
    for kind in ("call", "journey")
    for number in range(4)
]
SECOND = Slice(
    node="w1", turn=1, at_s=1.0, seconds=1.0, cells=CELLS, health=Health(cpu_s=0.5, wall_s=1.0)
)
LINES = 50


def info(what: str) -> dict[str, dict[str, str]]:
    """Describe each side for pytest-benchmark."""
    sides = ("ours", "stdlib")
    return {side: {"system": "reports", "layer": "journal", "tool": what} for side in sides}


def test_write_a_second(side_by_side, tmp_path):
    """One process's records of a second, redacted, compared with json.dumps of the same tree."""
    tree = msgspec.to_builtins(SECOND)
    writer = JournalWriter(tmp_path / "journal.jsonl", Redactor())
    with (tmp_path / "stdlib.jsonl").open("w") as file:
        sides = {
            "ours": lambda: (writer.write(SECOND), writer.flush()),
            "stdlib": lambda: (file.write(json.dumps(tree) + "\n"), file.flush()),
        }
        side_by_side(sides, info=info("write"))
    writer.close()
    assert next(read(tmp_path / "journal.jsonl")) == SECOND


def test_read_a_minute(side_by_side, tmp_path):
    """Fifty such records, with every field checked, compared with json.loads without checks."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes((msgspec.json.encode(SECOND) + b"\n") * LINES)
    sides = {
        "ours": lambda: len(list(read(path))),
        "stdlib": lambda: len([json.loads(line) for line in path.read_bytes().splitlines()]),
    }
    returned = side_by_side(sides, info=info("read"))
    assert returned == {"ours": LINES, "stdlib": LINES}
