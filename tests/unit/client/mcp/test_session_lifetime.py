"""Opening and closing a session as a measured call: what is sent, and how it ends."""

import itertools
import re
import socket

import pytest

from mcp_perf.client.errors import (
    ConnectError,
    NegotiationError,
    OwnLimit,
    ReadError,
    TargetError,
)
from mcp_perf.client.http import connection
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.lifetime import LONGEST_S, Openings, close_session, open_session
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.identity import RequestIds
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import OK

ECHO = Call(Tool("echo", {"type": "object"}), {})
MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
GONE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
RESULT = b'{"jsonrpc":"2.0","id":%b,"result":{"protocolVersion":"2025-11-25"}}'


def initialized(peer: socket.socket, request: bytes) -> None:
    """Answer a handshake."""
    [number] = re.findall(rb'"id": ?(\d+)', request)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: s1\r\n"
    body = RESULT % number
    peer.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def status(line: str) -> bytes:
    """Answer by a status alone."""
    return f"HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.fixture
def client(serve):
    """Return a client of a scripted server, and what the observer heard."""
    made: list[HttpClient] = []

    def run(*script, protocol=HANDSHAKE, **options):
        server = serve(*script)
        told: list[str] = []
        endpoint = Endpoint.of(server.url, timeout_s=5)
        observe = {"observe": lambda name, _: told.append(name)}
        made.append(HttpClient(endpoint, protocol, **observe, **options))
        return made[-1], server, told

    yield run
    for one in made:
        one.drop()


def verbs(server) -> list[str]:
    """Return what was asked, in short."""
    return [
        request.split(b" ", 1)[0].decode()
        + "".join(re.findall(r'"method": ?"(.*?)"', request.decode()))
        for request in server.requests
    ]


def test_opening_is_connection_and_handshake(client):
    """One call includes both requests, with their bytes; each is also reported alone."""
    mcp, server, told = client(initialized, ACCEPTED)
    reply = open_session(mcp)
    assert (reply.outcome, reply.detail) == (OK, "")
    assert verbs(server) == ["POSTinitialize", "POSTnotifications/initialized"]
    assert told == ["initialize", "notifications/initialized"]
    assert reply.bytes_out == sum(map(len, server.requests))
    assert reply.bytes_in > len(ACCEPTED)
    assert reply.end_ns > reply.start_ns


def test_in_the_stateless_era_opening_is_a_connection(client):
    """Nothing is sent: there is no session, and closing does not say goodbye."""
    mcp, server, told = client(protocol=MODERN)
    assert open_session(mcp).outcome == OK
    assert mcp.pool.connections[0].opened == 1
    reply = close_session(mcp)
    assert (reply.outcome, reply.bytes_out) == (OK, 0)
    assert (server.requests, told) == ([], [])


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (GONE, "ok"),
        (status("405 Method Not Allowed"), "ok"),
        (status("404 Not Found"), "http_error"),
        (status("429 Too Many Requests"), "rate_limited"),
        (None, "transport_error"),
    ],
)
def test_closing_says_goodbye_and_hears_what_the_server_says(client, answer, outcome):
    """DELETE names the session; 405 says that the server ends its sessions on its own."""
    mcp, server, told = client(initialized, ACCEPTED, answer)
    open_session(mcp)
    reply = close_session(mcp)
    assert reply.outcome == outcome, reply.detail
    assert server.requests[2].startswith(b"DELETE /mcp")
    assert b"session-id: s1" in server.requests[2].lower()
    assert told[-1] == "DELETE session"
    assert reply.bytes_out == len(server.requests[2])


def test_without_delete_there_is_no_goodbye_and_the_next_session_is_new(client):
    """The server hears nothing; opening again is a handshake on a new connection."""
    mcp, server, _ = client(initialized, ACCEPTED, initialized, ACCEPTED, no_delete=True)
    open_session(mcp)
    assert close_session(mcp).outcome == OK
    assert open_session(mcp).outcome == OK
    assert verbs(server) == ["POSTinitialize", "POSTnotifications/initialized"] * 2
    assert server.connections == 2
    assert b"session-id" not in server.requests[2].lower()


def test_a_session_left_open_is_dropped_before_the_next_one_is_timed(client):
    """A journey that broke off leaves a session; opening then does not use it a second time."""
    mcp, server, _ = client(initialized, ACCEPTED, initialized, ACCEPTED)
    open_session(mcp)
    open_session(mcp)
    assert (len(server.requests), server.connections) == (4, 2)


def test_a_session_that_does_not_open_is_a_failed_call(client):
    """Its class and its detail say why, as with any call; what follows may try again."""
    mcp, _, _ = client(status("503 Service Unavailable"), initialized, ACCEPTED)
    reply = open_session(mcp)
    assert reply.outcome == "http_error"
    assert "no session: initialize failed" in reply.detail
    assert open_session(mcp).outcome == OK


def test_a_session_that_is_refused_for_the_rate_is_rate_limited(client):
    """So are the handshake, its second half and the list of tools, like any call."""
    limited = status("429 Too Many Requests")
    mcp, _, _ = client(limited, initialized, limited, initialized, ACCEPTED, limited)
    assert open_session(mcp).outcome == "rate_limited"
    assert open_session(mcp).outcome == "rate_limited"
    assert open_session(mcp).outcome == OK
    with pytest.raises(ReadError) as failure:
        mcp.list_tools()
    assert failure.value.outcome == "rate_limited"


