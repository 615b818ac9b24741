"""Bundled systems that a test can ask and disturb while a run goes on."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mcp_targets.launcher.systems import Systems


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
