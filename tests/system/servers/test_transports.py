"""Our client over stdio and HTTP+SSE, against third-party servers."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mcp_perf.client.channels.legacy_sse import SseChannel
from mcp_perf.client.channels.stdio import Command, StdioChannel
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.tools import Tool
from tests.support import ROOT

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
HERE = Path(__file__).parent
APP = (sys.executable, str(HERE / "transports_app.py"))
FASTMCP_APP = (sys.executable, str(HERE / "transports_fastmcp_app.py"))
MEMORY = "@modelcontextprotocol/server-memory"
EVERYTHING = "@modelcontextprotocol/server-everything"
pytestmark = pytest.mark.network


@dataclass(frozen=True)
class Peer:
    """What is known about a server: a good call, its answer, and the newest version it speaks."""

    tool: str
    arguments: dict
    says: str
    newest: str = MODERN
    bad: tuple[str, dict] | None = None
    argv: tuple[str, ...] = ()
    npm: str = ""
    env: dict = field(default_factory=dict)


_GREET = ("greet", {"name": "Ada", "times": 2}, "hello Ada, hello Ada")
_BOOM = ("boom", {"name": "Ada"})
STDIO = {
    "sdk": Peer(*_GREET, bad=_BOOM, argv=APP),
    "fastmcp": Peer(*_GREET, bad=_BOOM, argv=FASTMCP_APP),
    "time": Peer(
        "convert_time",
        {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"},
        "+9.0h",
        bad=("get_current_time", {"timezone": "Nowhere/City"}),
        argv=(sys.executable, "-m", "mcp_server_time"),
    ),
    "git": Peer(
        "git_log",
        {"repo_path": str(ROOT), "max_count": 1},
        "Commit",
        bad=("git_status", {"repo_path": "/nowhere"}),
        argv=(sys.executable, "-m", "mcp_server_git"),
    ),
    "memory": Peer(
        "search_nodes", {"query": "x"}, "entities", newest=HANDSHAKE, npm=MEMORY,
        env={"MEMORY_FILE_PATH": os.devnull},
    ),
    "everything": Peer(
        "get-sum", {"a": 2, "b": 3}, "The sum of 2 and 3 is 5.", newest=HANDSHAKE,
        bad=("gzip-file-as-resource", {"data": "http://127.0.0.1:1/x"}), npm=EVERYTHING,
        env={"GZIP_ALLOWED_DOMAINS": "nowhere.invalid"},
    ),
}  # fmt: skip
DOORS = [
    ("sdk", MODERN),
    ("sdk", HANDSHAKE),
    ("sdk", "auto"),
    ("fastmcp", HANDSHAKE),
    ("fastmcp", "auto"),
    ("time", HANDSHAKE),
    ("time", "auto"),
    ("git", HANDSHAKE),
    ("git", "auto"),
    ("memory", "auto"),
    ("everything", "auto"),
]
STREAMS = {
    "sdk": STDIO["sdk"],
    "fastmcp": STDIO["fastmcp"],
    "everything": STDIO["everything"],
    "proxy": STDIO["sdk"],
}


@pytest.fixture(scope="module", params=DOORS, ids="/".join)
def stdio(request, node_server):
    """Give a peer, a client with an open session over stdio, and the tools it lists."""
    name, protocol = request.param
    peer = STDIO[name]
    argv = (*node_server(peer.npm), "stdio") if peer.npm else peer.argv
    env = {"PYTHONPATH": "", "OTEL_SDK_DISABLED": "true", **peer.env}
    client = SessionClient(StdioChannel(Command(tuple(argv), env=env, timeout_s=30.0)), protocol)
    assert client.negotiate() == (peer.newest if protocol == "auto" else protocol)
    yield peer, client, client.list_tools()
    client.close()
    assert client.pids() == []


@pytest.fixture(scope="module", params=list(STREAMS))
def sse(request, start, start_everything, start_proxy):
    """Give a peer, a client with an open session over HTTP+SSE, and the tools it lists."""
    name = request.param
    if name == "proxy":
        server = start_proxy(*APP)
    elif name == "everything":
        server = start_everything("sse")
    else:
        server = start("transports_app.py" if name == "sdk" else "transports_fastmcp_app.py")
    client = SessionClient(SseChannel(Endpoint.of(f"{server.base}/sse", timeout_s=30.0)))
    assert client.negotiate() in ("2025-11-25", "2025-06-18")
    yield STREAMS[name], client, client.list_tools()
    client.close()


def check(door):
    """Test all ends of a call in one session, because starting a process is expensive."""
    peer, client, tools = door
    reply = client.call(Call(tools[peer.tool], peer.arguments))
    assert (reply.outcome, reply.detail) == ("ok", "")
    assert peer.says in reply.json()["result"]["content"][0]["text"]
    unknown = client.call(Call(Tool("no-such-tool", {}), {}))
    assert unknown.outcome in ("tool_error", "rpc_error")
    if peer.bad is not None:
        name, arguments = peer.bad
        assert client.call(Call(tools[name], arguments)).outcome == "tool_error"
    call = Call(tools[peer.tool], None)
    replies = [client.call(call, peer.arguments) for _ in range(20)]
    assert [(reply.outcome, reply.session_lost) for reply in replies] == [("ok", False)] * 20


def test_calls_over_stdio_end_as_they_should(stdio):
    """Success, a tool's failure, an unknown tool, and twenty calls in one session."""
    check(stdio)


