"""Calls at once within one session over streamable HTTP, against scripted servers."""

import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mcp_perf.client.http.connection import Connection
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.parallel import Line
from mcp_perf.client.mcp.streamable_http import Call, McpClient
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import REJOINED, REOPENED

ECHO = Tool("echo", {"type": "object"})
MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
MOST_S = 10


def body_of(request: bytes) -> dict:
    """Read the JSON-RPC message of a request."""
    return json.loads(request.partition(b"\r\n\r\n")[2] or b"{}")


def session_of(request: bytes) -> str:
    """Return the session that a request names."""
    found = re.findall(rb"(?im)^mcp-session-id: (.*?)\r?$", request)
    return found[0].decode() if found else ""


def http(message: object, status: str = "200 OK", *headers: str) -> bytes:
    """Encode a JSON response."""
    data = json.dumps(message).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(data)}"]).encode() + b"\r\n\r\n" + data


class Sessions:
    """A server of one session at a time; calls at once wait for each other before they end."""

    def __init__(self, at_once: int) -> None:
        self.session = ""
        self.forgets = False
        self.refuses = 0
        """How many handshakes it refuses."""
        self.initialized: list[str] = []
        self.calls: list[tuple[str, int]] = []
        self._barrier = threading.Barrier(at_once)

    def __call__(self, peer: socket.socket, request: bytes) -> None:
        """Answer one request."""
        message = body_of(request)
        if message.get("method") == "initialize":
            peer.sendall(self._initialize(message))
        elif "id" not in message:
            peer.sendall(ACCEPTED)
        else:
            self.calls.append((session_of(request), message["id"]))
            self._barrier.wait(MOST_S)
            peer.sendall(self._answer(session_of(request), message))

    def _initialize(self, message: dict) -> bytes:
        if self.refuses:
            self.refuses -= 1
            return http({}, "503 Service Unavailable")
        self.session = f"s{len(self.initialized) + 1}"
        self.initialized.append(self.session)
        result = {"protocolVersion": HANDSHAKE}
        return http(
            {"jsonrpc": "2.0", "id": message["id"], "result": result},
            "200 OK",
            f"Mcp-Session-Id: {self.session}",
        )

    def _answer(self, session: str, message: dict) -> bytes:
        known = session == self.session
        if not known:
            return http({}, "404 Not Found")
        said = message["params"].get("arguments")
        return http({"jsonrpc": "2.0", "id": message["id"], "result": {"said": said}})


@pytest.fixture
def connect(serve):
    """Open a client with lines to a server; all are closed with the test."""
    opened: list = []

    def run(server: Sessions, number: int, protocol: str = HANDSHAKE):
        scripted = serve(*[server] * 100)
        client = McpClient(Endpoint.of(scripted.url, timeout_s=MOST_S), protocol)
        own = [Connection(client.endpoint.origin) for _ in range(number - 1)]
        lines = [Line(client, connection) for connection in (client.connection, *own)]
        opened.extend(lines)
        scripted.clients.extend(lines)
        client.ready()
        return client, lines, scripted

    yield run
    for line in opened:
        line.close()


def at_once(lines, calls):
    """Make one call on each line, all at the same time; return the replies in order."""
    with ThreadPoolExecutor(len(lines)) as pool:
        return list(pool.map(lambda pair: pair[0].call(pair[1]), zip(lines, calls, strict=True)))


def calls(number: int) -> list[Call]:
    """Return calls that can be told apart."""
    return [Call(ECHO, {"n": n}) for n in range(number)]


def said(reply) -> int:
    """Return which call an answer is for."""
    return reply.json()["result"]["said"]["n"]


@pytest.mark.parametrize("protocol", [HANDSHAKE, MODERN])
def test_lines_call_at_once_in_one_session(connect, protocol):
    """Each on its own connection, with an id of its own; the server knows them as one client."""
    server = Sessions(3)
    client, lines, scripted = connect(server, 3, protocol)
    for _ in range(2):
        replies = at_once(lines, calls(3))
        assert [reply.outcome for reply in replies] == ["ok"] * 3
        assert [said(reply) for reply in replies] == [0, 1, 2]
    assert {session for session, _ in server.calls} == {"s1" if protocol == HANDSHAKE else ""}
    assert len({number for _, number in server.calls}) == 6
    assert scripted.connections == 3
    assert client.version == protocol


