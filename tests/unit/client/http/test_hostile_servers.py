"""Hostile servers: each costs at most the call's own time, and gets the right class."""

import itertools
import json
import socket
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.http.http1 import MAX_REPLY_BYTES
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.identity import RequestIds
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.outcomes import HTTP_ERROR, OK, RPC_ERROR, TIMEOUT, TRANSPORT_ERROR

CALL = Call(Tool("echo", {"type": "object"}), {})
TIMEOUT_S = 0.4
GIB = 1 << 30
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Encode a piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def result(request_id: object) -> bytes:
    """Encode a response under some id."""
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "result": {"content": []}}).encode()


def whole(body: bytes) -> bytes:
    """Encode an HTTP response."""
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def for_ever(piece: bytes, pause_s: float = 0.0):
    """Send the same again and again, until the client has gone."""

    def say(peer: socket.socket, _request: bytes) -> None:
        while True:
            peer.sendall(piece)
            time.sleep(pause_s)

    return say


def after(first: bytes, then):
    """Send something, then go on with the given function."""

    def say(peer: socket.socket, request: bytes) -> None:
        peer.sendall(first)
        then(peer, request)

    return say


def drip(data: bytes):
    """Send one byte at a time, each well within the timeout."""

    def say(peer: socket.socket, _request: bytes) -> None:
        for place in range(len(data)):
            peer.sendall(data[place : place + 1])
            time.sleep(TIMEOUT_S / 8)

    return say


def ask(server, timeout_s: float = TIMEOUT_S):
    """Call a tool once."""
    client = HttpClient(
        Endpoint.of(server.url, timeout_s=timeout_s),
        "2026-07-28",
        ids=RequestIds(itertools.count(1, 5000)),
    )
    server.clients.append(client)
    return client.call(CALL)


BIG = b"a" * (1 << 20)


@pytest.mark.parametrize(
    ("says", "outcome", "words"),
    [
        (drip(whole(result(1))), TIMEOUT, "the reply was not complete before the timeout ("),
        (after(STREAM, for_ever(chunk(b": ping\n\n"), 0.02)), TIMEOUT, ""),
        (
            after(
                STREAM,
                for_ever(chunk(b'data: {"jsonrpc":"2.0","method":"x"}\n\n'), 0.01),
            ),
            TIMEOUT,
            "",
        ),
        (for_ever(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01), TIMEOUT, ""),
        (after(HEAD, for_ever(b"X: y\r\n" * 1000)), TRANSPORT_ERROR, "headers are larger"),
        (after(b"HTTP/1.1 200 OK\r\nX: ", for_ever(BIG)), TRANSPORT_ERROR, "headers are larger"),
        (for_ever(BIG), TRANSPORT_ERROR, "not HTTP"),
        (whole(result(7)), RPC_ERROR, "has id 7, expected 1"),
        (whole(result("1")), RPC_ERROR, "id '1' as a text"),
        (whole(result(None)), RPC_ERROR, "has id None"),
        (whole(b'{"a":' * 100_000), HTTP_ERROR, "not JSON"),
        (whole(b"[" + result(1) + b"]"), RPC_ERROR, "not a JSON-RPC response"),
        (whole(b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1}}'), RPC_ERROR, "1"),
        (HEAD + b"Content-Length: -5\r\n\r\n", TRANSPORT_ERROR, ""),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\n", TRANSPORT_ERROR, ""),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", TRANSPORT_ERROR, "not HTTP"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            TRANSPORT_ERROR,
            "",
        ),
    ],
    ids=[
        *("slow loris", "endless pings", "endless notifications", "endless interim replies"),
        *("endless headers", "endless header", "endless noise", "a foreign id"),
        *("an id of another type", "no id", "nested without end", "a batch"),
        *("result and error", "a negative length", "two lengths", "a broken chunk", "an upgrade"),
    ],
)
def test_a_hostile_reply_is_classed_and_costs_at_most_the_timeout(serve, says, outcome, words):
    """Nothing raises, nothing hangs, and none of them is ok."""
    server = serve(says)
    began = time.monotonic()
    # A refusal comes long before that; on a busy machine it may take a while.
    timeout_s = TIMEOUT_S if outcome == TIMEOUT else 20 * TIMEOUT_S
    reply = ask(server, timeout_s)
    assert (reply.outcome, words in reply.detail) == (outcome, True), reply.detail
    assert time.monotonic() - began < 20 * TIMEOUT_S


