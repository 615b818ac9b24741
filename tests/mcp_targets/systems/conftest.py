"""Real systems in real processes, started once for all tests of this folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mcp_targets.systems.launcher import Systems
from mcp_targets.systems.processes import Child


@pytest.fixture(scope="session")
def systems(tmp_path_factory) -> Iterator[Systems]:
    """Start systems on first use, for the whole session."""
    with Systems(tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture(scope="session")
def echo(systems) -> Iterator[httpx.Client]:
    """Return a client of an echo system without switches."""
    with httpx.Client(base_url=systems.face("echo/rest").url) as client:
        yield client


@pytest.fixture(scope="session")
def start(tmp_path_factory) -> Iterator[Callable[..., str]]:
    """Start a system's process with switches, once per set of switches; return its address."""
    folder: Path = tmp_path_factory.mktemp("processes")
    children: dict[tuple[str, ...], Child] = {}

    def run(module: str, *arguments: str) -> str:
        key = (module, *arguments)
        if key not in children:
            name = f"{module}-{len(children)}"
            log = folder / f"{name}.log"
            children[key] = Child(name, module, arguments, folder / f"{name}.json", log)
        return f"http://127.0.0.1:{children[key].port()}"

    yield run
    for child in children.values():
        child.stop()
