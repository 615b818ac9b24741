"""HTTP+SSE against a server that sends what a script says, when it says so."""

import json
import re
import threading
import zlib
from collections.abc import Callable
from typing import NamedTuple

import pytest

from mcp_perf.client.channels import legacy_sse
from mcp_perf.client.channels.legacy_sse import SseChannel
from mcp_perf.client.errors import ConnectError, EncodingError, NegotiationError, OwnLimit
from mcp_perf.client.http.connection import Connection
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.http.http1 import ResponseReader
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.streamable_http import Call
from mcp_perf.client.protocol.tools import Tool
from tests.support.waiting import until

ECHO = Tool("echo", {"type": "object"})
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
TAKEN = b"HTTP/1.1 202 Accepted\r\nContent-Length: 8\r\n\r\nAccepted"
BUSY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"
RESULT = {"content": [{"type": "text", "text": "hello"}]}


class Peer(NamedTuple):
    """Something that takes what is sent."""

    sendall: Callable[[bytes], None]


class Stream:
    """The server's side of one or more sessions: a script for `ScriptedServer`."""

    def __init__(self, endpoint=b"/messages/?session_id=1"):
        self.endpoint = endpoint
        self.peer = None
        self.opened = 0

    def get(self, peer, _request):
        """Open the stream."""
        self.peer = peer
        self.opened += 1
        peer.sendall(STREAM + b"event: endpoint\r\ndata: " + self.endpoint + b"\r\n\r\n")

    def say(self, data):
        """Send an event."""
        self.peer.sendall(b": ping\r\n\r\nevent: message\r\ndata: " + data + b"\r\n\r\n")

    def take(self, result=None, status=TAKEN, before=b""):
        """Return what takes a POST: a status, and on the stream the answer."""

        def take(peer, request):
            message = json.loads(request.partition(b"\r\n\r\n")[2])
            if before:
                self.say(before)
            if result is not None:
                answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
                self.say(json.dumps(answer).encode())
            peer.sendall(status)

        return take

    @property
    def greeting(self):
        """Return the three requests that open a session."""
        version = {"protocolVersion": "2024-11-05"}
        return [self.get, self.take(version), self.take()]


@pytest.fixture
def stream():
    """Return the server's side."""
    return Stream()


@pytest.fixture
def connect(serve):
    """Open a session with a script; all are closed with the test."""
    clients = []

    def open_session(*script, timeout_s=5.0, url=""):
        server = serve(*script)
        endpoint = Endpoint.of(url or server.url, timeout_s=timeout_s, headers={"X-Key": "k"})
        clients.append(SessionClient(SseChannel(endpoint)))
        clients[-1].negotiate()
        return server, clients[-1]

    yield open_session
    for client in clients:
        client.close()


def test_a_session_is_opened_by_the_stream_and_calls_go_to_its_endpoint(stream, connect):
    """All POSTs share one connection, and every request has the arm's headers."""
    server, client = connect(*stream.greeting, stream.take(RESULT), stream.take(RESULT))
    assert client.terms.version == "2024-11-05"
    replies = [client.call(Call(ECHO, {"m": 1})) for _ in range(2)]
    assert [reply.outcome for reply in replies] == ["ok", "ok"]
    assert replies[0].json()["result"] == RESULT
    lines = [request.partition(b"\r\n")[0] for request in server.requests]
    assert lines == [b"GET /mcp HTTP/1.1"] + [b"POST /messages/?session_id=1 HTTP/1.1"] * 4
    assert all(b"X-Key: k\r\n" in request for request in server.requests)
    assert b"Accept: text/event-stream\r\n" in server.requests[0]
    assert server.connections == 2


@pytest.mark.parametrize(
    ("endpoint", "line"),
    [
        (b"?sessionid=7", b"POST /mcp?sessionid=7 HTTP/1.1"),
        (b"other", b"POST /other HTTP/1.1"),
    ],
)
def test_the_endpoint_is_relative_to_the_stream(endpoint, line, connect):
    """Servers write it as they like."""
    stream = Stream(endpoint)
    server, _ = connect(*stream.greeting)
    assert server.requests[1].startswith(line)


@pytest.mark.parametrize("at", [0, 1], ids=["its stream", "its endpoint"])
def test_a_redirect_is_not_followed_and_says_where_it_leads(at, stream, connect):
    """So it is for the stream and for a message."""
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n"
    says = ("GET /mcp", "POST /messages/")[at]
    with pytest.raises(NegotiationError, match=f"{says} is redirected to /new"):
        connect(*stream.greeting[:at], moved)