def test_a_lost_session_is_opened_again_once(connect):
    """Of the calls that find it lost, one opens another and the others go on in that."""
    server = Sessions(3)
    client, lines, _ = connect(server, 3)
    server.session = "forgotten"
    replies = at_once(lines, calls(3))
    assert [(reply.outcome, said(reply)) for reply in replies] == [("ok", n) for n in range(3)]
    assert sorted(reply.session_lost for reply in replies) == [REOPENED, REJOINED, REJOINED]
    assert server.initialized == ["s1", "s2"]
    assert client._session == "s2"
    assert [reply.session_lost for reply in at_once(lines, calls(3))] == [0, 0, 0]


def test_a_line_opens_the_session_where_none_is_open(connect):
    """Also then it is opened once, and no call has lost one."""
    server = Sessions(2)
    client, lines, _ = connect(server, 2)
    client.drop()
    assert [(r.outcome, r.session_lost) for r in at_once(lines, calls(2))] == [("ok", 0)] * 2
    assert server.initialized == ["s1", "s2"]
    assert [line.open() for line in lines] == [False, False]
    assert server.initialized == ["s1", "s2"]


def test_lines_speak_beside_their_calls_at_once(connect):
    """Each on a connection of its own there, too: none waits until another has been heard."""
    both = threading.Barrier(2)

    class Slow(Sessions):
        def __call__(self, peer: socket.socket, request: bytes) -> None:
            if body_of(request).get("method") == "notifications/cancelled":
                both.wait(MOST_S)
            super().__call__(peer, request)

    _, lines, _ = connect(Slow(2), 2)
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda line: line._cancel("enough", 2), lines))
    assert [reply.outcome for reply in said] == ["ok", "ok"]


def test_a_line_that_closes_leaves_the_session(connect):
    """Its connection ends; the client goes on in its session, and so does the next line."""
    server = Sessions(1)
    client, [first, second], scripted = connect(server, 2)
    second.close()
    first.close()
    assert client.call(calls(1)[0]).outcome == "ok"
    assert second.call(calls(1)[0]).outcome == "ok"
    assert b"DELETE" not in b"".join(scripted.requests)
    assert server.initialized == ["s1"]


def test_a_session_that_could_not_be_opened_again_is_opened_by_the_next_call(connect):
    """The first call fails with the reason; the next one recovers, and says so."""
    server = Sessions(1)
    server.refuses = 0
    client, _, _ = connect(server, 1)
    server.session, server.refuses = "forgotten", 1
    call = calls(1)[0]
    failed, recovered, after = (client.call(call) for _ in range(3))
    assert failed.outcome == "http_error"
    assert "session lost, and not opened again" in failed.detail
    assert (recovered.outcome, recovered.session_lost) == ("ok", REOPENED)
    assert (after.outcome, after.session_lost) == ("ok", 0)
    assert server.initialized == ["s1", "s2"]


def test_of_lines_that_find_the_session_not_opened_again_one_recovers_it(connect):
    """A loss that outlives its call is told once as well, by the line that ends it."""
    server = Sessions(1)
    client, [line], _ = connect(server, 1)
    server.session, server.refuses = "forgotten", 1
    assert client.call(calls(1)[0]).outcome == "http_error"
    server._barrier = threading.Barrier(2)
    other = Line(client, Connection(client.endpoint.origin))
    replies = at_once([line, other], calls(2))
    other.close()
    assert [reply.outcome for reply in replies] == ["ok", "ok"]
    # The other one has waited for it, or began after it.
    assert {reply.session_lost for reply in replies} - {0, REJOINED} == {REOPENED}
    assert server.initialized == ["s1", "s2"]
