"""The commands as a user runs them: in a process of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("shared", deadline=None)
# How long an example takes is the machine's affair: these tests share it with servers and browsers.
hypothesis.settings.load_profile("shared")

pytest_plugins = ["reports.benchmarks.plugin"]

_BIN = Path(sys.executable).parent
QUICK = (
    *("--set", "load.round=1s"),
    *("--set", "load.rounds=2"),
    *("--set", "load.warmup=300ms"),
    # These runs share two cores with their servers and are not about speed.
    *("--set", "limits.loop_lag_p99=10s"),
    *("--set", "limits.generator_cpu=100%"),
)


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """All it said, in one line: tables and messages break lines where they like."""
        return " ".join(f"{self.stdout} {self.stderr}".split())


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Return the environment of all commands and servers: no telemetry, no proxies."""
    # These tests may run under pytest-xdist; what they start is no part of that.
    foreign = ("proxy", "pytest_xdist")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not any(word in name.lower() for word in foreign)
    }
    return {
        **kept,
        "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "OTEL_SDK_DISABLED": "true",
        "DO_NOT_TRACK": "1",
    }


@pytest.fixture(scope="session")
def command() -> Callable[[str], list[str]]:
    """Return how a command beside this Python is started."""
    return lambda name: [str(_BIN / name)]


@pytest.fixture(scope="session")
def run_cli(environment) -> Callable[..., Ended]:
    """Run `mcp-perf` (or another command beside this Python) to its end."""

    def run(*arguments: object, timeout: float = 60, name: str = "mcp-perf", **popen) -> Ended:
        argv = [str(_BIN / name), *map(str, arguments)]
        ended = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **{"env": environment, "stdin": subprocess.DEVNULL} | popen,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run


@pytest.fixture(scope="session")
def quick() -> tuple[str, ...]:
    """Return the settings of a short run."""
    return QUICK


@pytest.fixture(scope="session")
def report() -> Callable[[Path], dict]:
    """Read the report of a run's folder."""
    return lambda folder: json.loads((folder / "report.json").read_text("utf-8"))
