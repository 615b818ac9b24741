"""Scenarios generated for third-party servers are accepted and do no harm."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mcp_perf.load.survey.choice import is_destructive
from mcp_perf.load.survey.given import of_command, of_line
from mcp_perf.load.survey.survey import survey
from mcp_perf.load.survey.writing import scenario
from mcp_perf.scenario.loader import load_text
from tests.support import ROOT, foreign
from tests.system.servers.test_foreign_servers import peers

pytestmark = [pytest.mark.process, pytest.mark.network]

REFUSED = re.compile(r"-32602|invalid|validation|schema|required|expected", re.IGNORECASE)


def by_stdio():
    """Return the commands of servers over stdio."""
    everything = foreign.node_server(foreign.EVERYTHING)
    return {
        "everything-stdio": [*everything, "stdio"],
        "memory": foreign.node_server("@modelcontextprotocol/server-memory"),
        "time": [sys.executable, "-m", "mcp_server_time"],
        "git": [sys.executable, "-m", "mcp_server_git", "--repository", str(ROOT)],
    }


@pytest.fixture
def given_servers(start_foreign):
    """Start the servers that listen on a port; return how to point at each."""
    known = {name: peer for name, peer in peers().items() if "proxy" not in name}
    with ThreadPoolExecutor(4) as pool:
        servers = pool.map(lambda item: start_foreign(item[0], item[1].argv), known.items())
        ports = dict(zip(known, (server.port for server in servers), strict=True))
    lines = {name: f"http://127.0.0.1:{ports[name]}{peer.path}" for name, peer in known.items()}
    given = {
        name: of_line(f"sse:{line}" if line.endswith("/sse") else line)
        for name, line in lines.items()
    }
    return given | {name: of_command(argv) for name, argv in by_stdio().items()}


def test_a_scenario_is_made_for_servers_of_others(given_servers, tmp_path):
    """Each has a tool that is ok, nine of ten calls are accepted, no destructive tool is called."""
    assert len(given_servers) >= 12

    def made(item):
        (folder := tmp_path / item[0]).mkdir()
        return survey(item[1], folder, {}, lambda _names: False)

    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(given_servers, pool.map(made, given_servers.items()), strict=True))
    refused, called = [], 0  # tools
    for name, one in found.items():
        assert one.calls, name
        assert not any(is_destructive(one.target.tools[tool]) for tool in one.calls)
        text = scenario(one.given, one.calls, "{users: 1}", base=Path(), remarks=one.remarks())
        assert len(load_text(text, name, Path()).scenario.journeys) == len(one.calls)
        called += len(one.calls)
        refused += [f"{name}: {why}" for why in one.left.values() if "_error for" in why]
    unfit = [why for why in refused if REFUSED.search(why.partition("}: ")[2])]
    print(f"{called} tools of {len(found)} servers are ok; refused: {refused}")
    assert len(unfit) <= 0.1 * (called + len(refused)), unfit
