"""A dashboard in process, with a store for each test."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from mcp_perf.dashboard.app import create_app
from mcp_perf.results.document.document import Report
from tests.support import dashboard as runs


@pytest.fixture(autouse=True)
def runs_folder(tmp_path, monkeypatch) -> Path:
    """Return the folder in which the dashboard looks for runs that go on."""
    monkeypatch.setenv("MCP_PERF_OUT", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def store(tmp_path) -> str:
    """Return the address of an empty store."""
    return f"sqlite:///{tmp_path}/history.sqlite"


@pytest.fixture
def ask(store) -> Callable[..., httpx.Response]:
    """GET a path as a browser does or, with another `accept`, as a program."""

    def get(path: str, accept: str = "text/html", at: str = store) -> httpx.Response:
        client = TestClient(create_app(at), raise_server_exceptions=False, follow_redirects=False)
        return client.get(path, headers={"Accept": accept})

    return get


@pytest.fixture
def printed(monkeypatch) -> list[str]:
    """Take the place of Typst; return the pages that it gets."""
    pages: list[str] = []

    def render(text: str) -> bytes:
        pages.append(text)
        return b"%PDF-1.7"

    monkeypatch.setattr("mcp_perf.results.render.files.pdf.render", render)
    return pages


@pytest.fixture
def remember(store, example) -> Callable[..., Report]:
    """Add a run to the store; `slower` makes its times longer, and its rates lower."""

    def put(run_id: str, slower: float = 1.0, report: Report | None = None, **changes) -> Report:
        return runs.remember(store, report or example.report(), run_id, slower, **changes)

    return put
