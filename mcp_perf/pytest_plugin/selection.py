"""Which gates this session judges, by whether their tests run, are left out, or are gone.

A gate whose benchmark was renamed must not pass because there is nothing to judge. A gate that the
command line leaves out on purpose is not a mistake.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path

import pytest

from mcp_perf.pytest_plugin.gate_file import NAME, Entry

Test = tuple[Path, str]
"""A test's file, and its name in it."""


def test_of(item: pytest.Item) -> Test:
    """Return which test an item is."""
    return item.path, item.nodeid.partition("::")[2]


def gate_files(config: pytest.Config, tests: Iterable[Test]) -> list[Path]:
    """Return the gate files next to the tests, and in the folders that the command line names."""
    folders = {file.parent for file, _ in tests} | {path for path, _ in _arguments(config)}
    return sorted(path for folder in folders if (path := folder / NAME).is_file())


def why_left_out(entry: Entry, config: pytest.Config, deselected: Iterable[Test]) -> str:
    """Say how the command line leaves a test out; an empty text if it does not."""
    file, name = entry.test
    if entry.test in deselected:
        return "left out by -k, -m or --deselect"
    if not any(_covers(path, part, file, name) for path, part in _arguments(config)):
        return "not among the tests that the command line names"
    if config.getoption("lf", default=False):
        return "left out by --last-failed"
    ignored = [_resolved(config, path) for path in config.getoption("ignore") or ()]
    if any(file.is_relative_to(path) for path in ignored):
        return "left out by --ignore"
    return ""


def missing(entry: Entry, tests: Iterable[Test]) -> str:
    """Say that a benchmark does not exist, and which other one it may be now."""
    known = [f"{file.name}::{name}" for file, name in tests if file.parent == entry.path.parent]
    near = difflib.get_close_matches(entry.benchmark, known, n=3, cutoff=0.6)
    gone = "Remove its gates, or restore the benchmark"
    hint = f"Did you mean {' or '.join(near)}?" if near else gone
    return (
        f"{entry.location}: there is no benchmark {entry.benchmark} that uses side_by_side. "
        f"It may have been renamed or removed: {hint}"
    )


def _arguments(config: pytest.Config) -> list[tuple[Path, str]]:
    split = [argument.partition("::") for argument in config.args]
    return [(_resolved(config, path), part) for path, _, part in split]


def _resolved(config: pytest.Config, path: str | Path) -> Path:
    return (config.invocation_params.dir / path).resolve()


def _covers(path: Path, part: str, file: Path, name: str) -> bool:
    if not part:
        return file.is_relative_to(path)
    return path == file and (name == part or name.startswith((f"{part}[", f"{part}::")))