@pytest.mark.parametrize(
    "endpoint",
    [b"http://127.0.0.2:9/x", b"//evil.invalid/x", b"https://[", b"/a b", b"/a\x7fb", b"file:///x"],
)
def test_an_endpoint_elsewhere_is_refused(endpoint, connect):
    """Credentials and calls stay with the server that was named."""
    with pytest.raises(
        NegotiationError, match="the stream gives an address on another host for messages:"
    ):
        connect(Stream(endpoint).get)


def test_a_stream_that_came_packed_is_remarked_on_when_it_is_closed(stream, connect):
    """Its events are read; a remark also names a POST's reply that was packed."""
    packer = zlib.compressobj(wbits=31)

    def packed(data):
        return packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)

    def get(peer, _request):
        stream.peer = Peer(lambda data: peer.sendall(packed(data)))
        head = STREAM[:-2] + b"Content-Encoding: gzip\r\n\r\n"
        peer.sendall(head + packed(b"event: endpoint\ndata: " + stream.endpoint + b"\n\n"))

    taken = b"HTTP/1.1 202 X\r\nContent-Encoding: deflate\r\nContent-Length: 0\r\n\r\n"
    _, client = connect(get, *stream.greeting[1:], stream.take(RESULT, taken))
    assert client.call(Call(ECHO, {})).outcome == "ok"
    client.close()
    [said] = client.terms.remarks
    assert "Content-Encoding: deflate, gzip, which mcp-perf did not ask for" in said


def test_pings_are_answered_by_a_post_of_their_own(stream, connect):
    """What the server asks for is answered between the calls."""
    server, client = connect(*stream.greeting, stream.take())
    stream.say(b'{"jsonrpc":"2.0","id":"p","method":"ping"}')
    until(lambda: len(server.requests) == 4)
    assert server.requests[3].endswith(b'{"jsonrpc":"2.0","id":"p","result":{}}')
    assert client.pids() == []


def test_a_message_in_several_lines_and_notifications_are_read(stream, connect):
    """Events are joined as the standard says; events other than messages are skipped."""
    note = b'{"jsonrpc":"2.0",\r\ndata: "method":"notifications/message"}'
    _, client = connect(*stream.greeting, stream.take(RESULT, before=note))
    assert client.call(Call(ECHO, {})).outcome == "ok"


@pytest.mark.parametrize(
    "status",
    [
        b"404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"401 Unauthorized\r\nContent-Length: 15\r\n\r\nunknown session",
    ],
)
def test_a_lost_session_is_opened_again_and_the_call_repeated(status, stream, connect):
    """A POST that is refused in this way was not worked on."""
    lost = b"HTTP/1.1 " + status
    _, client = connect(
        *stream.greeting, stream.take(status=lost), *stream.greeting, stream.take(RESULT)
    )
    reply = client.call(Call(ECHO, {}))
    assert (reply.outcome, reply.session_lost, stream.opened) == ("ok", True, 2)


def test_a_refusal_for_the_rate_is_rate_limited(stream, connect):
    """The POST gets 429, and the session goes on."""
    _, client = connect(*stream.greeting, stream.take(status=BUSY), stream.take(RESULT))
    reply = client.call(Call(ECHO, {}))
    assert (reply.outcome, reply.retry_after_s) == ("rate_limited", 30)
    assert client.call(Call(ECHO, {})).outcome == "ok"
    assert stream.opened == 1


@pytest.mark.parametrize("refused", ["the stream", "initialize", "initialized"])
def test_promise_30_a_session_that_is_refused_for_the_rate_is_not_asked_for_again(
    refused, stream, serve
):
    """Nothing is sent before the server wants it; meanwhile, the calls say so."""
    version = {"protocolVersion": "2024-11-05"}
    greeting = [stream.get, stream.take(version), BUSY]
    at = ["the stream", "initialize", "initialized"].index(refused)
    server = serve(*greeting[:at], BUSY)
    client = SessionClient(SseChannel(Endpoint.of(server.url, timeout_s=5)))
    server.clients.append(client)
    first, second = (client.call(Call(ECHO, {})) for _ in range(2))
    assert (first.outcome, first.retry_after_s) == ("rate_limited", 30)
    assert (second.outcome, len(server.requests)) == ("rate_limited", at + 1)
    assert 29 < second.retry_after_s <= 30


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(OwnLimit("no port"), "harness_error"), (EncodingError("br"), "http_error")],
)
def test_a_post_that_fails_keeps_its_class(error, outcome, stream, connect, monkeypatch):
    """A limit of the load generator is not a failure of the server."""
    _, client = connect(*stream.greeting)

    def fail(*_request):
        raise error

    monkeypatch.setattr(Connection, "send", fail)
    monkeypatch.setattr(Connection, "_sent_at_once", lambda *_request: False)
    assert client.call(Call(ECHO, {})).outcome == outcome


