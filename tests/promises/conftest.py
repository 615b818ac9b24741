"""An echo system with the switches that a test wants, and scenarios for it."""

import contextlib
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_targets.serving.processes import Child

CASE = """
name: case
title: A case
arms: {mcp: {mcp: "BASE/mcp"}}
journeys: {one: {steps: [{CALL}]}}
load: {users: 2}
"""


@pytest.fixture(scope="session")
def start_echo(tmp_path_factory, _processes) -> Iterator[Callable[..., str]]:
    """Start an echo system with these switches; return its base address. All end with the session.

    Unlike `system:echo`, it outlives the run and reports what it saw.
    """
    folder = tmp_path_factory.mktemp("echo")
    with contextlib.ExitStack() as running:

        def start(*switches: str) -> str:
            place = folder / str(len(list(folder.iterdir())))
            place.mkdir()
            child = Child("echo", "echo", switches, place / "ready.json", place / "echo.log")
            running.callback(child.stop)
            return f"http://127.0.0.1:{child.port()}"

        yield start


@pytest.fixture(scope="session")
def echo(start_echo) -> str:
    """Return the address of an echo system that answers at once."""
    return start_echo()


@pytest.fixture(scope="session")
def counters() -> Callable[[str], dict[str, Any]]:
    """Return the counters of an echo system."""

    def ask(base: str) -> dict[str, Any]:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{base}/_counters", timeout=10) as reply:
            return json.load(reply)

    return ask


@pytest.fixture
def case(tmp_path) -> Callable[..., Path]:
    """Write a scenario of one call; return its path."""

    def write(
        base: str, call: str = "call: echo, arguments: {message: hi}", more: str = ""
    ) -> Path:
        path = tmp_path / "case.yaml"
        path.write_text(CASE.replace("BASE", base).replace("CALL", call) + more)
        return path

    return write
