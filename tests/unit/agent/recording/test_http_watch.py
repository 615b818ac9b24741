"""How the bytes of HTTP connections become calls."""

import gzip
import json

import pytest

from mcp_perf.agent.recording.http_watch import HttpSessions, HttpWatch
from mcp_perf.agent.recording.sessions import SeenSession

OK, SSE = "200 OK", "text/event-stream"


class Wire:
    """A server and its agents, on as many connections as they like."""

    def __init__(self):
        self.calls = []
        self.sessions = HttpSessions(self._open)
        self._count = 0

    def _open(self, transport):
        self._count += 1
        return SeenSession(f"s-{self._count}", transport, self.calls.append, True, 0)

    def connect(self):
        """Return a new connection."""
        return HttpWatch(self.sessions)

    @property
    def told(self):
        """Return what was reported: session, method, class."""
        return [(call.session, call.method, call.outcome) for call in self.calls]


def request(number, method="tools/call", *, path="/mcp", verb="POST", **headers):
    """Return the bytes of a request."""
    said = {"jsonrpc": "2.0", "id": number, "method": method, "params": {"name": "echo"}}
    body = json.dumps(said).encode() if verb == "POST" else b""
    lines = [f"{verb} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def response(body=b"", status=OK, kind="application/json", **headers):
    """Return the bytes of a response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*events):
    """Return the bytes of a stream that has ended."""
    chunks = [b"%x\r\n%s\r\n" % (len(event), event) for event in (*events, b"")]
    return (
        f"HTTP/1.1 {OK}\r\nContent-Type: {SSE}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        + (b"".join(chunks))
    )


def result(number, **members):
    """Return an answer."""
    return json.dumps({"jsonrpc": "2.0", "id": number, "result": members}).encode()


def event(body):
    """Return an event."""
    return b"event: message\r\ndata: " + body + b"\r\n\r\n"


def test_a_call_is_told_however_its_bytes_are_cut():
    """The bytes may come one by one, as JSON or a stream, with other messages before the answer."""
    wire = Wire()
    watch = wire.connect()
    progress = event(b'{"jsonrpc":"2.0","method":"notifications/progress"}')
    for number, came in (
        (1, response(result(1))),
        (2, chunked(progress, event(result(2)))),
        (3, response(gzip.compress(result(3, isError=True)), Content_Encoding="gzip")),
        (4, b"HTTP/1.1 100 Continue\r\n\r\n" + response(result(4))),
    ):
        for at, byte in enumerate(request(number)):
            watch.sent(bytes([byte]), at)
        for byte in came:
            watch.came(bytes([byte]), 10_000_000 * number)
    assert [call.outcome for call in wire.calls] == ["ok", "ok", "tool_error", "ok"]
    assert wire.calls[1].ms == pytest.approx(20, abs=0.01)


def test_a_session_is_told_by_its_id_on_any_connection():
    """The id comes from the answer to `initialize`."""
    wire = Wire()
    for agent in ("a", "b"):
        watch = wire.connect()
        watch.sent(request(0, "initialize"), 1)
        watch.came(response(result(0, protocolVersion="2025-11-25"), Mcp_Session_Id=agent), 2)
    for agent in ("b", "a"):
        watch = wire.connect()
        watch.sent(request(1, Mcp_Session_Id=agent), 3)
        watch.came(response(result(1)), 4)
    assert [name for name, method, _ in wire.told if method == "tools/call"] == ["s-2", "s-1"]


def test_without_ids_a_session_begins_with_a_greeting():
    """Later calls on its connection belong to it; on a new one, to the last that greeted."""
    wire = Wire()
    first, second, third = wire.connect(), wire.connect(), wire.connect()
    for watch in (first, second):
        watch.sent(request(0, "server/discover", User_Agent="one"), 1)
        watch.came(response(result(0)), 2)
    for watch in (first, third, second):
        watch.sent(request(1, User_Agent="one"), 3)
        watch.came(response(result(1)), 4)
    called = [name for name, method, _ in wire.told if method == "tools/call"]
    assert called == ["s-1", "s-2", "s-2"]
    other = wire.connect()
    other.sent(request(1, User_Agent="two"), 5)
    other.came(response(result(1)), 6)
    assert wire.told[-1] == ("s-3", "tools/call", "ok")


def test_over_http_and_sse_the_answer_comes_on_the_stream():
    """The stream says where its messages are sent; when it closes, open calls end."""
    wire = Wire()
    stream, posts = wire.connect(), wire.connect()
    stream.sent(request(0, verb="GET", path="/sse"), 1)
    endpoint = b"event: endpoint\r\ndata: /messages/?session_id=7\r\n\r\n"
    head = f"HTTP/1.1 {OK}\r\nContent-Type: {SSE}\r\n\r\n".encode()
    stream.came(head + endpoint, 2)
    for number in (1, 2):
        posts.sent(request(number, path="/messages/?session_id=7"), 3)
        posts.came(response(b"Accepted", "202 Accepted", "text/plain"), 4)
    stream.came(event(result(1)), 5_000_000)
    assert [(call.transport, call.ms) for call in wire.calls] == [("sse", 5)]
    stream.closed(6, by_server=True)
    assert wire.told[1] == ("s-1", "tools/call", "transport_error")


@pytest.mark.parametrize(
    ("came", "outcome"),
    [
        (response(b"no", "404 Not Found", "text/plain"), "http_error"),
        (response(b"", "429 Too Many Requests"), "rate_limited"),
        (response(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600}}', "400 No"), "rpc_error"),
        (response(b"<html>", OK, "text/html"), "http_error"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + result(1), "ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "transport_error"),
        (b"\x16\x03\x01 no HTTP at all", "transport_error"),
        (b"", "transport_error"),
    ],
)
def test_a_call_ends_when_its_connection_does(came, outcome):
    """The bytes that came decide how it ends, or that none came."""
    wire = Wire()
    watch = wire.connect()
    watch.sent(request(1), 1)
    watch.came(came, 2)
    watch.closed(3, by_server=True)
    assert [call.outcome for call in wire.calls] == [outcome]


def test_a_stream_without_an_answer_fails_its_call_unless_it_can_be_resumed():
    """Up to 2025-11-25 the answer may come on another stream of the session."""
    wire = Wire()
    watch, other = wire.connect(), wire.connect()
    watch.sent(request(0, "initialize"), 1)
    watch.came(response(result(0, protocolVersion="2025-11-25"), Mcp_Session_Id="a"), 2)
    watch.sent(request(1, Mcp_Session_Id="a"), 3)
    watch.came(chunked(b"id: 1\ndata:\n\n"), 4)
    other.sent(request(0, verb="GET", Mcp_Session_Id="a"), 5)
    other.came(chunked(event(result(1))), 6)
    assert wire.told[-1] == ("s-1", "tools/call", "ok")

    modern = json.dumps({"io.modelcontextprotocol/protocolVersion": "2026-07-28"})
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":%s}}' % modern.encode()
    third = wire.connect()
    head = b"POST / HTTP/1.1\r\nUser-Agent: new\r\nContent-Length: %d\r\n\r\n" % len(body)
    third.sent(head + body, 7)
    third.came(chunked(b": ping\n\n"), 8)
    assert wire.told[-1] == ("s-2", "tools/call", "transport_error")


def test_what_is_no_http_is_not_followed():
    """The agent leaves, and nothing is reported."""
    wire = Wire()
    watch = wire.connect()
    watch.sent(b"\x00\xff" * 40, 1)
    watch.came(response(result(1)), 2)
    watch.closed(3, by_server=False)
    assert wire.told == []
