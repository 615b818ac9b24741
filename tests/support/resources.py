"""A marker declares a test's resources: processes, load, a browser, a database, others' servers.

The Makefile selects tests by these. A test that starts a process without a marker fails, and so
does one whose marker names another resource. Fixtures that start something for tests of several
files request one of the two below: every test, not only the first, is then checked.
"""

import os
import re
import sys
from collections.abc import Iterator
from typing import Any, Final

import pytest

MARKERS: Final = {
    "process": "starts processes, without load",
    "load": "makes a load run",
    "browser": "looks at a page with Chromium",
    "database": "starts PostgreSQL, Redis or promtool, all from Debian",
    "network": "starts third-party servers or suites, which npm and pip installed",
}
STARTS: Final = {
    *("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"),
}
"""The audit events that Python raises before any library starts a process."""
NAMED: Final = {
    "browser": re.compile(r"/chromium$|/playwright/driver/"),
    "database": re.compile(r"/(postgres|initdb|redis-server|promtool)$"),
    "network": re.compile(r"/\.cache/servers/|\bmcp_server_\w+$|fastmcp_app\.py$"),
}
"""Markers, each with the words in a command line that need it."""
SHARED: Final = {"_processes": "process", "_foreign_servers": "network"}
"""What a fixture requests, and the marker of the tests that use it."""


@pytest.fixture(scope="session")
def _processes() -> None:
    """Mark a fixture that requests this as starting processes for several tests."""


@pytest.fixture(scope="session")
def _foreign_servers() -> None:
    """Mark a fixture that requests this as starting others' servers for several tests."""


def needed(argv: list[str]) -> str:
    """Return the marker that a command line needs."""
    for marker, pattern in NAMED.items():
        if any(pattern.search(word) for word in argv):
            return marker
    return "process"


def missing(wanted: str, marked: set[str]) -> bool:
    """Return whether a test's markers lack what it uses; every marker includes processes."""
    return not marked & MARKERS.keys() if wanted == "process" else wanted not in marked


class Watch:
    """Sees every process that this process starts while a test runs."""

    def __init__(self) -> None:
        self._seen: list[list[str]] | None = None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._seen is not None and event in STARTS:
            self._seen.append(_words(event, arguments))

    def during(self, item: pytest.Item) -> Iterator[None]:
        """Fail the test if this phase starts a process without the marker for it."""
        self._seen = seen = []
        try:
            result = yield
        finally:
            self._seen = None
        marked = {marker.name for marker in item.iter_markers()}
        for argv in seen:
            if argv[:1] == ["uname"]:  # by the platform module, to find the processor's name
                continue
            _hold(needed(argv), marked, f"{item.nodeid} starts {' '.join(argv)[:200]!r}")
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Check the fixtures against the markers, including fixtures that were set up before."""
        marked = {marker.name for marker in item.iter_markers()}
        for name in SHARED.keys() & set(getattr(item, "fixturenames", ())):
            _hold(SHARED[name], marked, f"{item.nodeid} uses {name}")
        return (yield from self.during(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Check the test against its markers."""
        return (yield from self.during(item))


def _words(event: str, arguments: tuple[Any, ...]) -> list[str]:
    """Return the command line of an audit event, as far as the event has one."""
    if event != "subprocess.Popen":
        return [event]
    executable, argv, *_ = arguments
    words = [argv] if isinstance(argv, str | bytes) else list(argv)
    return [os.fsdecode(word) for word in (executable, *words) if word is not None]


def _hold(wanted: str, marked: set[str], what: str) -> None:
    if missing(wanted, marked):
        pytest.fail(f"{what}: mark it `@pytest.mark.{wanted}`", pytrace=False)


def pytest_configure(config: pytest.Config) -> None:
    """Watch from the start; the markers are declared in pyproject.toml."""
    config.pluginmanager.register(Watch(), "watch-processes")
