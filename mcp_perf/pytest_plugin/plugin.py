"""The pytest plugin: `side_by_side`, `load_run`, `mcp_server`, gates, `--mcp-perf-report`.

    pytest_plugins = ["mcp_perf.pytest_plugin.plugin"]      # in the topmost conftest.py

A comparison is measured if pytest-benchmark measures (`--benchmark-only`, `--benchmark-enable`), or
if a report is asked for. Otherwise every side is called once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from mcp_perf import folders, settings
from mcp_perf.pytest_plugin import gate_file, selection, summary
from mcp_perf.pytest_plugin.gate_file import Entry
from mcp_perf.pytest_plugin.load_run import LoadRun
from mcp_perf.pytest_plugin.server import Servers
from mcp_perf.pytest_plugin.side_by_side import SideBySide
from mcp_perf.results.document.document import Report

OPTION: Final = "--mcp-perf-report"
_FIXTURE: Final = "side_by_side"
_NEW: Final = "new"


@dataclass
class _Session:
    folder: Path | None
    """Where reports go."""
    gated: dict[selection.Test, Entry] = field(default_factory=dict)
    left_out: list[tuple[Entry, str]] = field(default_factory=list)
    deselected: set[selection.Test] = field(default_factory=set)
    reports: dict[selection.Test, tuple[Report, Path | None]] = field(default_factory=dict)
    """The report of each test, and its folder, if it was written."""
    only_benchmarks: bool = False
    """Whether all tests of the session are benchmarks."""

    def keep(self, test: selection.Test, report: Report, folder: Path | None) -> None:
        self.reports[test] = report, folder

    def unjudged(self) -> list[Entry]:
        """Return the entries whose benchmarks were selected but measured nothing."""
        return [entry for test, entry in self.gated.items() if test not in self.reports]


_KEY: Final = pytest.StashKey[_Session]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our option."""
    parser.getgroup("mcp-perf").addoption(
        OPTION,
        nargs="?",
        const=_NEW,
        metavar="DIR",
        help="measure, and write a report of every comparison to DIR "
        "(if none is given: a new one in reports/out of a checkout, or in mcp-perf-out elsewhere)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Measure if a report, or nothing but benchmarks, is asked for."""
    asked = config.getoption(OPTION)
    if asked and config.getoption("dist", "no") != "no":
        raise pytest.UsageError(f"{OPTION} measures, and parallel tests disturb that: leave out -n")
    if asked or config.getoption("benchmark_only", default=False):
        config.option.benchmark_enable = True
    folder = _folder(config.invocation_params.dir, asked) if asked else None
    config.stash[_KEY] = _Session(folder)


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Note which tests are left out on purpose."""
    for item in items:
        item.config.stash[_KEY].deselected.add(selection.test_of(item))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Check the gate files against the tests before any test runs."""
    config, known = session.config, session.config.stash[_KEY]
    used = [(selection.test_of(one), getattr(one, "fixturenames", ())) for one in session.items]
    tests = {test for test, fixtures in used if _FIXTURE in fixtures}
    everything = {test for test, _ in used} | known.deselected
    known.only_benchmarks = bool(tests) and all("benchmark" in fixtures for _, fixtures in used)
    problems = []
    for entry in _entries(selection.gate_files(config, everything)):
        if entry.test in tests:
            known.gated[entry.test] = entry
        elif why := selection.why_left_out(entry, config, known.deselected):
            known.left_out.append((entry, why))
        else:
            problems.append(selection.missing(entry, tests))
    # If a file could not be imported, pytest says so; its tests are not missing.
    if problems and not session.testsfailed:
        raise pytest.UsageError("\n".join(problems))


@pytest.fixture
def side_by_side(request: pytest.FixtureRequest, benchmark: Any) -> SideBySide:
    """Measure two or more callables by turns, A B, B A, …, and judge the gates on them."""
    known = request.config.stash[_KEY]
    test = selection.test_of(request.node)
    return SideBySide(
        benchmark,
        title=(request.function.__doc__ or request.node.name).strip().splitlines()[0],
        name=f"{test[0].name}::{test[1]}",
        entry=known.gated.get(test),
        folder=known.folder,
        told=partial(known.keep, test),
    )


@pytest.fixture
def load_run(request: pytest.FixtureRequest, benchmark: Any) -> LoadRun:
    """Make a load run by a scenario's name or file, which its own gates judge."""
    known = request.config.stash[_KEY]
    folder = known.folder or settings.runs(request.config.invocation_params.dir)
    return LoadRun(benchmark, folder, partial(known.keep, selection.test_of(request.node)))


@pytest.fixture(scope="session")
def mcp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start servers by their commands; all of them end with the session."""
    servers = Servers(tmp_path_factory.mktemp("mcp-servers"))
    yield servers
    servers.stop()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail the session if a benchmark with gates was skipped, or measured nothing."""
    known = session.config.stash[_KEY]
    if exitstatus == pytest.ExitCode.OK and _measures(session.config) and known.unjudged():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if known.folder is not None and known.reports:
        summary.write_index(known.folder, known.reports.values())


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the result of every gate."""
    known = config.stash[_KEY]
    if known.only_benchmarks and not (_measures(config) or config.option.collectonly):
        terminalreporter.write_line("Nothing was measured: add --benchmark-only, or " + OPTION)
    if not _measures(config) or not (known.reports or known.gated):
        return
    terminalreporter.section("side by side")
    for report, _ in known.reports.values():
        for line in summary.lines(report):
            terminalreporter.write_line(line)
    nothing = "it was selected but measured nothing, which does not count as a pass"
    for entry, why in [*((one, nothing) for one in known.unjudged()), *known.left_out]:
        terminalreporter.write_line(summary.not_judged(entry, why))
    if known.folder is not None:
        terminalreporter.write_line(f"Reports: {known.folder / summary.INDEX}")
    else:
        for folder in filter(None, (folder for _, folder in known.reports.values())):
            terminalreporter.write_line(f"Report: {folder / 'report.html'}")


def _measures(config: pytest.Config) -> bool:
    session = getattr(config, "_benchmarksession", None)
    collecting = config.option.collectonly
    return session is not None and not (session.disabled or session.skip or collecting)


def _entries(files: list[Path]) -> list[Entry]:
    try:
        return [entry for file in files for entry in gate_file.read(file)]
    except gate_file.GateFileError as error:
        raise pytest.UsageError(str(error)) from error


def _folder(here: Path, asked: str) -> Path:
    """Make the folder of this session's reports. Raises UsageError if it is not empty."""
    try:
        new = settings.runs(here) / f"benchmarks-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    except settings.SettingsError as error:
        raise pytest.UsageError(error.message) from error
    folder = new if asked == _NEW else here / asked
    try:
        folders.make(folder)
        taken = any(folder.iterdir())
    except OSError as error:
        why = f"{error.strerror}; name another folder"
        raise pytest.UsageError(f"{OPTION}={asked}: {why}") from error
    if taken:
        raise pytest.UsageError(
            f"{OPTION}={asked}: that folder is not empty. Name a new one; to test what lies in it, "
            f"write it before {OPTION}"
        )
    return folder
