"""Calls at once within one session over streamable HTTP, against scripted servers."""

import json
import os
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mcp_perf.client.channels.stdio import Command, StdioChannel
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol import versions
from mcp_perf.client.protocol.identity import RequestIds
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import NOT_REOPENED, REJOINED, REOPENED

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
    """Open a client that may make this many calls at once; it is closed with the test."""
    opened: list[HttpClient] = []

    def run(server: Sessions, number: int, protocol: str = HANDSHAKE):
        scripted = serve(*[server] * 100)
        client = HttpClient(Endpoint.of(scripted.url, timeout_s=MOST_S), protocol)
        client.pool.widen(number)
        opened.append(client)
        client.ready()
        return client, scripted

    yield run
    for client in opened:
        client.drop()


def at_once(client, calls):
    """Make calls at the same time; return the replies in order."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(client.call, calls))


def calls(number: int) -> list[Call]:
    """Return distinguishable calls."""
    return [Call(ECHO, {"n": n}) for n in range(number)]


def said(reply) -> int:
    """Return which call an answer is for."""
    return reply.json()["result"]["said"]["n"]


@pytest.mark.parametrize("protocol", [HANDSHAKE, MODERN])
def test_calls_at_once_are_made_in_one_session(connect, protocol):
    """Each has its own connection and its own id; the server sees one client."""
    server = Sessions(3)
    client, scripted = connect(server, 3, protocol)
    assert [connection.opened for connection in client.pool.connections] == [1, 1, 1]
    for _ in range(2):
        replies = at_once(client, calls(3))
        assert [reply.outcome for reply in replies] == ["ok"] * 3
        assert [said(reply) for reply in replies] == [0, 1, 2]
    assert {session for session, _ in server.calls} == {"s1" if protocol == HANDSHAKE else ""}
    assert len({number for _, number in server.calls}) == 6
    assert scripted.connections == 3
    assert client.terms.version == protocol


def test_a_connection_more_is_opened_where_one_is_needed(connect):
    """A client makes more calls at once than it was set up for."""
    client, scripted = connect(Sessions(3), 1)
    assert [reply.outcome for reply in at_once(client, calls(3))] == ["ok"] * 3
    assert scripted.connections == 3


def test_a_lost_session_is_opened_again_once(connect):
    """Of the calls that find it lost, one opens another and the others go on in that one."""
    server = Sessions(3)
    client, _ = connect(server, 3)
    server.session = "forgotten"
    replies = at_once(client, calls(3))
    assert [(reply.outcome, said(reply)) for reply in replies] == [("ok", n) for n in range(3)]
    assert sorted(reply.session_lost for reply in replies) == [REOPENED, REJOINED, REJOINED]
    assert server.initialized == ["s1", "s2"]
    assert client.messenger.session.id == "s2"
    assert [reply.session_lost for reply in at_once(client, calls(3))] == [0, 0, 0]


def test_a_call_opens_the_session_where_none_is_open(connect):
    """The session is opened once, and no call reports a lost one."""
    server = Sessions(2)
    client, _ = connect(server, 2)
    client.drop()
    assert [(r.outcome, r.session_lost) for r in at_once(client, calls(2))] == [("ok", 0)] * 2
    assert server.initialized == ["s1", "s2"]


def test_messages_beside_calls_wait_for_each_other_neither(connect):
    """Each of these messages, too, has its own connection."""
    both = threading.Barrier(2)

    class Slow(Sessions):
        def __call__(self, peer: socket.socket, request: bytes) -> None:
            if body_of(request).get("method") == "notifications/cancelled":
                both.wait(MOST_S)
            super().__call__(peer, request)

    client, _ = connect(Slow(2), 2)
    message = versions.encode_cancel(1, "enough")
    with ThreadPoolExecutor(2) as pool:
        replies = pool.map(lambda name: client.messenger.say(name, message), ("one", "two"))
        assert [reply.outcome for reply in replies] == ["ok", "ok"]


def test_a_session_that_could_not_be_opened_again_is_opened_by_the_next_call(connect):
    """The first call fails with the reason; the next one recovers, and says so."""
    server = Sessions(1)
    client, _ = connect(server, 1)
    server.session, server.refuses = "forgotten", 1
    call = calls(1)[0]
    failed, recovered, after = (client.call(call) for _ in range(3))
    assert failed.outcome == "http_error"
    assert "the session was lost and could not be opened again" in failed.detail
    assert failed.session_lost == NOT_REOPENED
    assert (recovered.outcome, recovered.session_lost) == ("ok", REJOINED)
    assert (after.outcome, after.session_lost) == ("ok", 0)
    assert server.initialized == ["s1", "s2"]


def test_of_calls_that_find_the_session_not_opened_again_one_recovers_it(connect):
    """A loss that outlives its call is reported once as well, by the call that found it."""
    server = Sessions(1)
    client, _ = connect(server, 2)
    server.session, server.refuses = "forgotten", 1
    assert client.call(calls(1)[0]).session_lost == NOT_REOPENED
    server._barrier = threading.Barrier(2)
    replies = at_once(client, calls(2))
    assert [reply.outcome for reply in replies] == ["ok", "ok"]
    # The other one has waited for it, or began after it.
    assert {reply.session_lost for reply in replies} - {0} == {REJOINED}
    assert server.initialized == ["s1", "s2"]


# Ids.


def test_no_two_clients_have_an_id_in_common():
    """Each client draws its own blocks, so the id of a reply shows whose it is."""
    first, second = (HttpClient(Endpoint.of("http://127.0.0.1:1/mcp")) for _ in range(2))
    channel = SessionClient(StdioChannel(Command(("x",))))
    ids = [next(ids) for ids in (first.messenger.ids, second.messenger.ids, channel._ids) * 3]
    assert len(set(ids)) == len(ids)
    assert max(ids) < 2**53  # what JavaScript holds exactly


@pytest.mark.process
def test_processes_draw_ids_of_their_own():
    """A forked process does, too, though it has inherited everything from its parent."""
    own = next(RequestIds())
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, next(RequestIds()).to_bytes(8))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = int.from_bytes(os.read(reading, 8))
    os.close(reading)
    os.close(writing)
    assert theirs >> 12 != own >> 12


def test_a_reply_that_belongs_to_another_user_is_no_reply(serve):
    """A server that mixes up the answers of two users fails both calls, however good they look."""
    waiting: list[tuple[socket.socket, int]] = []
    both = threading.Barrier(2)

    def crossed(peer: socket.socket, request: bytes) -> None:
        waiting.append((peer, body_of(request)["id"]))
        both.wait(MOST_S)
        [(_, other)] = [one for one in waiting if one[0] is not peer]
        peer.sendall(http({"jsonrpc": "2.0", "id": other, "result": {"content": []}}))

    server = serve(crossed, crossed)
    users = [HttpClient(Endpoint.of(server.url, timeout_s=MOST_S), MODERN) for _ in range(2)]
    server.clients.extend(users)
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda user: user.call(calls(1)[0]), users))
    assert [reply.outcome for reply in replies] == ["rpc_error"] * 2
    assert all("has id" in reply.detail for reply in replies)


def test_threads_draw_ids_at_once():
    """No id comes twice."""
    ids = RequestIds()
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: [next(ids) for _ in range(5000)], range(4)))
    assert len({number for part in drawn for number in part}) == 20_000
