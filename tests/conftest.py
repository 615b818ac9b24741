"""The commands as a user runs them, for every folder; and how long an example may take."""

import json
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from tests.support import commands
from tests.support.commands import BIN, QUICK, Ended

hypothesis.settings.register_profile("shared", deadline=None)
# How long an example takes is the machine's affair: these tests share it with servers and browsers.
hypothesis.settings.load_profile("shared")

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
    """Return how a command beside this Python is started."""
    return lambda name: [str(BIN / name)]


@pytest.fixture(scope="session")
def run_cli(environment) -> Callable[..., Ended]:
    """Run `mcp-perf` (or another command beside this Python) to its end."""

    def run(*arguments: object, name: str = "mcp-perf", **options) -> Ended:
        return commands.run(BIN / name, *arguments, **{"env": environment} | options)

    return run


@pytest.fixture(scope="session")
def quick() -> tuple[str, ...]:
    """Return the settings of a short run."""
    return QUICK


@pytest.fixture(scope="session")
def report() -> Callable[[Path], dict]:
    """Read the report of a run's folder."""
    return lambda folder: json.loads((folder / "report.json").read_text("utf-8"))
