"""`mcp-perf dashboard`: what it serves, refuses and deletes."""

import json
import socket
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from mcp_perf.cli.main import main
from mcp_perf.results.compare.stored import runs
from tests.support.dashboard import remember


@pytest.fixture
def store(tmp_path):
    """Return the address of an empty store."""
    return f"sqlite:///{tmp_path}/history.sqlite"


def call(*words):
    """Run the command."""
    return CliRunner().invoke(main, ["dashboard", *words], prog_name="mcp-perf")


def test_it_serves_the_store_behind_a_key(store, monkeypatch):
    """The printed address opens it, and nothing else does."""
    found = {}

    def serve(app, listener):
        with listener:
            base = f"http://127.0.0.1:{listener.getsockname()[1]}"
            client = TestClient(app, base_url=base)
            found["outside"] = client.get("/runs").status_code
            key = app.admission.key
            found["inside"] = client.get(f"/?key={key}", headers={"Accept": "text/html"})

    monkeypatch.setattr("mcp_perf.load.web.serving.serve", serve)
    asked = call("--store", store, "--port", "0", "--host", "localhost", "--json")
    assert asked.exit_code == 0, asked.output
    assert f"{json.loads(asked.stdout)['address']}?key=" in asked.stderr
    assert found["outside"] == 403
    assert "There is no run yet" in found["inside"].text


def test_old_runs_are_pruned(store, example):
    """Runs that began more than that many days ago are deleted; nothing is served."""
    today = datetime.now(UTC)
    for days in (100, 91, 89):
        started = (today - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        remember(store, example.report(rounds=1), f"r{days}", started=started)
    asked = call("--store", store, "--prune", "90d", "--json")
    assert json.loads(asked.stdout) == {"deleted": 2}
    assert [one.run_id for one in runs(store).runs] == ["r89"]
    assert "Deleted 1 run that" in call("--store", store, "--prune", "80d").stdout
    assert "Deleted 0 runs" in call("--store", store, "--prune", "80d").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--prune", "90"), "write it like 90d"),
        (("--store", "nowhere"), "not the URL of a database"),
        (("--store", "sqlite:////proc/no/x.sqlite", "--prune", "1d"), "cannot be used"),
        (("--host", "0.0.0.0", "--port", "0"), "without a login"),
        (("--login", "--port", "0"), "--login: MCP_PERF_WEB_PASSWORD is not set"),
    ],
)
def test_what_cannot_be_is_refused_in_the_words_of_the_command(words, said):
    """With the options that it has."""
    asked = call(*words)
    assert asked.exit_code == 104
    assert said in asked.output
    assert "--web-" not in asked.output


def test_a_port_that_is_taken_is_refused(store):
    """With its number."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        asked = call("--store", store, "--port", str(port))
    assert asked.exit_code == 104
    assert f"--port {port}: cannot be used" in asked.output
