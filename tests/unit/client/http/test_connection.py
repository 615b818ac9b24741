"""One connection: reuse, idle closing, deadlines, cut replies. Real sockets on loopback."""

import errno
import os
import socket
import struct
import time

import pytest

from mcp_perf.client.errors import ConnectError, OwnLimit
from mcp_perf.client.http.connection import Connection
from mcp_perf.client.http.endpoint import Endpoint, Origin
from mcp_perf.client.http.rest import RestClient, encode_fields, encode_line
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import HARNESS_ERROR
from tests.support.waiting import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def client(server, timeout_s: float = 5.0) -> RestClient:
    """Give a client of a scripted server."""
    server.clients.append(RestClient(Endpoint.of(server.url, timeout_s=timeout_s)))
    return server.clients[-1]


def get(rest: RestClient, timeout_s: float | None = None) -> Reply:
    """Send GET /x."""
    head = encode_line(rest.endpoint, "GET", "/x") + encode_fields(rest.endpoint, [])
    return rest.send(head + b"\r\n", timeout_s)


def wait_until_peer_has_closed(rest: RestClient) -> None:
    """Wait for the server's FIN; on loopback it comes within moments."""
    opened = rest.connection._socket
    assert opened is not None
    opened.settimeout(5)
    assert opened.recv(1, socket.MSG_PEEK) == b""


def test_a_connection_is_used_again(serve) -> None:
    """Many calls go over one connection."""
    server = serve(OK, OK, OK)
    rest = client(server)
    assert [get(rest).outcome for _ in range(3)] == ["ok"] * 3
    assert server.connections == 1


def test_a_connection_that_the_server_closed_idle_is_replaced_without_a_failed_call(serve) -> None:
    """The server closes between two calls: the second goes over a new connection, once."""

    def answer_and_close(peer: socket.socket, _request: bytes) -> None:
        peer.sendall(OK)
        peer.shutdown(socket.SHUT_RDWR)

    server = serve(answer_and_close, OK)
    rest = client(server)
    assert get(rest).outcome == "ok"
    wait_until_peer_has_closed(rest)
    assert get(rest).outcome == "ok"
    assert (server.connections, len(server.requests)) == (2, 2)


def test_a_request_that_is_answered_by_a_reset_is_not_sent_again(serve) -> None:
    """The server has read it, and may have acted on it: the call fails on any connection."""

    def reset(peer: socket.socket, _request: bytes) -> None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

    server = serve(OK, reset, OK)
    rest = client(server)
    assert [get(rest).outcome for _ in range(3)] == ["ok", "transport_error", "ok"]
    assert (server.connections, len(server.requests)) == (2, 3)


def test_connection_close_is_honoured(serve) -> None:
    """After Connection: close the next call opens a new connection."""
    server = serve(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), OK)
    rest = client(server)
    assert [get(rest).outcome, get(rest).outcome] == ["ok", "ok"]
    assert server.connections == 2


def test_a_request_that_may_have_been_processed_is_not_sent_twice(serve) -> None:
    """A server that reads a request and closes may have done the work: the call fails."""
    server = serve(OK, None, OK)
    rest = client(server)
    get(rest)
    reply = get(rest)
    assert (reply.outcome, reply.detail) == (
        "transport_error",
        "the connection was closed before a reply came",
    )
    assert len(server.requests) == 2
    assert get(rest).outcome == "ok"


def test_a_reset_in_the_middle_of_a_reply_is_a_transport_error(serve) -> None:
    """A reply that breaks off is a failed call, and the next call is fine."""

    def reset(peer: socket.socket, _request: bytes) -> None:
        peer.sendall(OK[:-1])
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

    server = serve(reset, OK)
    rest = client(server)
    assert get(rest).outcome == "transport_error"
    assert get(rest).outcome == "ok"


def test_a_server_that_never_answers_is_a_timeout(serve) -> None:
    """Silence ends in the class timeout, when the call's time is used up and not much later."""
    rest = client(serve(b""))
    before = time.monotonic()
    reply = get(rest, 0.2)
    assert (reply.outcome, reply.detail) == ("timeout", "no reply in time")
    assert 0.2 <= time.monotonic() - before < 5
    assert reply.end_ns - reply.start_ns >= 200_000_000


