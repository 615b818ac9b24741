"""A test that other work on the machine disturbed is run once more, and may end as undecided.

A pytest plugin for the tests that start processes or make load (`TOUCHY`). During each of them it
measures the share of the processors that went to others. If a test fails and that share is above
`LIMIT`, the machine may be the cause: everything that the test used is set up again, except for
fixtures of the whole session, and the test is run once more. If it fails again, again on a machine
that is too busy, it is *undecided*: neither passed nor failed, and listed with the share. More than
`MOST_UNDECIDED` undecided tests make the session fail. On a quiet machine, a failure counts at
once.

A test whose product reports a disturbance calls `spoiled` with the product's words.

The share is computed from the processor time of the whole machine, including the time that a
hypervisor stole, minus the time of this session's process tree: all workers of pytest-xdist, their
children, and processes that have ended, whose time their parent inherits. Pressure or run-queue
delays cannot be used: two workers with their servers are enough to keep two processors busy, and
every failure would be excused. So the work of another worker does not excuse a failing test. It
does excuse a product that reports a disturbance, but an idle machine does not.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final, NoReturn

import psutil
import pytest
from _pytest.runner import runtestprotocol

TOUCHY: Final = ("load", "process", "browser", "database", "network")
"""Marks of the tests whose outcome can depend on the machine; only these are ever run twice."""
LIMIT: Final = 0.2
"""A share of all processor time. On a quiet machine, others take 1 or 2 %; of two processors, eight
busy processes take 70 % and more, and a single one about 40 %."""
MOST_UNDECIDED: Final = 5
SHORTEST_S: Final = 1.0
"""Processor time is counted in steps of 10 ms, so a shorter span is meaningless."""

_ROOT: Final = "disturbance_root"
_ATTEMPT: Final = pytest.StashKey["Attempt | None"]()
_SPANS: Final = pytest.StashKey[list["Span"]]()
_METER: Final = pytest.StashKey["Meter"]()


class Spoiled(pytest.fail.Exception):
    """The product reports that the machine disturbed it."""


def spoiled(figure: str) -> NoReturn:
    """End the test as disturbed, with the product's figure."""
    raise Spoiled(figure, pytrace=False)


@dataclass(frozen=True)
class Reading:
    """Processor time until now, in seconds: total, of this session, of this process's tree."""

    at_s: float
    machine_s: float
    session_s: float
    worker_s: float


@dataclass(frozen=True)
class Span:
    """The processor time that others took in a time span, as a share of the total."""

    others: float
    """The share of processes outside this session."""
    around: float
    """The same, plus the other workers of this session."""

    @classmethod
    def between(cls, first: Reading, last: Reading) -> "Span":
        """Return the shares between two readings."""
        whole_s = max(last.at_s - first.at_s, 1e-9) * (os.cpu_count() or 1)
        used_s = last.machine_s - first.machine_s

        def share(own_s: float) -> float:
            return min(max((used_s - own_s) / whole_s, 0.0), 1.0)

        return cls(share(last.session_s - first.session_s), share(last.worker_s - first.worker_s))


class Tree:
    """The processes below one, and the time they used, including orphans.

    A process whose parent has ended is no longer below it but was ours; when it ends, nobody
    inherits its time.
    """

    def __init__(self, top: int) -> None:
        self._top = top
        self._known: dict[tuple[int, float], tuple[float, float]] = {}
        """The time that each used, and the time it inherited."""
        self._lost_s = 0.0

    def used_s(self, found: dict[int, dict[str, Any]]) -> float:
        """Return the processor time of all processes ever seen below the top."""
        parents = {pid: info["ppid"] for pid, info in found.items()}
        ours = {
            (pid, info["create_time"]): (sum(info["cpu_times"][:2]), sum(info["cpu_times"][2:4]))
            for pid, info in found.items()
            if (pid, info["create_time"]) in self._known or _descends(pid, self._top, parents)
        }
        gone = [sum(used) for key, used in self._known.items() if key not in ours]
        inherited = sum(now[1] - self._known.get(key, now)[1] for key, now in ours.items())
        self._lost_s += max(0.0, sum(gone) - inherited)
        self._known = ours
        return sum(map(sum, ours.values())) + self._lost_s


