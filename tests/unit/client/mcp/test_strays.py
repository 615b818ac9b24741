"""Promise 29 over streamable HTTP: what belongs to no call answers none, and is reported."""

import json
import socket
import threading

import pytest

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.identity import RequestIds
from mcp_perf.client.protocol.tools import Tool
from tests.unit.client.mcp.test_mcp_client import body_of, http

ECHO = Tool("echo", {"type": "object"})
END = b"0\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def rpc(**message) -> bytes:
    """Encode a message."""
    return json.dumps({"jsonrpc": "2.0", **message}).encode()


def progress(token) -> bytes:
    """Encode progress."""
    return rpc(method="notifications/progress", params={"progressToken": token})


def chunk(*messages: bytes) -> bytes:
    """Encode events as one chunk."""
    events = b"".join(b"data: %b\n\n" % message for message in messages)
    return b"%x\r\n%b\r\n" % (len(events), events)


def done(request_id) -> bytes:
    """Encode a result."""
    return rpc(id=request_id, result={"content": []})


@pytest.fixture
def connect(serve):
    """Return a function that scripts a server, and returns a client of it and its strays."""
    clients = []

    def connect(*script):
        strays = []
        server = serve(*script)
        client = HttpClient(
            Endpoint.of(server.url, timeout_s=5),
            "2026-07-28",
            stray=lambda kind, _: strays.append(kind),
        )
        clients.append(client)
        return client, server, strays

    yield connect
    for client in clients:
        client.drop()


def test_promise_29_a_stream_is_read_on_to_the_reply_with_the_calls_id(connect):
    """Log lines, unknown tokens and answers to others may come before it."""
    foreign = next(RequestIds())

    def say(peer: socket.socket, request: bytes) -> None:
        own = body_of(request)["id"]
        before = [
            b'{"level":30,"msg":"call"}',
            b"not JSON",
            progress("tool-call-7"),
            done(foreign),
            rpc(id=None, result={}),
            progress(own),
        ]
        peer.sendall(STREAM + b"".join(map(chunk, [*before, done(own)])) + END)

    client, _, strays = connect(say)
    reply = client.call(Call(ECHO, {}, progress=True))
    assert reply.outcome == "ok", reply.detail
    assert reply.heard.counts == {"notifications/progress": 1}
    assert strays == [
        *("no_message", "no_message", "stray_progress"),
        *("crossed_reply", "unmatched_reply"),
    ]


def test_promise_29_progress_that_was_not_asked_for_is_no_calls(connect):
    """A server that makes up tokens does not produce a first event."""

    def say(peer: socket.socket, request: bytes) -> None:
        own = body_of(request)["id"]
        peer.sendall(STREAM + chunk(progress("tool-call-7"), progress(own), done(own)) + END)

    client, _, strays = connect(say)
    assert client.call(Call(ECHO, {})).heard is None
    assert strays == ["stray_progress"] * 2


def test_promise_29_each_call_has_a_token_of_its_own(connect):
    """So late progress is not another call's, even if arguments come with the call."""
    sent = []

    def say(peer: socket.socket, request: bytes) -> None:
        body = body_of(request)
        sent.append(body["params"]["_meta"]["progressToken"] == body["id"])
        sent.append(body["params"]["arguments"])
        peer.sendall(http(json.loads(done(body["id"]))))

    client, _, _ = connect(say, say, say)
    constant, open_ = Call(ECHO, {"m": "%d"}, progress=True), Call(ECHO, None, progress=True)
    for call, arguments in ((constant, None), (constant, None), (open_, {"m": "%b"})):
        assert client.call(call, arguments).outcome == "ok"
    assert sent == [True, {"m": "%d"}, True, {"m": "%d"}, True, {"m": "%b"}]
    assert client.terms.in_progress == {}


@pytest.mark.parametrize("kind", ["result", "error"])
def test_promise_29_the_first_mismatch_closes_the_connection(connect, kind):
    """One reply too many costs one call, not all that follow on the connection."""
    ids = []

    def once(peer: socket.socket, request: bytes) -> None:
        ids.append(body_of(request)["id"])
        peer.sendall(http(json.loads(done(ids[-1]))))

    def again(peer: socket.socket, _request: bytes) -> None:
        peer.sendall(http({"jsonrpc": "2.0", "id": ids[0], kind: {"code": 1}}))

    client, server, strays = connect(once, again, once)
    call = Call(ECHO, {})
    assert [client.call(call).outcome for _ in range(3)] == ["ok", "rpc_error", "ok"]
    assert strays == ["unmatched_reply"]
    assert server.connections == 2


@pytest.mark.parametrize("streams", [True, False])
def test_promise_29_a_reply_that_comes_twice_at_once_is_told_and_spoils_nothing(connect, streams):
    """What follows the reply is a stray, in a stream and on the connection."""

    def twice(peer: socket.socket, request: bytes) -> None:
        reply = done(body_of(request)["id"])
        whole = http(json.loads(reply)) * 2
        peer.sendall(STREAM + chunk(reply, reply) + END if streams else whole)

    def once(peer: socket.socket, request: bytes) -> None:
        peer.sendall(http(json.loads(done(body_of(request)["id"]))))

    client, _, strays = connect(twice, once)
    call = Call(ECHO, {})
    assert [client.call(call).outcome for _ in range(2)] == ["ok", "ok"]
    assert strays == ["unmatched_reply"]


def test_the_end_of_a_stream_belongs_to_no_call(connect):
    """Until it comes, calls use another connection; after it, this one again."""
    release, ended = threading.Event(), threading.Event()

    def late(peer: socket.socket, request: bytes) -> None:
        peer.sendall(STREAM + chunk(done(body_of(request)["id"])))
        release.wait(5)
        peer.sendall(END)
        ended.set()

    def once(peer: socket.socket, request: bytes) -> None:
        peer.sendall(http(json.loads(done(body_of(request)["id"]))))

    client, server, strays = connect(late, once, once, once)
    call = Call(ECHO, {})
    assert [client.call(call).outcome for _ in range(3)] == ["ok"] * 3
    assert server.connections == len(client.pool.connections) == 2
    release.set()
    assert ended.wait(5)
    first, second = client.pool.free
    assert first.has_ended(5)
    client.pool.free.remove(second)
    assert client.call(call).outcome == "ok"
    assert server.connections == 2
    assert strays == []