def test_a_reply_that_drips_is_a_timeout_of_the_whole_call(serve) -> None:
    """Bytes that keep coming do not stretch the call's time."""

    def drip(peer: socket.socket, _request: bytes) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            peer.sendall(b"x")
            time.sleep(0.02)

    rest = client(serve(drip))
    before = time.monotonic()
    reply = get(rest, 0.3)
    assert reply.outcome == "timeout"
    assert "the reply was not complete before the timeout (" in reply.detail
    assert time.monotonic() - before < 5


def test_a_duplicated_reply_does_not_answer_the_next_call(serve) -> None:
    """What a server sends unasked is thrown away with its connection."""
    server = serve(OK + OK.replace(b"hi", b"no"), OK)
    rest = client(server)
    assert get(rest).body == b"hi"
    assert get(rest).body == b"hi"
    assert server.connections == 2


def test_nobody_there_is_a_connect_error() -> None:
    """A closed port is named with its address."""
    port = free_port()
    with pytest.raises(ConnectError, match=rf"127\.0\.0\.1:{port}: connection refused"):
        Connection(Origin.of(f"http://127.0.0.1:{port}")).ready(1)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EADDRNOTAVAIL, "no local port is free .*ip_local_port_range"),
        (errno.EMFILE, r"too many open files in the load generator \(ulimit -n\)"),
    ],
)
def test_a_limit_of_this_machine_is_not_called_the_servers(monkeypatch, number, words) -> None:
    """With very many connections the generator runs out, and the message says of what."""

    class Full(socket.socket):
        def connect(self, _where: object) -> None:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", Full)
    with pytest.raises(OwnLimit, match=words) as caught:
        Connection(Origin.of("http://127.0.0.1:1")).ready(1)
    assert caught.value.outcome == HARNESS_ERROR


def test_a_refused_connection_has_nothing_of_the_reply_before_it(serve) -> None:
    """Status and size belong to this call, which got no reply."""
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    server = serve(closing)
    rest = client(server)
    assert get(rest).status == 200
    server.stop()
    reply = get(rest)
    assert (reply.outcome, reply.status, reply.bytes_in) == ("transport_error", 0, 0)


def test_an_unknown_host_is_named() -> None:
    """A name that does not resolve is said to be unknown."""
    with pytest.raises(ConnectError, match=r"nowhere\.invalid"):
        Connection(Origin.of("http://nowhere.invalid:1")).ready(1)


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:80", "http://", ""])
def test_an_address_that_is_not_http_is_refused(url: str) -> None:
    """Only http and https addresses are targets."""
    with pytest.raises(ValueError, match="not an http"):
        Origin.of(url)


@pytest.mark.parametrize(
    ("url", "letter"), [("http://h/ł", "ł"), ("http://ł.org", "ł"), ("http://h/a b", " ")]
)
def test_an_address_that_no_request_could_be_sent_to_is_refused(url: str, letter: str) -> None:
    """The message has the letter, and what to write for it."""
    with pytest.raises(ValueError, match=rf"contains '{letter}', .*: percent-encode it"):
        Origin.of(url)


def test_a_stopped_call_leaves_no_answer_behind_for_the_next(serve) -> None:
    """A caller that is cut off in the middle of a call gets a fresh connection afterwards."""

    class Cut(BaseException):
        pass

    server = serve(b"", OK)
    rest = client(server)
    rest.ready()

    def raising(*_args: object) -> bytes:
        raise Cut

    opened = rest.connection._socket

    class CutSocket:
        def __getattr__(self, name: str) -> object:
            return raising if name == "recv" else getattr(opened, name)

    rest.connection._socket = CutSocket()
    with pytest.raises(Cut):
        get(rest)
    assert rest.connection._socket is None
    while not server.requests:  # the script is read in the order in which requests arrive
        time.sleep(0.001)
    assert get(rest).body == b"hi"
    assert server.connections == 2


class Early:
    """A wait that ends at once, as epoll's do at times; a `None` ends it by a timeout."""

    def __init__(self, *ends):
        self.ends, self.deadlines, self.closed = list(ends), [], 0

    def __call__(self, deadline_ns: int) -> None:
        """Note until when; end as told."""
        self.deadlines.append(deadline_ns)
        if self.ends and self.ends.pop(0) is None:
            raise TimeoutError

    def close(self) -> None:
        """Count."""
        self.closed += 1


