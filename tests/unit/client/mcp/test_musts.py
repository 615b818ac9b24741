"""What the specification makes a client do or refuse, by what goes over the wire."""

import json

import pytest

from mcp_perf.client.errors import CallTimeout
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.lists import list_all
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.answers import Responder
from tests.unit.client.mcp.test_mcp_conversation import (
    ACCEPTED,
    DONE,
    ECHO,
    HANDSHAKE,
    MODERN,
    REFUSED,
    RESULT,
    answers,
    body_of,
    http,
    open_client,
    says,
    stream,
)
from tests.unit.client.mcp.test_session import SILENT, Peer, modern, opened

__all__ = ["open_client"]
BATCHING = "2025-03-26"
WORDS = Responder(
    elicitation={"action": "accept"},
    sampling={"role": "assistant", "content": {"type": "text", "text": "hi"}, "model": "m"},
)
UNDECLARED = {
    "tools": ("sampling/createMessage", {"messages": [], "tools": []}, "'tools'"),
    "toolChoice": ("sampling/createMessage", {"toolChoice": {"mode": "auto"}}, "'toolChoice'"),
    "mode": ("elicitation/create", {"mode": "voice", "message": "Who?"}, "mode 'voice'"),
}
undeclared = pytest.mark.parametrize(
    ("method", "params", "named"), UNDECLARED.values(), ids=UNDECLARED
)


@undeclared
def test_what_was_not_declared_is_refused_in_a_session(open_client, method, params, named):
    """Up to 2025-11-25 the server gets -32602, and the call goes on to its answer."""
    asked = json.dumps({"jsonrpc": "2.0", "id": "s-1", "method": method, "params": params})
    client, server = open_client(
        REFUSED,  # the GET stream, which answers make a client open
        stream(f"data: {asked}", DONE),
        ACCEPTED,
        protocol=HANDSHAKE,
        answers=WORDS,
    )
    assert client.call(Call(ECHO, {})).outcome == "ok"
    [refusal] = [body for body in map(_body, server.requests) if body.get("id") == "s-1"]
    assert refusal["error"]["code"] == -32602
    assert named in refusal["error"]["message"]


@undeclared
def test_what_was_not_declared_ends_a_call_of_2026(open_client, method, params, named):
    """In 2026-07-28 nothing is sent again; the call ends, and its detail says what was wrong."""
    asked = {"a": {"method": method, "params": params}}
    client, server = open_client(
        answers(resultType="input_required", inputRequests=asked), answers=WORDS
    )
    reply = client.call(Call(ECHO, {}))
    assert reply.outcome == "check_failed"
    assert named in reply.detail
    assert len(server.requests) == 1


@pytest.mark.parametrize("method", ["initialize", "server/discover"])
def test_a_start_that_times_out_is_not_cancelled(method):
    """The client never cancels `initialize`, nor the probe, which the server may not know."""
    peer = Peer(**{"initialize": SILENT, "server/discover": SILENT})
    peer.timeout_s = peer.start_timeout_s = 0.01
    client = SessionClient(peer, HANDSHAKE if method == "initialize" else MODERN)
    with pytest.raises(CallTimeout):
        client.negotiate()
    assert peer.methods == [method]


def test_an_initialize_over_http_that_times_out_is_not_cancelled(serve):
    """Nothing follows on any connection."""
    server = serve()
    client = HttpClient(Endpoint.of(server.url, timeout_s=0.05), HANDSHAKE)
    server.clients.append(client)
    with pytest.raises(CallTimeout):
        client.negotiate()
    server.stop()
    assert [_body(request)["method"] for request in server.requests] == ["initialize"]


def test_a_request_of_a_server_of_2026_is_its_fault_and_gets_no_answer():
    """Over stdio, the call ends at once and says what was asked; the next one is unharmed."""
    peer = modern()

    def ask():
        peer.receive(b'{"jsonrpc":"2.0","id":"s-1","method":"roots/list"}')

    peer.answers["tools/call"] = [ask, {"result": {"content": []}}]
    client = opened(peer, answers=Responder(roots=[]))
    reply = client.call(Call(ECHO, {}))
    assert reply.outcome == "rpc_error"
    assert "sent a request (roots/list)" in reply.detail
    peer.receive(b'{"jsonrpc":"2.0","id":2,"result":{"content":["late"]}}')
    assert client.call(Call(ECHO, {})).outcome == "ok"
    assert peer.methods == ["server/discover", "tools/call", "tools/call"]


def test_a_request_of_a_server_of_2026_between_calls_ends_none():
    """Nobody waits for it, and it does not get an answer either."""
    peer = modern()
    strays = []
    client = opened(peer, stray=lambda kind, _: strays.append(kind))
    peer.receive(b'{"jsonrpc":"2.0","id":"s-1","method":"ping"}')
    assert client.call(Call(ECHO, {})).outcome == "ok"
    assert peer.methods == ["server/discover", "tools/call"]
    assert strays == ["forbidden_request"]


