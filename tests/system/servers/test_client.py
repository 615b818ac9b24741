"""Our client against third-party servers: two SDKs, a framework, two eras."""

import urllib.request
from dataclasses import dataclass

import pytest

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.tools import Tool

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
pytestmark = pytest.mark.network


@dataclass(frozen=True)
class Peer:
    """What is known about a server: its fixture, and tools that succeed, fail and refuse."""

    fixture: str
    good: tuple[str, dict]
    says: str
    bad: tuple[str, dict]
    why: str
    wrong: dict
    modern: bool = True
    sessions: bool = True


_GREET = ("greet", {"name": "Ada", "times": 2})
_BOOM = ("boom", {"name": "Ada"})
_WRONG = {"name": ["Ada"]}
_HELLO = "hello Ada, hello Ada"
PEERS = {
    "sdk-sse": Peer("sdk_sse", _GREET, _HELLO, _BOOM, "executing tool boom", _WRONG),
    "sdk-json": Peer("sdk_json", _GREET, _HELLO, _BOOM, "executing tool boom", _WRONG),
    "sdk-stateless": Peer(
        "sdk_stateless", _GREET, _HELLO, _BOOM, "executing tool boom", _WRONG, sessions=False
    ),
    "fastmcp": Peer("fastmcp", _GREET, _HELLO, _BOOM, "no luck for Ada", _WRONG),
    "everything": Peer(
        "everything",
        ("get-sum", {"a": 2, "b": 3}),
        "The sum of 2 and 3 is 5.",
        ("gzip-file-as-resource", {"data": "http://127.0.0.1:1/x"}),
        "not in the allowed domains",
        {"a": "two", "b": 3},
        modern=False,
    ),
}
DOORS = [
    (name, protocol)
    for name, peer in PEERS.items()
    for protocol in (MODERN, HANDSHAKE, "auto")
    if peer.modern or protocol != MODERN
]


@pytest.fixture(params=DOORS, ids=["/".join(door) for door in DOORS])
def door(request):
    """Give a peer, a client with an open session, and the tools that the server lists."""
    name, protocol = request.param
    peer = PEERS[name]
    server = request.getfixturevalue(peer.fixture)
    client = HttpClient(Endpoint.of(server.url), protocol)
    newest = MODERN if peer.modern else HANDSHAKE
    assert client.negotiate() == (newest if protocol == "auto" else protocol)
    yield peer, client, client.list_tools()
    client.close()


def connect(server, protocol: str, tool: str) -> tuple[HttpClient, Tool]:
    """Open a session; return it with one of the tools."""
    client = HttpClient(Endpoint.of(server.url), protocol)
    client.negotiate()
    return client, client.list_tools()[tool]


def test_a_good_call_brings_what_the_tool_returned(door):
    """A tool that succeeds is `ok`, and its text is in the reply."""
    peer, client, tools = door
    name, arguments = peer.good
    reply = client.call(Call(tools[name], arguments))
    assert (reply.outcome, reply.status, reply.detail) == ("ok", 200, "")
    assert peer.says in str(reply.json()["result"]["content"][0]["text"])


def test_a_tool_that_fails_is_a_tool_error_with_its_reason(door):
    """An exception in the tool comes with HTTP 200 and is a `tool_error` all the same."""
    peer, client, tools = door
    name, arguments = peer.bad
    reply = client.call(Call(tools[name], arguments))
    assert (reply.outcome, reply.status) == ("tool_error", 200)
    assert peer.why in reply.detail


def test_an_unknown_tool_is_an_error_that_names_it(door):
    """A tool that the server does not have is a failure, and its name is in the reason."""
    _, client, _ = door
    reply = client.call(Call(Tool("no-such-tool", {}), {}))
    assert reply.outcome == "tool_error"
    assert "no-such-tool" in reply.detail


def test_wrong_arguments_are_an_error(door):
    """The server refuses arguments that the schema forbids, and we see that."""
    peer, client, tools = door
    reply = client.call(Call(tools[peer.good[0]], peer.wrong))
    assert reply.outcome == "tool_error"
    assert "alid" in reply.detail


