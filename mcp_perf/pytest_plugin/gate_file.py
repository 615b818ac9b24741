"""`gates.yaml` next to benchmarks: how much slower one side may be than another.

    test_calls.py::test_a_call[echo]:
      - mcp.p50 <= 4x rest

A key is a test as pytest names it, without the folders above the file. A gate is written as in a
scenario, and names two sides, because seconds differ from machine to machine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from mcp_perf.scenario.model.gates import Gate, GateError, parse

NAME: Final = "gates.yaml"
BETWEEN_TWO: Final = (
    "is not a ratio of two sides. Seconds differ between machines, so "
    "compare two sides of the same measurement, like mcp.p50 <= 3x rest"
)


class GateFileError(Exception):
    """A gate file that cannot be used: every problem with its line."""


@dataclass(frozen=True)
class Entry:
    """The gates of one benchmark."""

    path: Path
    """The gate file."""
    line: int
    benchmark: str
    gates: Sequence[Gate]

    @property
    def location(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def test(self) -> tuple[Path, str]:
        file, _, name = self.benchmark.partition("::")
        return self.path.parent / file, name

    def unknown_sides(self, sides: Sequence[str]) -> list[str]:
        named = [str(side) for gate in self.gates for side in gate.sides]
        return [side for side in dict.fromkeys(named) if side not in sides]


def read(path: Path) -> list[Entry]:
    """Read a gate file. Raises GateFileError with all of its problems."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise GateFileError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise GateFileError(f"{path}:1: write one benchmark per line, its gates in a list below it")
    problems: list[str] = []
    entries: dict[str, Entry] = {}
    for key, value in root.value:
        entry = Entry(path, key.start_mark.line + 1, str(key.value), _gates(path, value, problems))
        problems += _problems(entry, entries)
        entries[entry.benchmark] = entry
    if problems:
        raise GateFileError("\n".join(problems))
    return list(entries.values())


def _problems(entry: Entry, before: dict[str, Entry]) -> Iterator[str]:
    file, colons, name = entry.benchmark.partition("::")
    if not (file.endswith(".py") and colons and name):
        yield f"{entry.location}: {entry.benchmark!r} is not a test: write FILE.py::TEST"
    if entry.benchmark in before:
        first = before[entry.benchmark].line
        yield f"{entry.location}: {entry.benchmark} is already in line {first}: put its gates there"


def _gates(path: Path, node: yaml.Node, problems: list[str]) -> list[Gate]:
    """Parse the list under a key, and add its problems to `problems`."""
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        problems.append(f"{path}:{line}: write a list of gates here, like - mcp.p50 <= 3x rest")
        return []
    found = []
    for item in node.value:
        location = f"{path}:{item.start_mark.line + 1}"
        try:
            gate = parse(str(item.value))
        except GateError as error:
            problems.append(f"{location}: {error.message}; {error.hint}")
            continue
        if gate.factor is None or gate.focus.kind:
            problems.append(f"{location}: {gate.text} {BETWEEN_TWO}")
        found.append(gate)
    return found
