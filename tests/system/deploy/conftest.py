"""A user's repository, and the machines that run its jobs."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import ROOT
from tests.support import runners as simulated_services
from tests.support.installed import Installed, build
from tests.support.waiting import free_port

SCENARIO = """
name: mine
title: My server
arms: {mcp: {mcp: "http://127.0.0.1:9/mcp"}}
journeys: {one: {steps: [{call: echo, arguments: {message: hello}}]}}
load: {users: USERS, rounds: 2, round: 1s, warmup: 300ms}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
gates: [mcp.error_rate < 50%, mcp.p95 < LIMIT]
"""
SHORT = '"load.round=500ms"'
PATIENT = (
    '"limits.loop_lag_p99=10s", "limits.lost_time=100%", "limits.generator_cpu=100%", '
    '"gates.0=rest.error_rate < 20%", "gates.1=mcp.error_rate < 20%"'
)
"""Limits for the page's load run, because other tests keep the machine busy meanwhile."""


@pytest.fixture(scope="session")
def runners() -> ModuleType:
    """Load the simulated CI services."""
    return simulated_services


@pytest.fixture(scope="session")
def port() -> str:
    """Return a free port: the one in the files may be taken."""
    return str(free_port())


@pytest.fixture
def repository(tmp_path, port) -> Path:
    """Write a user's repository: a server, a scenario, and benchmarks."""
    folder = tmp_path / "repository"
    benchmarks = folder / "tests" / "benchmarks"
    benchmarks.mkdir(parents=True)
    server = folder / "start-my-server"
    server.write_text(
        f"#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m mcp_targets.echo --port {port}\n"
    )
    server.chmod(0o755)
    page = (ROOT / "docs" / "how-to" / "benchmarks.md").read_text("utf-8")
    for block in re.findall(r"^```(?:python|yaml)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        name = re.match(r"# (\w+\.py)", block)
        path = benchmarks / (name[1] if name else "gates.yaml")
        path.write_text(block.replace("8000", port).replace(SHORT, f"{SHORT}, {PATIENT}"))
    return folder


@pytest.fixture
def scenario(repository) -> Callable[..., None]:
    """Write the user's scenario."""

    def write(*, users: int = 2, limit: str = "10s") -> None:
        text = SCENARIO.replace("USERS", str(users)).replace("LIMIT", limit)
        (repository / "load.yaml").write_text(text)

    return write


@pytest.fixture(scope="session")
def image(_processes, tmp_path_factory) -> Installed:
    """Return the environment that the first job installs mcp-perf into."""
    folder = tmp_path_factory.mktemp("image")
    wheel = build("build_wheel", folder)
    return Installed(folder / "python", wheel, "pytest", "pytest-benchmark")


@pytest.fixture
def machine(image, repository, environment, runners) -> Iterator:
    """Return a shell in the repository; its `pip` uses an index with only the wheel."""
    path = f"{image.bin}:{environment['PATH']}"
    env = {**environment, **image.settings, "PATH": path}
    env.pop("PYTHONPATH", None)
    shell = runners.Shell(repository, env)
    yield shell
    shell.end()