class Meter:
    """Reads how much processor time was used, and by whom."""

    def __init__(self, root: int, worker: int) -> None:
        """Take `root`'s tree as the session's, and `worker`'s as this process's."""
        self._trees = Tree(root), Tree(worker)
        self._last: list[Reading] = []

    def read(self) -> Reading:
        """Return the processor time until now."""
        found = {
            process.pid: process.info
            for process in psutil.process_iter(["ppid", "cpu_times", "create_time"])
            if process.info["cpu_times"] is not None
        }
        machine = psutil.cpu_times()
        idle = machine.idle + getattr(machine, "iowait", 0.0)
        # The time of guests on this machine is included in `user`.
        twice = getattr(machine, "guest", 0.0) + getattr(machine, "guest_nice", 0.0)
        return Reading(
            time.monotonic(),
            sum(machine) - idle - twice,
            *(tree.used_s(found) for tree in self._trees),
        )

    def begin(self) -> Reading:
        """Return a reading to measure from, and remember it."""
        now = self.read()
        recent = [one for one in self._last if now.at_s - one.at_s < 10 * SHORTEST_S]
        self._last = [*recent[-50:], now]
        return now

    def since(self, first: Reading) -> Span:
        """Return the shares from a reading until now; start earlier if the span is too short."""
        now = self.read()
        earlier = [one for one in self._last if one.at_s <= now.at_s - SHORTEST_S]
        if now.at_s - first.at_s < SHORTEST_S and earlier:
            first = earlier[-1]
        return Span.between(first, now)


def _descends(pid: int, top: int, parents: dict[int, int]) -> bool:
    while pid and pid != top:
        pid = parents.get(pid, 0)
    return pid == top


@dataclass(frozen=True)
class Attempt:
    """One run of a test: its reports, what disturbed it (empty if nothing), and what failed."""

    reports: list[pytest.TestReport]
    why: str = ""
    what: str = ""


class Disturbed:
    """The tests that met a busy machine, for the summary at the end."""

    def __init__(self) -> None:
        self.again: dict[str, str] = {}
        self.undecided: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a report's disturbance; workers' reports arrive here, too."""
        if why := getattr(report, "undecided", ""):
            self.undecided[report.nodeid] = f"{why}\n{report.undecided_failure}"
        elif why := getattr(report, "run_once_more", ""):
            self.again[report.nodeid] = why

    @property
    def too_many(self) -> bool:
        """Return whether so many tests are undecided that the session has not passed."""
        return len(self.undecided) > MOST_UNDECIDED

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Make a session with too many undecided tests fail."""
        if self.too_many and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the disturbed tests with their figures."""
        if not self.again and not self.undecided:
            return
        terminalreporter.section("a machine that was too busy", yellow=True)
        for test, why in self.again.items():
            terminalreporter.write_line(f"run once more: disturbed  {test}: {why}")
        for test, why in self.undecided.items():
            terminalreporter.write_line(f"undecided: disturbed twice  {test}: {why}")
        if self.too_many:
            terminalreporter.write_line(
                f"{len(self.undecided)} tests are undecided, and more than {MOST_UNDECIDED} are "
                "too many: run them again on a quiet machine.",
                red=True,
            )


def pytest_configure(config: pytest.Config) -> None:
    """Measure in every process that runs tests; count in the one that ends the session."""
    worker = getattr(config, "workerinput", None)
    root = os.getpid() if worker is None else worker.get(_ROOT, os.getppid())
    config.stash[_METER] = Meter(root, os.getpid())
    if worker is None:
        config.pluginmanager.register(Disturbed(), "disturbed")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    """Tell a pytest-xdist worker which process is the session's root."""
    node.workerinput[_ROOT] = os.getpid()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef, request: pytest.FixtureRequest):
    """Measure during shared fixtures: if one was disturbed, so are all tests that use it."""
    if fixturedef.scope in ("function", "session"):
        return (yield)
    meter = request.config.stash[_METER]
    first = meter.begin()
    try:
        return (yield)
    finally:
        request.node.stash.setdefault(_SPANS, []).append(meter.since(first))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo):
    """Note what a product reported."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, Spoiled):
        report.spoiled = str(call.excinfo.value)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test; once more, if it failed on a machine that was too busy."""
    if not any(item.get_closest_marker(name) for name in TOUCHY):
        return None
    if _ATTEMPT in item.stash:  # the second run, within all hooks, such as the timeout's
        item.stash[_ATTEMPT] = _attempt(item, nextitem)
        return True
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    attempt = _attempt(item, nextitem)
    for report in _again(item, nextitem, attempt) if attempt.why else attempt.reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, object] | None:
    """Give both outcomes a letter and a word."""
    if getattr(report, "undecided", ""):
        return "undecided", "U", ("UNDECIDED", {"yellow": True})
    if getattr(report, "run_once_more", ""):
        return "passed", "d", ("PASSED, RUN ONCE MORE", {"yellow": True})
    return None