def test_a_wait_that_ends_with_nothing_to_read_is_no_broken_connection(serve) -> None:
    """The rest of the time is spent in the socket's own wait."""
    server = serve(*[OK] * 3)
    early = Early()
    rest = RestClient(Endpoint.of(server.url, timeout_s=5), waits=lambda _descriptor: early)
    server.clients.append(rest)
    replies = [get(rest) for _ in range(3)]
    assert [reply.outcome for reply in replies] == ["ok"] * 3
    assert server.connections == 1
    # The first call opens the connection, which takes of its time.
    assert early.deadlines == [reply.start_ns + 5 * 10**9 for reply in replies[1:]]


def test_a_wait_that_is_overdue_ends_the_call_and_the_connection(serve) -> None:
    """The reply may still come, and would be mistaken for the next call's."""
    server = serve(*[OK] * 3)
    early = Early(None)
    rest = RestClient(Endpoint.of(server.url, timeout_s=5), waits=lambda _descriptor: early)
    server.clients.append(rest)
    assert [get(rest).outcome for _ in range(3)] == ["ok", "timeout", "ok"]
    assert (server.connections, early.closed) == (2, 1)


def test_the_host_header_names_the_port_only_where_it_must() -> None:
    """Default ports are left out, IPv6 addresses are bracketed."""
    assert Origin.of("http://example.com").authority == "example.com"
    assert Origin.of("https://example.com:443/x").authority == "example.com"
    assert Origin.of("http://[::1]:8000").authority == "[::1]:8000"


def test_an_event_stream_is_one_body_to_plain_http(serve) -> None:
    """Without an answer to wait for, the data of all events is the body."""
    stream = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\ndata: b\n\n"

    def answer(peer: socket.socket, _request: bytes) -> None:
        peer.sendall(stream)
        peer.shutdown(socket.SHUT_RDWR)

    rest = client(serve(answer))
    head = encode_line(rest.endpoint, "GET", "/x") + encode_fields(rest.endpoint, [])
    reply = rest.connection.exchange(head + b"\r\n", 5)
    assert (reply.outcome, reply.body) == ("ok", b"a\nb")


def test_a_status_of_400_or_more_is_an_http_error(serve) -> None:
    """Plain HTTP has no other way to say that it failed."""
    rest = client(serve(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nlate"))
    reply = get(rest)
    assert (reply.outcome, reply.detail, reply.status) == ("http_error", "HTTP 503: late", 503)


def test_a_status_of_429_is_rate_limited(serve) -> None:
    """So is another status if the API says it in words."""
    told = b"HTTP/1.1 403 No\r\nContent-Length: 19\r\n\r\nrate limit exceeded"
    rest = client(serve(b"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n", told))
    assert get(rest).outcome == "rate_limited"
    assert get(rest).outcome == "rate_limited"


def test_paths_join_and_cannot_break_out() -> None:
    """A step's path is joined to the endpoint's, and white space in it is encoded."""
    endpoint = Endpoint.of("http://h/api/")
    line = encode_line(endpoint, "GET", "/a b\r\nX: y?q=%20")
    assert line == b"GET /api/a%20b%0D%0AX:%20y?q=%20 HTTP/1.1\r\nHost: h\r\n"


@pytest.mark.parametrize("name", ["Content-Length", "host", "Mcp-Session-Id", "connection"])
def test_headers_that_the_client_owns_cannot_be_set(name: str) -> None:
    """A header that would break the framing is refused with its name."""
    with pytest.raises(ValueError, match=name):
        Endpoint.of("http://h", headers={name: "1"})


def test_opening_a_connection_is_part_of_the_calls_time(serve, monkeypatch) -> None:
    """A call that spent its time on the way to the server does not get it again to wait."""
    rest = client(serve(b""))
    now = iter(range(0, 10_000_000_000_000, 400_000_000))  # every look at the clock is 0.4 s later
    rest.connection.clock = lambda: next(now)
    waits: list[float] = []
    real = socket.socket.settimeout

    def note(self: socket.socket, value: float | None) -> None:
        waits.append(value or 0.0)
        real(self, 0.05)

    monkeypatch.setattr(socket.socket, "settimeout", note)
    assert get(rest, 1.0).outcome == "timeout"
    assert waits[-1] <= 0.6


def test_a_connection_that_breaks_at_every_send_is_the_targets_fault(serve, monkeypatch) -> None:
    """The second attempt, too, ends in our own error, never in a foreign one."""
    rest = client(serve(OK))
    assert get(rest).outcome == "ok"

    def broken(*_args: object) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(socket.socket, "send", broken)
    reply = get(rest)
    assert (reply.outcome, "broke while sending" in reply.detail) == ("transport_error", True)