def test_a_request_of_a_server_of_2026_over_http_is_its_fault(open_client):
    """The call on whose stream it comes ends with it."""
    ask = 'data: {"jsonrpc":"2.0","id":"s-1","method":"roots/list"}'
    client, server = open_client(stream(ask, DONE), RESULT, answers=Responder(roots=[]))
    reply = client.call(Call(ECHO, {}))
    assert reply.outcome == "rpc_error"
    assert "sent a request (roots/list)" in reply.detail
    assert client.call(Call(ECHO, {})).outcome == "ok"
    assert [_body(request)["method"] for request in server.requests] == ["tools/call"] * 2


# Batches, which 2025-03-26 alone has.

NOTE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x"}}
PING = {"jsonrpc": "2.0", "id": "s-1", "method": "ping"}


def batch(*others: dict):
    """Answer by a batch that holds the answer after others."""

    def say(peer, request):
        answer = {"jsonrpc": "2.0", "id": body_of(request)["id"], "result": {"content": []}}
        peer.sendall(http([*others, answer]))

    return say


def opening(version: str) -> tuple:
    return (
        says("200 OK", "Mcp-Session-Id: s1", result={"protocolVersion": version}),
        ACCEPTED,
    )


def test_a_batch_is_received(open_client):
    """Its notifications are heard, its requests are answered, and its answer is the call's."""
    client, server = open_client(
        batch(NOTE, PING), ACCEPTED, protocol=BATCHING, opening=opening(BATCHING)
    )
    reply = client.call(Call(ECHO, {}))
    assert (reply.outcome, json.loads(reply.body)["result"]) == ("ok", {"content": []})
    assert reply.heard.counts == {"notifications/message": 1}
    assert _body(server.requests[-1]) == {"jsonrpc": "2.0", "id": "s-1", "result": {}}


def test_batches_are_received_on_a_stream(open_client):
    """A batch without the answer does not end the call; a batch with it does."""
    first = f"data: {json.dumps([NOTE, NOTE])}"
    last = f"data: [{json.dumps(NOTE)}, {DONE.removeprefix('data: ')}]"
    client, _ = open_client(stream(first, last), protocol=BATCHING, opening=opening(BATCHING))
    reply = client.call(Call(ECHO, {}))
    assert reply.outcome == "ok"
    assert reply.heard.counts == {"notifications/message": 3}


def test_a_list_may_come_in_a_batch(open_client):
    """Messages that are not about a call are taken out of it as well."""
    listed = batch(NOTE)
    client, _ = open_client(listed, listed, protocol=BATCHING, opening=opening(BATCHING))
    reply = list_all(client, "tools/list", "content")
    assert reply.outcome == "ok"


@pytest.mark.parametrize(
    ("version", "outcome"), [(BATCHING, "ok"), ("2025-06-18", "timeout")], ids=str
)
def test_a_line_may_be_a_batch(version, outcome):
    """So it is over stdio in the version with batches; in others, it does not answer anything."""
    peer = Peer(initialize={"result": {"protocolVersion": version}})
    client = opened(peer, version)
    answer = {"jsonrpc": "2.0", "id": 2, "result": {"content": []}}
    peer.answers["tools/call"] = lambda: peer.receive(json.dumps([NOTE, PING, answer]).encode())
    assert client.call(Call(ECHO, {}), timeout_s=0.05).outcome == outcome
    pongs = [message for message in peer.sent if "result" in message]
    assert pongs == ([{"jsonrpc": "2.0", "id": "s-1", "result": {}}] if outcome == "ok" else [])


@pytest.mark.parametrize("body", ["[]", "[1]", "[", '[{"jsonrpc":"2.0","id":9,"result":{}}]'])
def test_a_batch_without_the_answer_is_an_error(open_client, body):
    """So is any other body that does not answer."""

    def say(peer, _request):
        data = body.encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        peer.sendall(head + b"Content-Length: %d\r\n\r\n" % len(data) + data)

    client, _ = open_client(say, protocol=BATCHING, opening=opening(BATCHING))
    assert client.call(Call(ECHO, {})).outcome in ("rpc_error", "http_error")


def test_promise_29_what_a_batch_holds_beside_the_answer_is_told(open_client):
    """An answer to another request is a stray, inside a batch and outside."""
    strays = []
    foreign = {"jsonrpc": "2.0", "id": 9, "result": {}}
    client, _ = open_client(
        batch(foreign, {"level": 30}),
        protocol=BATCHING,
        opening=opening(BATCHING),
        stray=lambda kind, _: strays.append(kind),
    )
    assert client.call(Call(ECHO, {})).outcome == "ok"
    assert strays == ["unmatched_reply", "no_message"]


def _body(request: bytes) -> dict:
    return body_of(request) if request.partition(b"\r\n\r\n")[2] else {}