def _attempt(item: pytest.Item, nextitem: pytest.Item | None) -> Attempt:
    """Run a test, without passing on its reports yet."""
    meter = item.config.stash[_METER]
    first = meter.begin()
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    failed = [report for report in reports if report.failed]
    if not failed:
        return Attempt(reports)
    return Attempt(reports, _why(failed, [meter.since(first), *_spans(item)]), _what(failed))


def _spans(item: pytest.Item) -> Iterator[Span]:
    for node in item.listchain():
        yield from node.stash.get(_SPANS, [])


def _why(failed: list[pytest.TestReport], spans: list[Span]) -> str:
    """Return what disturbed a failed test; empty if nothing did."""
    others, around = max(one.others for one in spans), max(one.around for one in spans)
    said = next((report.spoiled for report in failed if hasattr(report, "spoiled")), "")
    if others > LIMIT:
        figure = f"other work took {others:.0%} of the processors, more than {LIMIT:.0%}"
    elif said and around > LIMIT:
        figure = f"other tests took {around:.0%} of the processors, more than {LIMIT:.0%}"
    else:
        return ""
    return f"{figure} ({said})" if said else figure


def _again(
    item: pytest.Item, nextitem: pytest.Item | None, first: Attempt
) -> list[pytest.TestReport]:
    """Run a test a second time, with new fixtures; return the reports that count."""
    _forget(item)
    item.stash[_ATTEMPT] = None
    item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
    second = item.stash[_ATTEMPT]
    assert second is not None
    del item.stash[_ATTEMPT]
    for report in second.reports:
        if report.failed and second.why:
            _undecided(report, second.why)
        elif report.failed:
            report.sections.append(("the first run was disturbed", first.why))
        elif report.when == "call" and report.passed:
            report.run_once_more = f"{first.why}\n  {first.what}"
    return second.reports


def _forget(item: pytest.Item) -> None:
    """Tear down everything that a disturbed test used, except session fixtures."""
    _quietly(lambda: item.session._setupstate.teardown_exact(item.session))
    for node in item.listchain():
        with contextlib.suppress(KeyError):
            del node.stash[_SPANS]
    # Failed fixtures are cached, too: pytest would fail the second run with them at once.
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        for fixture in definitions:
            if fixture.cached_result is not None and fixture.cached_result[2] is not None:
                _quietly(lambda fixture=fixture: fixture.finish(SimpleNamespace(node=item)))


def _what(failed: list[pytest.TestReport]) -> str:
    """Return the first line of what a failure says."""
    lines = failed[0].longreprtext.splitlines()
    return next((line[1:].strip() for line in lines if line.startswith("E ")), lines[-1])


def _quietly(end: Callable[[], None]) -> None:
    """End a disturbed run; its messages are disturbed as well."""
    ends = (KeyboardInterrupt, pytest.exit.Exception)
    pytest.CallInfo.from_call(end, when="teardown", reraise=ends)


def _undecided(report: pytest.TestReport, why: str) -> None:
    """Turn a failure's report into an undecided one; for other reporters it is a skip."""
    path, line, _ = report.location
    report.undecided = why
    report.undecided_failure = report.longreprtext
    report.outcome = "skipped"
    report.longrepr = (path, (line or 0) + 1, f"undecided: {why}")