def test_twenty_calls_and_their_errors_share_one_connection(door):
    """Whatever the replies look like, their connection is used again."""
    peer, client, tools = door
    good, bad = (Call(tools[name], arguments) for name, arguments in (peer.good, peer.bad))
    outcomes = [client.call(call).outcome for call in [good] * 10 + [bad] + [good] * 9]
    assert outcomes == ["ok"] * 10 + ["tool_error"] + ["ok"] * 9
    assert client.pool.connections[0].opened == 1


@pytest.mark.parametrize(
    "door",
    [
        ("sdk-sse", HANDSHAKE),
        ("sdk-json", MODERN),
        ("fastmcp", "auto"),
        ("everything", "auto"),
    ],
    indirect=True,
    ids="/".join,
)
def test_a_connection_that_the_server_closed_idle_is_replaced_unseen(door, until):
    """After the server's keep-alive time, the next call succeeds on a new connection."""
    peer, client, tools = door
    call = Call(tools[peer.good[0]], peer.good[1])
    assert client.call(call).outcome == "ok"
    [connection] = client.pool.connections
    assert connection.has_ended(5)
    until(connection._is_stale, "the server keeps the idle connection open", 120)
    reply = client.call(call)
    assert (reply.outcome, reply.session_lost) == ("ok", False)
    assert connection.opened == 2


def test_a_tool_that_is_only_called_as_a_task_is_one_call(everything):
    """The reference server works for four seconds and asks for a poll once a second."""
    told = []
    client = HttpClient(Endpoint.of(everything.url), observe=lambda name, _reply: told.append(name))
    client.negotiate()
    tool = client.list_tools()["simulate-research-query"]
    assert tool.may_be_task
    reply = client.call(Call(tool, {"topic": "tea"}, task_ttl_ms=60_000), None, 60.0)
    assert (reply.outcome, told.count("tasks/result")) == ("ok", 1)
    assert "# Research Report: tea" in reply.json()["result"]["content"][0]["text"]
    assert told.count("tasks/get") >= 1
    client.close()


@pytest.mark.parametrize("name", [name for name, peer in PEERS.items() if peer.sessions])
def test_a_session_that_was_ended_behind_our_back_is_opened_again(name, request):
    """A call in a lost session is repeated in a new one; the reply says that it was lost."""
    peer = PEERS[name]
    server = request.getfixturevalue(peer.fixture)
    client, tool = connect(server, HANDSHAKE, peer.good[0])
    call = Call(tool, peer.good[1])
    end = urllib.request.Request(
        server.url,
        method="DELETE",
        headers={
            "Mcp-Session-Id": client.messenger.session.id,
            "MCP-Protocol-Version": HANDSHAKE,
            "Accept": "application/json, text/event-stream",
        },
    )
    urllib.request.urlopen(end, timeout=10).close()
    replies = [client.call(call) for _ in range(3)]
    assert [reply.outcome for reply in replies] == ["ok"] * 3
    assert [reply.session_lost for reply in replies] == [True, False, False]
    client.close()


@pytest.mark.parametrize(
    ("name", "protocol", "lost"),
    [
        ("sdk-sse", HANDSHAKE, True),
        ("sdk-sse", MODERN, False),
        ("sdk-stateless", HANDSHAKE, False),
        ("fastmcp", HANDSHAKE, True),
        ("everything", HANDSHAKE, True),
    ],
)
def test_a_restarted_server_is_found_again(name, protocol, lost, request):
    """After a crash and a restart on the same port the next call succeeds in a new session."""
    peer = PEERS[name]
    server = request.getfixturevalue(peer.fixture)
    client, tool = connect(server, protocol, peer.good[0])
    call = Call(tool, peer.good[1])
    assert client.call(call).outcome == "ok"
    server.stop()
    server.start()
    reply = client.call(call)
    assert (reply.outcome, reply.detail, reply.session_lost) == ("ok", "", lost)
    client.close()
