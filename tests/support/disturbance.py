"""A test that other work on the machine has spoiled is run once more, and is then undecided.

A plugin of pytest for the tests that start processes or make load (`TOUCHY`). Over each of them it
measures how much of the processors went to anybody else. When one fails, and that is more than
`LIMIT`, the failure may be the machine's: everything that the test used is set up anew, but for
what the whole session shares, and the test is run once more. What fails again, and on a machine
that is too busy again, is *undecided*: no pass, no failure, and listed with the figure. More than
`MOST_UNDECIDED` of them end the session as failures do. On a quiet machine a failure is a failure,
at once.

A test whose product says itself that it was disturbed calls `spoiled`, with the product's words.

How busy the machine was is told by the processor time of the whole machine, that which a hypervisor
stole included, less the time of this session's own process tree: with all workers of pytest-xdist,
what they started, and what ended in between, which its parent has inherited. Pressure and delays in
the run queue would not do, because two workers with their servers keep two processors waiting by
themselves: every failure would be excused. So what another worker does is no excuse for a test that
fails. It is one for a product that says that it was disturbed, but nothing at all is none.
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
"""Marks of the tests whose outcome can depend on the machine; no other is ever run twice."""
LIMIT: Final = 0.2
"""Of all processor time. Others take 1 or 2 % of a quiet machine, eight busy processes take 70 %
and more of two processors, and a single one about 40 %."""
MOST_UNDECIDED: Final = 5
SHORTEST_S: Final = 1.0
"""Processor time is counted in steps of 10 ms, so a shorter span says nothing."""

_ROOT: Final = "disturbance_root"
_ATTEMPT: Final = pytest.StashKey["Attempt | None"]()
_SPANS: Final = pytest.StashKey[list["Span"]]()
_METER: Final = pytest.StashKey["Meter"]()


class Spoiled(pytest.fail.Exception):
    """The product says that the machine has disturbed it."""


def spoiled(figure: str) -> NoReturn:
    """End the test as one that was disturbed, with the product's own figure."""
    raise Spoiled(figure, pytrace=False)


@dataclass(frozen=True)
class Reading:
    """Processor time until now, in seconds: of all, of this session, of this process's tree."""

    at_s: float
    machine_s: float
    session_s: float
    worker_s: float


@dataclass(frozen=True)
class Span:
    """What others took of the processors in a span of time, as a share of all there was."""

    others: float
    """Who does not belong to this session."""
    around: float
    """Those, and the other workers of this session."""

    @classmethod
    def between(cls, first: Reading, last: Reading) -> "Span":
        """Return the shares between two readings."""
        whole_s = max(last.at_s - first.at_s, 1e-9) * (os.cpu_count() or 1)
        used_s = last.machine_s - first.machine_s

        def share(own_s: float) -> float:
            return min(max((used_s - own_s) / whole_s, 0.0), 1.0)

        return cls(share(last.session_s - first.session_s), share(last.worker_s - first.worker_s))


class Tree:
    """The processes below one, and what they used: also those that it has lost sight of.

    A process whose parent has ended belongs to nobody, but was ours; and when it ends itself,
    nobody inherits what it used.
    """

    def __init__(self, top: int) -> None:
        self._top = top
        self._known: dict[tuple[int, float], tuple[float, float]] = {}
        """What each used itself, and what it inherited."""
        self._lost_s = 0.0

    def used_s(self, found: dict[int, dict[str, Any]]) -> float:
        """Return the processor time of all that were ever seen below the top."""
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
        """Take the tree of `root` for the session and that of `worker` for this process's."""
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
        # What a guest of this machine used is in `user` already.
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
        """Return the shares from a reading until now; a span that is too short begins earlier."""
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
    """One run of a test: its reports, what spoiled it, empty where nothing did, and what failed."""

    reports: list[pytest.TestReport]
    why: str = ""
    what: str = ""


class Disturbed:
    """The tests that met a machine that was too busy, as they are told at the end."""

    def __init__(self) -> None:
        self.again: dict[str, str] = {}
        self.undecided: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what a report says of disturbance; a worker's reports come here, too."""
        if why := getattr(report, "undecided", ""):
            self.undecided[report.nodeid] = f"{why}\n{report.undecided_failure}"
        elif why := getattr(report, "run_once_more", ""):
            self.again[report.nodeid] = why

    @property
    def too_many(self) -> bool:
        """Tell whether so much is undecided that the session has not passed."""
        return len(self.undecided) > MOST_UNDECIDED

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End a session that has decided too little as one with failures."""
        if self.too_many and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List them, with the figures."""
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
    """Measure in every process with tests; count in the one that ends the session."""
    worker = getattr(config, "workerinput", None)
    root = os.getpid() if worker is None else worker.get(_ROOT, os.getppid())
    config.stash[_METER] = Meter(root, os.getpid())
    if worker is None:
        config.pluginmanager.register(Disturbed(), "disturbed")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    """Tell a worker of pytest-xdist whose tree the session is."""
    node.workerinput[_ROOT] = os.getpid()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef, request: pytest.FixtureRequest):
    """Measure over what several tests share: a run of it that was disturbed spoils them all."""
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
    """Note what a product said of itself."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, Spoiled):
        report.spoiled = str(call.excinfo.value)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test; once more, if it failed on a machine that was too busy."""
    if not any(item.get_closest_marker(name) for name in TOUCHY):
        return None
    if _ATTEMPT in item.stash:  # the second one, within all that surrounds a test: its timeout
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
    """Run a test; its reports are not handed on yet."""
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
    """Say what spoiled a test that failed; empty where nothing did."""
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
    """Run a test a second time, on fixtures of its own; return the reports that count."""
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
    """Tear down all that a spoiled test used, but for what the session shares."""
    _quietly(lambda: item.session._setupstate.teardown_exact(item.session))
    for node in item.listchain():
        with contextlib.suppress(KeyError):
            del node.stash[_SPANS]
    # What failed is remembered, too: pytest would fail the second run with it, unasked.
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        for fixture in definitions:
            if fixture.cached_result is not None and fixture.cached_result[2] is not None:
                _quietly(lambda fixture=fixture: fixture.finish(SimpleNamespace(node=item)))


def _what(failed: list[pytest.TestReport]) -> str:
    """Return the first line of what a failure says."""
    lines = failed[0].longreprtext.splitlines()
    return next((line[1:].strip() for line in lines if line.startswith("E ")), lines[-1])


def _quietly(end: Callable[[], None]) -> None:
    """Do what ends a spoiled run: what it says of it is spoiled as well."""
    ends = (KeyboardInterrupt, pytest.exit.Exception)
    pytest.CallInfo.from_call(end, when="teardown", reraise=ends)


def _undecided(report: pytest.TestReport, why: str) -> None:
    """Make a report of a failure one that decides nothing; for other reporters it is skipped."""
    path, line, _ = report.location
    report.undecided = why
    report.undecided_failure = report.longreprtext
    report.outcome = "skipped"
    report.longrepr = (path, (line or 0) + 1, f"undecided: {why}")
