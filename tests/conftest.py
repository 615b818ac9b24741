"""What tests of several folders are given: commands, bundled systems, settings."""

import contextlib
import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import pytest

from mcp_targets.launcher.systems import Systems
from tests.support import commands, example_report
from tests.support.commands import BIN, QUICK, Ended
from tests.support.forked import Forge

hypothesis.settings.register_profile("shared", deadline=None)
# How long an example takes is the machine's affair: these tests share it with servers and browsers.
hypothesis.settings.load_profile("shared")
# `make core` looks for branches, which the same examples reach each time.
hypothesis.settings.register_profile("core", derandomize=True, deadline=None)

pytest_plugins = [
    "mcp_perf.pytest_plugin.plugin",
    "tests.support.resources",
    "tests.support.disturbance",
]


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Return the environment of all commands and servers: no telemetry, no proxies."""
    return commands.environment()


@pytest.fixture(scope="session")
def command() -> Callable[[str], list[str]]:
    """Return how a command that is installed with this Python is started."""
    return lambda name: [str(BIN / name)]


@pytest.fixture(scope="session")
def run_cli(environment, _processes) -> Iterator[Callable[..., Ended]]:
    """Run `mcp-perf` (or another command of this Python) to its end."""
    linux = sys.platform == "linux"  # macOS has no sockets that keep messages apart
    with contextlib.closing(Forge(environment)) if linux else contextlib.nullcontext() as forge:

        def run(*arguments: object, name: str = "mcp-perf", **options) -> Ended:
            known = {"env": environment, **options}
            return commands.run(BIN / name, *arguments, forge=forge, **known)

        yield run


@pytest.fixture(scope="session")
def quick() -> tuple[str, ...]:
    """Return the settings of a short run."""
    return QUICK


@pytest.fixture(scope="session")
def report() -> Callable[[Path], dict]:
    """Read the report of a run's folder."""
    return lambda folder: json.loads((folder / "report.json").read_text("utf-8"))


@pytest.fixture
def systems(tmp_path, _processes) -> Iterator[Systems]:
    """Give systems of the test's own, stopped with it."""
    with Systems(tmp_path / "systems") as running:
        yield running


@pytest.fixture(scope="module")
def shared_systems(tmp_path_factory, _processes) -> Iterator[Systems]:
    """Give systems that the tests of a module share."""
    with Systems(tmp_path_factory.mktemp("systems")) as running:
        yield running


@pytest.fixture(scope="session")
def ask() -> Callable[..., Any]:
    """GET something from a system, or POST it a value; return its JSON."""

    def run(url: str, value: object = None) -> Any:
        data = None if value is None else json.dumps(value).encode()
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(urllib.request.Request(url, data), timeout=10) as reply:
            return json.load(reply)

    return run


@pytest.fixture(scope="session")
def example() -> ModuleType:
    """Give the builder of documents: `example.report()`, `.hostile()`, `.empty()` and more."""
    return example_report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest, and leave soaks out where nobody asks by a marker what to run.

    A worker that began with a whole page last would keep the others waiting. Simulations come
    before the pages, so that one worker has them all: each one that takes one simulates everything.
    """
    items.sort(key=lambda item: "test_the_commands_of_a_page" not in item.name)
    items.sort(key=lambda item: item.get_closest_marker("simulated") is None)
    soaks = [item for item in items if item.get_closest_marker("long")]
    if soaks and not config.option.markexpr:
        config.hook.pytest_deselected(items=soaks)
        items[:] = [item for item in items if item not in soaks]
