"""A dashboard over a store of the test's own, in process."""

from collections.abc import Callable

import httpx
import pytest
from fastapi.testclient import TestClient

from mcp_perf.dashboard.app import create_app


@pytest.fixture
def store(tmp_path) -> str:
    """Return the address of an empty store."""
    return f"sqlite:///{tmp_path}/history.sqlite"


@pytest.fixture
def ask(store) -> Callable[..., httpx.Response]:
    """GET a path as a browser does, or, with another `accept`, as a program."""

    def get(path: str, accept: str = "text/html", at: str = store) -> httpx.Response:
        client = TestClient(create_app(at), raise_server_exceptions=False, follow_redirects=False)
        return client.get(path, headers={"Accept": accept})

    return get