BUSY = status("429 Too Many Requests\r\nRetry-After: 30")


def test_how_long_a_server_wants_to_be_left_alone_is_told_by_whatever_it_refused(client):
    """It may refuse the handshake, its second half, the list of tools or the goodbye."""
    mcp, _, _ = client(BUSY, initialized, BUSY, initialized, ACCEPTED, BUSY, BUSY)
    assert open_session(mcp).retry_after_s == 30
    assert open_session(mcp).retry_after_s == 30
    open_session(mcp)
    with pytest.raises(ReadError) as failure:
        mcp.list_tools()
    assert failure.value.retry_after_s == 30
    assert close_session(mcp).retry_after_s == 30


def test_a_session_that_is_lost_and_refused_for_the_rate_tells_how_long_to_wait(client):
    """The call that could not go on says both."""
    mcp, _, _ = client(initialized, ACCEPTED, status("404 Not Found"), BUSY)
    open_session(mcp)
    reply = mcp.call(ECHO)
    assert (reply.outcome, reply.retry_after_s) == ("rate_limited", 30)


@pytest.mark.parametrize("closes", [False, True])
def test_a_limit_of_our_own_is_no_failure_of_the_server_that_was_not_reached(
    client, monkeypatch, closes
):
    """If no port is free for a handshake or a goodbye, the fault is ours."""

    def refuse(*_where):
        raise OwnLimit("no local port is free")

    mcp, _, _ = client(initialized, ACCEPTED, status("404 Not Found\r\nConnection: close"))
    open_session(mcp)
    if closes:
        mcp.pool.close()
    monkeypatch.setattr(connection, "dial", refuse)
    assert (close_session(mcp) if closes else mcp.call(ECHO)).outcome == "harness_error"


class Streams:
    """A channel that counts its openings; its server answers every request at once."""

    probes = False
    starting = ""
    timeout_s = 5.0

    def __init__(self):
        self.log = []

    def open(self, receive, _ended):
        """Open; the first time there is nobody."""
        self.log.append("open")
        if self.log.count("open") == 1:
            raise ConnectError("nobody is there")
        self._receive = receive

    def send(self, message, _timeout_s):
        """Answer what asks for an answer."""
        found = re.findall(rb'"id": ?(\d+)', message)
        if found:
            self._receive(RESULT % found[0])

    def close(self):
        """Close."""
        self.log.append("close")

    def remarks(self):
        """Return nothing odd."""
        return []


def test_a_channel_is_opened_and_closed_as_a_call():
    """Its end is the goodbye; a session left open is closed first."""
    channel = Streams()
    session = SessionClient(channel, ids=RequestIds(itertools.count(1, 5000)))
    assert open_session(session).outcome == "transport_error"
    reply = open_session(session)
    assert (reply.outcome, reply.bytes_in) == (OK, len(RESULT % b"2"))
    assert close_session(session).outcome == OK
    assert channel.log == ["close", "open", "close", "open", "close"]


class Opener:
    """Tries to open a session, by a clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.openings = Openings(lambda: int(self.now_s * 1e9))
        self.tried: list[float] = []

    def open(self, error: TargetError | None = None, *passing) -> str:
        """Try; return why it failed."""
        try:
            with self.openings.again(*passing):
                self.tried.append(self.now_s)
                if error is not None:
                    raise error
        except TargetError as failure:
            return str(failure)
        return ""

    def keep_trying(self, error: TargetError, until_s: float) -> list[float]:
        """Try ten times a second; return when, after the first time, something was sent."""
        while self.now_s < until_s:
            self.open(error)
            self.now_s += 0.1
        return [round(at_s - 100, 1) for at_s in self.tried]


def test_promise_30_a_session_that_does_not_open_is_tried_again_with_a_back_off():
    """Tries come at once, then after twice as long each time, up to 5 s: never in a hot loop."""
    tried = Opener().keep_trying(NegotiationError("full"), 120)
    assert tried[:6] == [0.0, 0.1, 0.4, 0.9, 1.9, 3.9]
    assert max(b - a for a, b in itertools.pairwise(tried)) == pytest.approx(LONGEST_S, abs=0.11)


def test_promise_30_nobody_asks_again_before_the_server_wants_it():
    """Retry-After counts if it is longer; meanwhile, the calls say how long it is."""
    opener = Opener()
    refusal = Reply(0)
    refusal.status, refusal.retry_after_s = 429, 3.0
    limited = NegotiationError("HTTP 429").told_by(refusal)
    assert opener.open(limited) == "HTTP 429"
    opener.now_s += 1
    early = opener.open(limited)
    assert (early, opener.tried) == ("HTTP 429; the next attempt is in 2 s", [100.0])
    opener.now_s += 2
    assert opener.open() == ""
    assert opener.open() == ""


def test_nobody_waits_to_be_refused_a_connection_again():
    """Every call tries an address where nobody listens."""
    opener = Opener()
    assert [opener.open(ConnectError("refused"), ConnectError) for _ in range(4)] == ["refused"] * 4
    assert len(opener.tried) == 4
