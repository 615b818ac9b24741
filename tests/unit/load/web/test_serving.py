"""How an application is served behind its lock."""

import pytest
import uvicorn
from fastapi.testclient import TestClient

from mcp_perf.load.web.serving import listen, locked, serve


@pytest.fixture
def served(monkeypatch):
    """Serve nothing; return the configurations of all attempts."""
    configured = []

    class Server:
        def __init__(self, config):
            configured.append(config)

        def run(self, sockets):
            assert sockets

    monkeypatch.setattr(uvicorn, "Server", Server)
    return configured


def test_nobody_gets_more_guesses_by_naming_another_client(served, monkeypatch):
    """Anybody on this machine can write X-Forwarded-For."""
    monkeypatch.setenv("MCP_PERF_WEB_PASSWORD", "a long enough password")
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        app, _ = locked(lambda *_: None, "127.0.0.1", port, login=True)
        serve(app, listener)
    [config] = served
    config.load()
    base = f"http://127.0.0.1:{port}"
    client = TestClient(config.loaded_app, base_url=base, client=("127.0.0.1", 1))
    codes = [
        client.post(
            "/login", data={"password": "wrong"}, headers={"X-Forwarded-For": f"10.0.0.{guess}"}
        ).status_code
        for guess in range(8)
    ]
    assert 429 in codes