def test_a_body_of_a_gibibyte_is_cut_off(serve):
    """The limit counts what was read, whatever the length said; memory stays bounded."""
    head = HEAD + b"Content-Length: %d\r\n\r\n" % GIB
    reply = ask(serve(after(head, for_ever(BIG))), timeout_s=60)
    assert (reply.outcome, reply.detail) == (
        TRANSPORT_ERROR,
        f"the reply is larger than {MAX_REPLY_BYTES} bytes",
    )
    assert reply.bytes_in <= MAX_REPLY_BYTES + (1 << 20)


def test_an_event_of_a_gibibyte_is_cut_off(serve):
    """A line without an end does not evade the limit."""
    reply = ask(serve(after(STREAM + b"40000000\r\ndata: ", for_ever(BIG))), timeout_s=60)
    assert (reply.outcome, "is larger than" in reply.detail) == (TRANSPORT_ERROR, True)


@pytest.mark.parametrize("kind", ["json", "stream"])
def test_a_reply_cut_in_any_byte_is_never_ok(serve, kind):
    """Every prefix of a good reply is a transport error, and only the whole is ok."""
    body = result(1)
    good = whole(body) if kind == "json" else STREAM + chunk(b"data: " + body + b"\n\n")

    def cut(length: int):
        def say(peer: socket.socket, _request: bytes) -> None:
            peer.sendall(good[:length])
            peer.shutdown(socket.SHUT_RDWR)

        return say

    # A stream's answer is whole with its blank line, before the chunk around it ends.
    enough = len(good) - (0 if kind == "json" else 2)
    for length in range(len(good) + 1):
        reply = ask(serve(cut(length)), timeout_s=5)
        expected = OK if length >= enough else TRANSPORT_ERROR
        assert reply.outcome == expected, (length, reply.detail)


def test_a_duplicated_reply_never_answers_another_call(serve):
    """The second copy is not taken for the next answer, and does not break it."""

    def twice(peer: socket.socket, request: bytes) -> None:
        request_id = json.loads(request.partition(b"\r\n\r\n")[2])["id"]
        peer.sendall(whole(result(request_id)) * 2)

    server = serve(*[twice] * 6)
    client = HttpClient(Endpoint.of(server.url, timeout_s=5), "2026-07-28")
    server.clients.append(client)
    assert [client.call(CALL).outcome for _ in range(6)] == [OK] * 6


HTTPISH = st.sampled_from(
    [
        HEAD,
        STREAM,
        b"Content-Length: 60\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        result(2),
        chunk(b"data: " + result(2) + b"\n\n"),
        b"0\r\n\r\n",
        b"\r\n",
    ]
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.one_of(HTTPISH, st.binary(max_size=40)), max_size=6))
def test_no_bytes_in_any_chunking_raise_hang_or_pass(serve, pieces):
    """Whatever a server writes, a call ends in time in a class, and only its own answer is ok."""

    def say(peer: socket.socket, _request: bytes) -> None:
        for piece in pieces:
            peer.sendall(piece)
        peer.shutdown(socket.SHUT_RDWR)

    reply = ask(serve(say), timeout_s=5)
    assert reply.outcome in (TRANSPORT_ERROR, HTTP_ERROR, RPC_ERROR)
    assert reply.detail
    assert reply.end_ns >= reply.start_ns
