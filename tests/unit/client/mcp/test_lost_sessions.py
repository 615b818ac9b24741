"""Servers that lose a session, in the spellings in which they say so, and in others."""

import itertools
import json
import re
import socket

import pytest

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.lifetime import open_session
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.session_loss import (
    ELSEWHERE,
    EVICTED,
    FORGOT,
    PATIENCE,
    RESTARTED,
)
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import NOT_REOPENED, REOPENED

ECHO = Call(Tool("echo", {"type": "object"}), {})


def http(status: int, body: bytes | dict, kind: str = "application/json", *headers: str) -> bytes:
    """Encode a response."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(data)}"]).encode() + b"\r\n\r\n" + data


def plain(status: int, text: str) -> bytes:
    """Refuse with a text."""
    return http(status, text.encode(), "text/plain")


def rpc(status: int, code: int, message: str) -> bytes:
    """Refuse with a JSON-RPC error that does not name a request."""
    fault = {"code": code, "message": message}
    return http(status, {"jsonrpc": "2.0", "id": None, "error": fault})


def stream(message: dict) -> bytes:
    """Refuse with an event."""
    return http(200, f"data: {json.dumps(message)}\n\n".encode(), "text/event-stream")


class Server:
    """Knows one session at a time, and refuses all others in its own words."""

    def __init__(self, refusal: bytes) -> None:
        self.refusal = refusal
        self.known = ""
        self.forgets_at_once = False
        self.opening: bytes | None = None
        """What `initialize` is answered with; None opens a session."""
        self.fails = 0
        """This many further calls are refused, whatever their session."""
        self.opened = itertools.count(1)
        self.handshakes = 0

    def __call__(self, peer: socket.socket, request: bytes) -> None:
        """Answer one request."""
        head, _, body = request.partition(b"\r\n\r\n")
        message = json.loads(body or b"{}")
        if message.get("method") == "initialize":
            self.handshakes += 1
            peer.sendall(self.opening or self.open(message))
        elif "id" not in message:
            peer.sendall(http(202, b""))
        else:
            named = re.search(rb"(?im)^mcp-session-id: (\S*)", head)
            knows = named is not None and named[1].decode() == self.known
            self.fails -= (fails := self.fails > 0)
            result = {"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}}
            peer.sendall(http(200, result) if knows and not fails else self.refusal)

    def open(self, message: dict) -> bytes:
        """Open a session."""
        session = f"s{next(self.opened)}"
        self.known = "" if self.forgets_at_once and self.known == "lost" else session
        result = {"protocolVersion": "2025-11-25"}
        reply = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        return http(200, reply, "application/json", f"Mcp-Session-Id: {session}")


@pytest.fixture
def user(serve):
    """Give a user whose calls were answered so far, and its server."""

    def meet(refusal: bytes):
        server = Server(refusal)
        scripted = serve(*[server] * 60)
        client = HttpClient(Endpoint.of(scripted.url, timeout_s=5), "2025-11-25")
        scripted.clients.append(client)
        assert [client.call(ECHO).outcome for _ in range(3)] == ["ok"] * 3
        return client, server

    return meet


LISTED = {
    "an empty 404": (http(404, b""), FORGOT),
    "a 404 that says more": (rpc(404, -32001, "Session not found"), FORGOT),
    "gone": (plain(410, "Gone"), FORGOT),
    "a 400": (rpc(400, -32000, "Bad Request: No valid session ID provided"), FORGOT),
    "a 400 as text": (plain(400, "Bad Request: Invalid or missing session ID"), FORGOT),
    "a 401": (plain(401, "Unauthorized: Session not found"), FORGOT),
    "a 409": (rpc(409, -32000, "Session expired, please re-initialize"), FORGOT),
    "a 500": (rpc(500, -32603, "Session not found"), FORGOT),
    "a 503": (rpc(503, -32001, "Session not found or expired"), FORGOT),
    "a success": (rpc(200, -32600, "Unknown session id"), FORGOT),
    "an event": (stream({"jsonrpc": "2.0", "error": {"code": -32001, "message": "no session"}}),
                 FORGOT),
    "an event that is not JSON-RPC": (stream({"error": "Session not found"}), FORGOT),
    "a word as a key": (http(400, {"error": "session_not_found"}), FORGOT),
    "a class name": (plain(500, "SessionNotFoundError: 3f2a"), FORGOT),
    "a transport": (plain(400, "No transport found for sessionId"), FORGOT),
    "a new server": (rpc(400, -32000, "Bad Request: Server not initialized"), RESTARTED),
    "a new server's event": (rpc(200, -32002, "Received request before initialization"),
                             RESTARTED),
    "room for another": (rpc(404, -32001, "Session evicted: too many sessions"), EVICTED),
    "a place taken": (plain(409, "This session was replaced by a newer connection"), EVICTED),
}  # fmt: skip
UNLISTED = {
    "nothing": plain(500, "Internal Server Error"),
    "another language": plain(400, "Sitzung unbekannt"),
    "a lost backend": rpc(502, -32000, "upstream hung up"),
    "a number": rpc(200, -32099, "E4711"),
    "a tool's own error": http(
        200,
        {
            "jsonrpc": "2.0",
            "id": 1,
            "error": {"code": -32603, "message": "KeyError: 'c0ffee12'"},
        },
    ),
    "no more rights": plain(403, "Forbidden"),
}
"""In no row of the table."""


@pytest.mark.parametrize(("refusal", "kind"), LISTED.values(), ids=LISTED)
def test_promise_30_a_loss_is_known_by_what_is_said(user, refusal, kind):
    """The call goes on in a new session, and says how the old one was lost."""
    client, server = user(refusal)
    server.known = "lost"
    found = [client.call(ECHO) for _ in range(2)]
    assert [(one.outcome, one.session_lost, one.healed) for one in found] == [
        ("ok", REOPENED, kind),
        ("ok", 0, ""),
    ]
    assert server.handshakes == 2


@pytest.mark.parametrize("refusal", UNLISTED.values(), ids=UNLISTED)
def test_promise_30_a_loss_is_known_by_its_repetition(user, refusal):
    """The session worked, and now every call gets the same: they fail, and the next opens one."""
    client, server = user(refusal)
    server.known = "lost"
    found = [client.call(ECHO) for _ in range(PATIENCE + 2)]
    refused, healed, after = found[:PATIENCE], found[PATIENCE], found[-1]
    assert "ok" not in {one.outcome for one in refused}
    assert "so the session is treated as lost" in refused[-1].detail
    assert [one.session_lost for one in refused] == [0] * PATIENCE
    assert (healed.outcome, healed.session_lost, healed.healed) == ("ok", REOPENED, FORGOT)
    assert (after.outcome, after.session_lost, server.handshakes) == ("ok", 0, 2)


INNOCENT = {
    "another's session": plain(500, "database session closed"),
    "the call's own": rpc(200, -32602, "Invalid params: session_id is required"),
    "no such method": rpc(404, -32601, "Method not found"),
    "too many requests": plain(429, "Too many requests in this session: limit exceeded"),
}


@pytest.mark.parametrize("refusal", INNOCENT.values(), ids=INNOCENT)
def test_a_refusal_of_something_else_is_the_call_s_own(user, refusal):
    """The call fails, and the session goes on."""
    client, server = user(refusal)
    server.fails = 1
    failed, after = client.call(ECHO), client.call(ECHO)
    assert failed.outcome != "ok"
    assert (failed.healed, after.outcome, server.handshakes) == ("", "ok", 1)


def test_a_refusal_that_a_session_survives_is_not_about_it(user):
    """If it came once between answers, no number of them makes the session suspect."""
    client, server = user(plain(500, "Internal Server Error"))
    outcomes = []
    for server.fails in (1, 1, 2 * PATIENCE):
        outcomes += [client.call(ECHO).outcome for _ in range(server.fails + 1)]
    assert outcomes.count("ok") == 3
    assert server.handshakes == 1


def test_a_refusal_that_goes_on_in_a_new_session_is_not_about_it(user):
    """It does not count as a loss, and no further session is opened for it."""
    client, server = user(plain(500, "Internal Server Error"))
    server.fails = 4 * PATIENCE
    found = [client.call(ECHO) for _ in range(4 * PATIENCE + 1)]
    assert {one.session_lost for one in found} == {0}
    assert (found[-1].outcome, server.handshakes) == ("ok", 2)


def test_a_server_that_refuses_everything_keeps_its_session(user):
    """Opening another fails for the same reason, so the session was not the cause."""
    client, server = user(plain(503, "Service Unavailable"))
    server.fails, server.opening = PATIENCE + 1, plain(503, "Service Unavailable")
    found = [client.call(ECHO) for _ in range(PATIENCE + 2)]
    assert [one.outcome for one in found] == ["http_error"] * (PATIENCE + 1) + ["ok"]
    assert {one.session_lost for one in found} == {0}
    assert server.handshakes == 2


def test_a_session_that_was_dropped_does_not_come_back(user):
    """Opening means a new session: the suspect one is not used again."""
    client, server = user(plain(503, "Service Unavailable"))
    server.fails, server.opening = PATIENCE, plain(503, "Service Unavailable")
    assert [client.call(ECHO).outcome for _ in range(PATIENCE)] == ["http_error"] * PATIENCE
    assert open_session(client).outcome == "http_error"
    assert not client.has_session


def test_a_session_that_cannot_be_opened_again_is_a_loss_that_was_not_healed(user):
    """The call fails with both reasons."""
    client, server = user(http(404, b""))
    server.known, server.opening = "lost", plain(503, "starting")
    failed = client.call(ECHO)
    assert (failed.outcome, failed.session_lost, failed.healed) == (
        "http_error",
        NOT_REOPENED,
        FORGOT,
    )
    assert "HTTP 404" in failed.detail
    assert "starting" in failed.detail


def test_a_session_that_is_unknown_when_it_was_just_opened_is_kept_elsewhere(user):
    """Requests reach another process than the one that keeps it."""
    client, server = user(http(404, b""))
    server.known, server.forgets_at_once = "lost", True
    failed = client.call(ECHO)
    assert (failed.outcome, failed.healed) == ("http_error", ELSEWHERE)
