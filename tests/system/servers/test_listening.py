"""Real servers that report changes, by every transport and in both eras; and cancellation."""

import sys
from pathlib import Path

import pytest

from mcp_perf.client.channels.legacy_sse import SseChannel
from mcp_perf.client.channels.stdio import Command, StdioChannel
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.subscriptions import LIST_CHANGED, UPDATED, Wanted

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
EVERYTHING = "@modelcontextprotocol/server-everything"
APP = (sys.executable, str(Path(__file__).with_name("listening_app.py")))
DOORS = [
    *(("http", MODERN), ("http", HANDSHAKE), ("stdio", MODERN), ("stdio", HANDSHAKE)),
    ("sse", HANDSHAKE),
]
pytestmark = pytest.mark.network


@pytest.fixture
def connect():
    """Open sessions; all close with the test."""
    clients = []

    def connected(transport, target, protocol):
        if transport == "http":
            client = HttpClient(Endpoint.of(target), protocol)
        elif transport == "sse":
            client = SessionClient(SseChannel(Endpoint.of(target)), protocol)
        else:
            client = SessionClient(StdioChannel(Command(target, timeout_s=30.0)), protocol)
        clients.append(client)
        client.negotiate()
        client.tools = client.list_tools()
        return client

    yield connected
    for client in clients:
        client.close()


@pytest.fixture(params=DOORS, ids="/".join)
def client(request, connect, start):
    """Open a session with the Python SDK's app through each transport."""
    transport, protocol = request.param
    if transport == "http":
        target = start("listening_app.py").url
    elif transport == "sse":
        target = f"{start('listening_app.py', '--sse').base}/sse"
    else:
        target = APP
    return connect(transport, target, protocol)


def ok(reply) -> None:
    """Assert that a call was ok, or that none was needed."""
    assert reply is None or reply.outcome == "ok", reply.detail


def test_changes_are_told_to_who_listens(client):
    """Changes of its resource and its list, in two journeys; then no stream is left."""
    touch, grow = (Call(client.tools[name], None) for name in ("touch", "grow"))
    for _ in range(2):
        ok(client.listening.listen(Wanted(uri="res://mine")))
        ok(client.listening.listen(Wanted(("tools",))))
        before_ns = client.terms.clock()
        ok(client.call(touch, {"uri": "res://other"}) if client.terms.modern else None)
        ok(client.call(touch, {"uri": "res://mine"}))
        ok(client.listening.awaited(UPDATED, "res://mine", before_ns, 10))
        ok(client.call(grow, {}))
        grown = client.listening.awaited(LIST_CHANGED["tools"], "", before_ns, 10)
        ok(grown)
        assert grown.start_ns == before_ns < grown.end_ns
        late = client.listening.awaited(UPDATED, "res://mine", 0, 0.02)
        assert (late.outcome, late.detail) == (
            "timeout",
            "no resources/updated of res://mine came in time",
        )
        client.listening.unlisten()
        assert client.listening.awaited(UPDATED).outcome == "transport_error"
    assert client.call(touch, {"uri": "res://mine"}).heard is None or not client.terms.modern


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_the_reference_server_tells_of_its_resources(
    transport, connect, node_server, start_everything
):
    """server-everything updates what was subscribed to as soon as it is switched on."""
    if transport == "stdio":
        target = (*node_server(EVERYTHING), "stdio")
    else:
        target = start_everything("streamableHttp").url
    client = connect(transport, target, HANDSHAKE)
    uri = "demo://resource/dynamic/text/1"
    ok(client.listening.listen(Wanted(uri=uri)))
    ok(client.call(Call(client.tools["toggle-subscriber-updates"], {})))
    ok(client.listening.awaited(UPDATED, uri, 0, 10))


def test_a_server_that_has_no_subscriptions_says_so(connect, fastmcp):
    """With fastmcp neither way is supported: an error in either era, not silence."""
    modern = connect("http", fastmcp.url, MODERN).listening.listen(Wanted(("tools",)))
    assert (modern.outcome, modern.detail[:6]) == ("rpc_error", "-32601")
    subscribed = connect("http", fastmcp.url, HANDSHAKE).listening.listen(Wanted(uri="a://b"))
    assert (subscribed.outcome, subscribed.detail[:6]) == ("rpc_error", "-32601")


@pytest.mark.parametrize("protocol", [MODERN, HANDSHAKE])
def test_no_streams_pile_up(protocol, connect, start_system, until):
    """A hundred journeys leave as much as one: nothing, or the session's one stream."""
    echo = start_system()
    client = connect("http", echo.url, protocol)
    for _ in range(100):
        ok(client.listening.listen(Wanted(("tools",), "echo://a")))
        client.listening.unlisten()
    kept = 0 if protocol == MODERN else 1
    until(lambda: echo.get("/_counters")["streams_open"] == kept, "streams stay open", 120)
    client.close()
    until(lambda: echo.get("/_counters")["streams_open"] == 0, "a stream outlives its user", 120)


@pytest.mark.parametrize("protocol", [MODERN, HANDSHAKE])
def test_who_waits_is_told_that_the_server_has_gone(protocol, connect, start_system):
    """At once and with the reason, not by a timeout."""
    echo = start_system()
    client = connect("http", echo.url, protocol)
    ok(client.listening.listen(Wanted(uri="echo://a")))
    echo.stop()
    lost = client.listening.awaited(UPDATED, "echo://a", 0, 30)
    assert lost.outcome == "transport_error"
    assert "stream" in lost.detail


@pytest.mark.parametrize("protocol", [MODERN, HANDSHAKE])
def test_a_call_that_times_out_stops_at_the_server(protocol, connect, start_system, until):
    """Not only a cancelled call: by the end of the connection, or by a notification."""
    echo = start_system()
    client = connect("http", echo.url, protocol)
    reply = client.call(Call(client.tools["sleep"], {"ms": 30_000}), None, 0.05)
    assert reply.outcome == "timeout"
    until(lambda: echo.get("/_counters")["running"] == 0, "the work goes on", 120)
    assert echo.get("/_counters")["cancelled"] == 1


@pytest.mark.parametrize("switches", [(), ("--replies", "sse")], ids=["json", "sse"])
def test_the_end_of_a_cancelled_call_is_told(switches, connect, start_system):
    """Echo ends it with -32800; the user goes on over the same connection."""
    client = connect("http", start_system(*switches).url, HANDSHAKE)
    slow = {"steps": 1000, "interval_ms": 10}
    for tool, arguments in (("sleep", {"ms": 30_000}), ("progress", slow)):
        call = Call(client.tools[tool], arguments, progress=True)
        reply, stop = client.cancelled_call(call, None, 0.05)
        assert (reply.outcome, stop.told) == ("ok", True)
    opened = client.pool.connections[0].opened
    ok(client.call(Call(client.tools["echo"], {"message": "x"})))
    assert client.pool.connections[0].opened == opened


def test_the_sdk_tells_the_end_of_a_cancelled_call(connect, start):
    """With mcp 2.3, the call's stream ends with an error as soon as the notification arrives."""
    client = connect("http", start("asking_app.py").url, HANDSHAKE)
    reply, stop = client.cancelled_call(Call(client.tools["hang"], {}), None, 0.1)
    assert (reply.outcome, stop.told) == ("ok", True)