def test_calls_over_sse_end_as_they_should(sse):
    """The same over HTTP+SSE, also if a proxy turns it into stdio."""
    check(sse)


@pytest.fixture(scope="module")
def proxied(start_proxy, node_server):
    """Start one mcp-proxy with all of the stdio servers behind it."""
    argvs = {
        name: [*node_server(peer.npm), "stdio"] if peer.npm else [*peer.argv]
        for name, peer in STDIO.items()
    }
    return start_proxy(**argvs)


@pytest.mark.parametrize("name", list(STDIO))
def test_every_stdio_server_is_reached_through_a_proxy(proxied, name):
    """By HTTP+SSE and by streamable HTTP, in a session that the proxy continues."""
    endpoint = Endpoint.of(f"{proxied.base}/servers/{name}/sse", timeout_s=30.0)
    sse = SessionClient(SseChannel(endpoint))
    http = HttpClient(Endpoint.of(f"{proxied.base}/servers/{name}/mcp", timeout_s=30.0))
    for client in (sse, http):
        assert client.negotiate() in ("2025-11-25", "2025-06-18")
        check((STDIO[name], client, client.list_tools()))
        client.close()


def test_a_proxy_is_a_stdio_server_too(start, proxy):
    """mcp-proxy forwards a session from stdio to a server over HTTP+SSE."""
    server = start("transports_app.py")
    command = Command((*proxy, f"{server.base}/sse"), timeout_s=30.0)
    client = SessionClient(StdioChannel(command))
    client.negotiate()
    check((STDIO["sdk"], client, client.list_tools()))
    assert server.get("/calls")["by_tool"]["greet"] == 21
    client.close()


@pytest.mark.parametrize(
    "stdio", [("sdk", HANDSHAKE), ("time", "auto"), ("memory", "auto")], indirect=True, ids="/".join
)
def test_a_real_server_that_dies_is_started_again(stdio):
    """After a kill from outside, it is restarted for the next call, in the same era."""
    peer, client, tools = stdio
    [pid] = client.pids()
    os.kill(pid, 9)
    replies = [client.call(Call(tools[peer.tool], peer.arguments)) for _ in range(3)]
    assert [reply.outcome for reply in replies][1:] == ["ok", "ok"]
    assert sum(reply.session_lost for reply in replies) == 1
    assert client.pids() != [pid]


@pytest.mark.parametrize("name", ["sdk", "everything"])
def test_a_restarted_sse_server_is_found_again(name, start, start_everything):
    """The stream ends with the server; the next call opens a new one."""
    server = start("transports_app.py") if name == "sdk" else start_everything("sse")
    peer = STREAMS[name]
    client = SessionClient(SseChannel(Endpoint.of(f"{server.base}/sse")))
    client.negotiate()
    call = Call(client.list_tools()[peer.tool], peer.arguments)
    assert client.call(call).outcome == "ok"
    server.stop()
    server.start()
    replies = [client.call(call) for _ in range(3)]
    assert [reply.outcome for reply in replies][1:] == ["ok", "ok"]
    assert sum(reply.session_lost for reply in replies) == 1
    client.close()