def test_a_handshake_that_finds_no_port_is_a_limit_of_ours(stream, serve, monkeypatch):
    """The stream is open, and the POST has no connection."""
    server = serve(stream.get)
    client = SessionClient(SseChannel(Endpoint.of(server.url, timeout_s=5)))
    server.clients.append(client)

    send = Connection.send

    def post_fails(connection, request, *within):
        if request.startswith(b"POST"):
            raise OwnLimit("no port")
        send(connection, request, *within)

    monkeypatch.setattr(Connection, "send", post_fails)
    assert client.call(Call(ECHO, {})).outcome == "harness_error"


def test_another_refusal_is_an_http_error(stream, connect):
    """The status and what came with it are in the detail; the session goes on."""
    broken = b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nsick"
    _, client = connect(*stream.greeting, stream.take(status=broken), stream.take(RESULT))
    reply = client.call(Call(ECHO, {}))
    assert (reply.outcome, reply.detail) == ("http_error", "HTTP 500: sick")
    assert client.call(Call(ECHO, {})).outcome == "ok"
    assert stream.opened == 1


def test_promise_30_a_session_whose_every_message_is_refused_is_given_up(stream, connect):
    """That needs earlier calls that were ok: a gateway may keep the stream, but forget its user."""
    broken = b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nsick"
    _, client = connect(
        *(*stream.greeting, stream.take(RESULT), *[stream.take(status=broken)] * 3),
        *(*stream.greeting, stream.take(RESULT)),
    )
    replies = [client.call(Call(ECHO, {})) for _ in range(5)]
    assert [reply.outcome for reply in replies] == ["ok", *["http_error"] * 3, "ok"]
    assert "so the session is treated as lost" in replies[3].detail
    assert (replies[4].session_lost, replies[4].healed, stream.opened) == (1, "forgot", 2)


def test_a_stream_that_ends_in_a_call_is_a_transport_error(stream, connect):
    """The answer can only come on the stream; the next call opens a new one."""

    def cut(peer, _request):
        peer.sendall(TAKEN)
        stream.peer.shutdown(2)

    _, client = connect(*stream.greeting, cut, *stream.greeting, stream.take(RESULT))
    reply = client.call(Call(ECHO, {}))
    assert (reply.outcome, reply.detail) == ("transport_error", "the event stream ended")
    again = client.call(Call(ECHO, {}))
    assert (again.outcome, again.session_lost) == ("ok", True)


def test_a_call_without_an_answer_is_a_timeout(stream, connect):
    """A POST that was accepted is not an answer."""
    _, client = connect(*stream.greeting, stream.take(), stream.take())
    reply = client.call(Call(ECHO, {}), timeout_s=0.1)
    assert (reply.outcome, reply.detail) == ("timeout", "no answer in time")


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", NegotiationError, "HTTP 404"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", NegotiationError, "ends with /sse"),
        (
            STREAM[:-2] + b"Content-Length: 0\r\n\r\n",
            ConnectError,
            "ended before it gave the address for messages",
        ),
    ],
)
def test_what_is_no_such_stream_is_refused(answer, error, says, connect):
    """The message shows what came, and where the stream usually is."""
    with pytest.raises(error, match=re.escape(says)):
        connect(answer)


def test_a_stream_may_carry_more_than_one_reply_may_be_large(stream, connect, monkeypatch):
    """The limit is on memory, so it holds for each message, not for the session."""
    made = ResponseReader.__init__
    monkeypatch.setattr(made, "__defaults__", (5000, *made.__defaults__[1:]))
    big = {"content": [{"type": "text", "text": "x" * 2000}]}
    _, client = connect(*stream.greeting, *[stream.take(big)] * 5)
    assert [client.call(Call(ECHO, {})).outcome for _ in range(5)] == ["ok"] * 5


def test_closing_leaves_no_thread_and_no_connection(stream, connect):
    """The reader ends with its stream."""
    _, client = connect(*stream.greeting)
    reader = client.channel._reader
    client.close()
    assert not reader.is_alive()
    assert legacy_sse._FOREVER_NS / 1e9 < 2**31 / 1000


def test_a_reader_that_breaks_tells_its_end(stream, serve, monkeypatch):
    """Whatever goes wrong with a message, nobody waits for the next one."""
    failed, ends = [], []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    channel = SseChannel(Endpoint.of(serve(stream.get).url))
    channel.open({}.pop, ends.append)
    stream.say(b"{}")
    until(lambda: ends)
    channel.close()
    assert [failure.exc_type for failure in failed] == [KeyError]
