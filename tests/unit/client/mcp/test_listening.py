"""How the HTTP client handles subscriptions and cancellations that do not go well."""

import itertools
import json
import socket
import threading
import time
from dataclasses import replace

import pytest

from mcp_perf.client.errors import NegotiationError
from mcp_perf.client.http import dialing
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp import get_stream as listener_module
from mcp_perf.client.mcp import lifetime
from mcp_perf.client.mcp.get_stream import Listener, may_come_later
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.identity import RequestIds
from mcp_perf.client.protocol.subscriptions import UPDATED, Wanted
from mcp_perf.client.protocol.tools import Tool
from tests.support.waiting import until

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
SLOW = Call(Tool("slow", {}), {})
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
OFFERED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
REFUSED = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"
LOST = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
END = b"0\r\n\r\n"
CANCELLED = {"error": {"code": -32800, "message": "Request cancelled"}}


def body_of(request: bytes) -> dict:
    """Read the JSON-RPC message of a request."""
    return json.loads(request.partition(b"\r\n\r\n")[2])


def event(**message) -> bytes:
    """Encode a chunk with one message."""
    data = b"data: %b\n\n" % json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


def note(method: str, request: bytes, **params) -> bytes:
    """Encode a chunk with one notification of the subscription that was asked for."""
    meta = {"io.modelcontextprotocol/subscriptionId": body_of(request)["id"]}
    return event(method=method, params={**params, "_meta": meta})


def acknowledged(*chunks: bytes, ends: bool = False, **honoured):
    """Acknowledge a subscription, say more, and end it by closing the connection."""

    def say(peer: socket.socket, request: bytes) -> None:
        method = "notifications/subscriptions/acknowledged"
        peer.sendall(OFFERED + note(method, request, notifications=honoured) + b"".join(chunks))
        if ends:
            peer.shutdown(socket.SHUT_RDWR)

    return say


def answers(**message):
    """Answer a request under its own id."""

    def say(peer: socket.socket, request: bytes) -> None:
        data = json.dumps({"jsonrpc": "2.0", "id": body_of(request)["id"], **message}).encode()
        head = b"HTTP/1.1 200 OK\r\nMcp-Session-Id: s\r\nContent-Type: application/json\r\n"
        peer.sendall(head + b"Content-Length: %d\r\n\r\n" % len(data) + data)

    return say


class Tokens:
    """Credentials that have one token, and another if `more`."""

    def __init__(self, *more: str) -> None:
        self.token = "old"
        self.more = list(more)
        self.refused: list[tuple] = []

    def current(self) -> str:
        """Return it."""
        return self.token

    def renew(self, *refused) -> None:
        """Take the next."""
        self.refused.append(refused)
        if not self.more:
            raise NegotiationError("no access token")
        self.token = self.more.pop()


@pytest.fixture
def opened(serve):
    """Open a session with a server that says what the test wants after the handshake."""
    clients = []

    def open_(*script, protocol: str = MODERN, timeout_s: float = 5, **own):
        agreed = (answers(result={"protocolVersion": HANDSHAKE}), ACCEPTED)
        server = serve(*(agreed if protocol == HANDSHAKE else ()), *script)
        endpoint = Endpoint.of(server.url, timeout_s=timeout_s)
        client = HttpClient(endpoint, protocol, ids=RequestIds(itertools.count(1, 5000)), **own)
        clients.append(client)
        client.begin()
        return client, server

    yield open_
    for client in clients:
        client.drop()


# 2026-07-28: a stream for each subscription.


def test_a_subscription_is_a_request_with_an_id_of_its_own(opened):
    """The id is a text, the connection is its own, and the reply is its acknowledgement."""
    client, server = opened(acknowledged(toolsListChanged=True, resourceSubscriptions=["a://b"]))
    reply = client.listening.listen(Wanted(("tools",), "a://b"))
    assert reply.outcome == "ok", reply.detail
    sent = body_of(server.requests[0])
    assert (sent["id"], sent["method"]) == ("listen-1", "subscriptions/listen")
    assert sent["params"]["notifications"] == Wanted(("tools",), "a://b").notifications()
    assert b"mcp-method: subscriptions/listen" in server.requests[0].lower()
    assert not client.listening.hears


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (END, "the server closed the stream of the subscription"),
        (event(id="listen-1", result={}) + END, "the server ended the subscription"),
        (b"", "the stream of the subscription broke: the connection was closed in the middle"),
    ],
    ids=["closed", "ended", "broken"],
)
def test_who_waits_is_told_how_a_stream_ended(opened, last, reason):
    """What came before the end is still there."""

    def say(peer: socket.socket, request: bytes) -> None:
        update = note(UPDATED, request, uri="a://b")
        acknowledged(update, last, ends=not last, resourceSubscriptions=["a://b"])(peer, request)

    client, _ = opened(say)
    assert client.listening.listen(Wanted(uri="a://b")).outcome == "ok"
    assert client.listening.awaited(UPDATED, "a://b", 0, 5).outcome == "ok"
    lost = client.listening.awaited(UPDATED, "a://b", 0, 5)
    assert lost.outcome == "transport_error"
    assert lost.detail.startswith(reason)


def test_a_subscription_that_is_not_honoured_fails(opened):
    """The stream is closed again, because nobody would await anything."""
    client, _ = opened(acknowledged(toolsListChanged=True))
    reply = client.listening.listen(Wanted(("tools",), "a://b"))
    assert (reply.outcome, reply.detail) == (
        "check_failed",
        "the server does not send notifications about: a://b",
    )


def test_a_server_that_does_not_acknowledge_is_a_timeout(opened):
    """So is a stream that opens and says nothing."""
    client, _ = opened(OFFERED, timeout_s=0.05)
    assert client.listening.listen(Wanted(("tools",))).outcome == "timeout"


def test_nothing_can_be_listened_to_without_a_server(opened):
    """It fails like any call, and says what went wrong."""
    client, server = opened()
    server.stop()
    assert client.listening.listen(Wanted(("tools",))).outcome == "transport_error"


def test_a_subscription_brings_the_token_and_another_where_that_is_refused(opened):
    """It does so like any request, on a new connection each time."""
    refused = REFUSED.replace(b"405 Method", b"401 Method").replace(
        b"Content", b"WWW-Authenticate: Bearer x\r\nContent"
    )
    tokens = Tokens("new")
    client, server = opened(refused, acknowledged(toolsListChanged=True), credentials=tokens)
    assert client.listening.listen(Wanted(("tools",))).outcome == "ok"
    first, second = server.requests
    assert b"authorization: bearer old\r\n" in first.lower()
    assert b"authorization: bearer new\r\n" in second.lower()
    assert tokens.refused == [("old", 401, "Bearer x", MODERN)]


def test_a_subscription_without_a_token_fails_in_words(opened):
    """The words are what the server said, and why it could not be asked again."""
    refused = REFUSED.replace(b"405 Method", b"401 Method")
    client, server = opened(refused, credentials=Tokens())
    reply = client.listening.listen(Wanted(("tools",)))
    assert reply.outcome == "http_error"
    assert reply.detail.startswith("HTTP 401")
    assert reply.detail.endswith("; no access token")
    assert len(server.requests) == 1


def test_a_subscription_follows_a_redirect_and_so_do_the_calls_after_it(opened):
    """So do calls that were encoded before."""
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /mcp/\r\nContent-Length: 0\r\n\r\n"
    done = answers(result={})
    client, server = opened(done, moved, acknowledged(toolsListChanged=True), done)
    assert client.call(SLOW).outcome == "ok"
    assert client.listening.listen(Wanted(("tools",))).outcome == "ok"
    assert client.call(SLOW).outcome == "ok"
    paths = [request.split(b" ")[1] for request in server.requests]
    assert paths == [b"/mcp", b"/mcp", b"/mcp/", b"/mcp/"]


# Up to 2025-11-25: one stream of the session.


def test_a_session_without_a_stream_cannot_be_listened_to(opened):
    """405 is an answer; the client does not subscribe to what it could not hear."""
    client, server = opened(REFUSED, protocol=HANDSHAKE)
    reply = client.listening.listen(Wanted(uri="a://b"))
    assert reply.outcome == "http_error"
    assert reply.detail == "HTTP 405: the server did not open a stream"
    assert len(server.requests) == 3


def test_a_subscription_is_called_off_at_the_end(opened):
    """The message has its URI; the stream stays open, so listening again sends nothing."""
    done = answers(result={})
    client, server = opened(OFFERED, done, done, protocol=HANDSHAKE)
    assert client.listening.listen(Wanted(uri="a://b")).outcome == "ok"
    client.listening.unlisten()
    assert client.listening.hears
    assert client.listening.listen(Wanted(("tools",))) is None
    subscribed, unsubscribed = map(body_of, server.requests[3:])
    assert (subscribed["method"], subscribed["params"]) == ("resources/subscribe", {"uri": "a://b"})
    assert unsubscribed["method"] == "resources/unsubscribe"
    assert unsubscribed["params"] == {"uri": "a://b"}


def test_a_stream_that_ends_is_noticed(opened):
    """Nobody hears what the server says until the stream is open again."""
    client, _ = opened(OFFERED + END, protocol=HANDSHAKE)
    assert client.listening.listen(Wanted(("tools",))).outcome == "ok"
    lost = client.listening.awaited("notifications/tools/list_changed", "", 0, 5)
    assert lost.outcome == "transport_error"
    assert lost.detail == "the server closed the session's stream of notifications"


# Cancelling, up to 2025-11-25.


def test_a_call_that_timed_out_is_cancelled(opened):
    """Its id cancels it; the reply is the call's, and ended before that."""
    client, server = opened(b"", ACCEPTED, protocol=HANDSHAKE)
    reply = client.call(SLOW, None, 0.05)
    assert reply.outcome == "timeout"
    call, cancel = map(body_of, server.requests[2:])
    assert cancel["method"] == "notifications/cancelled"
    assert cancel["params"]["requestId"] == call["id"]


def test_a_call_that_timed_out_is_not_cancelled_in_words_where_closing_says_it(opened):
    """In 2026-07-28 nothing more is sent."""
    client, server = opened(b"")
    assert client.call(SLOW, None, 0.05).outcome == "timeout"
    assert len(server.requests) == 1


@pytest.mark.parametrize("head", [b"", OFFERED], ids=["silent", "streaming"])
def test_the_end_of_a_cancelled_call_is_waited_for(opened, head):
    """An error ends it, and then the connection serves the next call."""
    peers = []

    def begin(peer: socket.socket, request: bytes) -> None:
        peers.append((peer, body_of(request)["id"]))
        peer.sendall(head)

    def cancel(peer: socket.socket, _request: bytes) -> None:
        peer.sendall(ACCEPTED)
        first, number = peers[0]
        first.sendall((b"" if head else OFFERED) + event(id=number, **CANCELLED) + END)

    client, server = opened(begin, cancel, answers(result={}), protocol=HANDSHAKE)
    reply, stop = client.cancelled_call(replace(SLOW, progress=True), None, 0.05)
    assert (reply.outcome, stop.told) == ("ok", True)
    assert 0 < stop.ns < 1e9
    assert client.terms.in_progress == {}  # what comes of it from now on is nobody's
    assert client.call(SLOW).outcome == "ok"
    assert server.connections == 2  # its own, and the other one


@pytest.mark.parametrize("last", [OFFERED + END, b"HTTP/1.1 200 OK\r\n"])
def test_any_end_of_its_stream_ends_a_cancelled_call(opened, last):
    """The stream may end without an answer, or with its connection."""
    peers = []

    def cancel(peer: socket.socket, _request: bytes) -> None:
        peer.sendall(ACCEPTED)
        peers[0].sendall(last)
        if not last.endswith(END):
            peers[0].shutdown(socket.SHUT_RDWR)

    client, _ = opened(lambda peer, _: peers.append(peer), cancel, protocol=HANDSHAKE)
    reply, stop = client.cancelled_call(SLOW, None, 0.05)
    assert (reply.outcome, stop.told) == ("ok", True)


def test_an_end_that_is_not_told_is_no_end(opened):
    """The result is the time waited, and the connection is given up."""
    client, server = opened(b"", ACCEPTED, answers(result={}), protocol=HANDSHAKE, timeout_s=0.1)
    reply, stop = client.cancelled_call(SLOW, None, 0.05)
    assert (reply.outcome, stop.told) == ("ok", False)
    assert stop.ns >= 0.1e9
    assert client.call(SLOW).outcome == "ok"
    assert server.connections == 3


def test_a_call_without_a_session_was_not_cancelled(opened):
    """The session was lost, and no other came in time: the call is the timeout that it is."""
    left = threading.Event()

    def silent(peer: socket.socket, _request: bytes) -> None:
        if peer.recv(1) == b"":
            left.set()

    again = (answers(result={"protocolVersion": HANDSHAKE}), ACCEPTED, answers(result={}))
    client, server = opened(LOST, silent, *again, protocol=HANDSHAKE, timeout_s=0.2)
    reply, stop = client.cancelled_call(SLOW, None, 0.05)
    assert (reply.outcome, stop) == ("timeout", None)
    assert len(server.requests) == 4  # and nothing was cancelled
    assert left.wait(5)  # the handshake's answer may still come
    assert client.call(SLOW).outcome == "ok"


def test_no_call_is_called_off_that_had_no_session(opened):
    """A server that has refused a call is not asked to end it."""
    client, server = opened(LOST, b"", protocol=HANDSHAKE, timeout_s=0.2)
    assert client.call(SLOW, None, 0.05).outcome == "timeout"
    assert [body_of(sent)["method"] for sent in server.requests[2:]] == ["tools/call", "initialize"]


def test_a_call_that_ended_before_has_no_end_to_tell(opened):
    """It was not cancelled."""
    client, _ = opened(answers(result={}), protocol=HANDSHAKE)
    reply, stop = client.cancelled_call(SLOW, None, 5)
    assert (reply.outcome, stop) == ("ok", None)


# Threads that break.


@pytest.fixture
def failed(monkeypatch):
    """Collect what threads raise."""
    raised = []
    monkeypatch.setattr(threading, "excepthook", lambda failure: raised.append(failure.exc_type))
    return raised


def test_a_reader_of_a_session_s_stream_that_breaks_tells_its_end(serve, failed):
    """Whatever goes wrong with a message, nobody waits for the next one."""
    ends = []
    server = serve(OFFERED + event(method="x"))
    origin = Endpoint.of(server.url).origin
    get = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    listener = Listener(origin, lambda _: get, {}.pop, time.perf_counter_ns, ends.append)
    assert listener.start(5).outcome == "ok"
    listener._thread.join(5)
    assert (len(ends), failed) == (1, [KeyError])
    listener.stop()


def test_a_reader_of_a_subscription_that_breaks_tells_its_end(opened, failed, monkeypatch):
    """The same holds in 2026-07-28."""
    client, _ = opened(acknowledged(event(method=UPDATED), resourceSubscriptions=["a://b"]))
    monkeypatch.setattr("mcp_perf.client.protocol.subscriptions.Inbox.add", lambda *_: {}.pop(0))
    assert client.listening.listen(Wanted(uri="a://b")).outcome == "ok"
    assert client.listening.awaited(UPDATED, "a://b", 0, 5).outcome == "transport_error"
    client.streams.subscriptions[0]._thread.join(5)
    assert failed == [KeyError]


# How often a stream is opened.


@pytest.mark.parametrize(
    ("retry_s", "barren", "found"),
    [
        (1.0, 0, 1.0),
        (0.0, 0, 0.1),
        (0.03, 0, 0.1),
        (0.0, 1, 1.0),
        (0.0, 2, 2.0),
        (0.0, 5, 16.0),
        (1.0, 6, 30.0),
        (1.0, 9999, 30.0),
        (90.0, 3, 90.0),
    ],
)
def test_streams_that_bring_nothing_are_opened_ever_more_rarely(retry_s, barren, found):
    """None opens before the server allows it; one that was of use resets the pause."""
    assert lifetime.pause_s(retry_s, barren) == found


@pytest.mark.parametrize(
    ("status", "later"), [(409, True), (429, True), (503, True), (405, False), (404, False)]
)
def test_a_refusal_is_final_unless_it_speaks_of_now(status, later):
    """409 says that the previous stream is still open there; 405 says that there are none."""
    assert may_come_later(status) is later


def test_a_stream_is_opened_again_after_a_conflict_and_all_of_it_is_told(serve, monkeypatch):
    """Openings, lifetimes, gaps and refusals are reported separately."""
    told, pauses = [], []
    monkeypatch.setattr(
        lifetime, "pause_s", lambda retry_s, barren: pauses.append((retry_s, barren)) or 0
    )
    conflict = b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n"
    once = OFFERED + event(method="x") + END
    server = serve(once, conflict, OFFERED + END, once, REFUSED)
    get = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    listener = Listener(
        Endpoint.of(server.url).origin, lambda _: get, len, time.perf_counter_ns,
        observe=lambda what, _: told.append(what),
    )  # fmt: skip
    assert listener.start(5).outcome == "ok"
    listener._thread.join(5)
    listener.stop()
    again = ["opened", "gap", "lived"]
    assert told == ["opened", "lived", "HTTP 409", *again, *again, "HTTP 405"]
    assert pauses == [(1.0, 0), (1.0, 1), (1.0, 2), (1.0, 0)]


def test_a_stream_that_is_refused_for_the_rate_is_asked_for_when_the_server_wants_it(
    serve, monkeypatch
):
    """The opening is rate_limited, as a call would be, and says how long to wait."""
    pauses = []
    monkeypatch.setattr(lifetime, "pause_s", lambda retry_s, _: pauses.append(retry_s) or 0)
    busy = b"HTTP/1.1 429 X\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"
    get = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    origin = Endpoint.of(serve(busy, REFUSED).url).origin
    listener = Listener(origin, lambda _: get, len, time.perf_counter_ns)
    reply = listener.start(5)
    assert (reply.outcome, reply.status, reply.retry_after_s) == ("rate_limited", 429, 30)
    listener._thread.join(5)
    listener.stop()
    assert pauses == [30]


def test_a_stream_that_is_refused_for_its_token_gets_another_one(opened):
    """It does so like any request; a redirect is followed as well."""
    refused = REFUSED.replace(b"405 Method", b"401 Method").replace(
        b"Content", b"WWW-Authenticate: Bearer x\r\nContent"
    )
    tokens = Tokens("new")
    client, server = opened(refused, OFFERED, protocol=HANDSHAKE, credentials=tokens)
    assert client.listening.listen(Wanted(("tools",))).outcome == "ok"
    assert b"authorization: bearer new\r\n" in server.requests[-1].lower()
    assert tokens.refused == [("old", 401, "Bearer x", HANDSHAKE)]


def test_a_step_that_listens_opens_no_stream_before_its_time(opened, monkeypatch):
    """It waits for the listener, which asks again after the pause, and no longer than that."""
    pauses, over = [], threading.Event()

    def paused(*_fared) -> float:
        pauses.append(60.0 if not over.is_set() else 0.0)
        return pauses[-1]

    monkeypatch.setattr(lifetime, "pause_s", paused)
    client, server = opened(OFFERED + END, OFFERED, protocol=HANDSHAKE)
    assert client.listening.listen(Wanted(("tools",))).outcome == "ok"
    until(lambda: pauses)
    client.listening.unlisten()
    reply = client.listening.listen(Wanted(("tools",)), 0.05)
    assert (reply.outcome, len(server.requests)) == ("http_error", 3)
    assert reply.detail.startswith("the server closed the session's stream of notifications; ")
    assert reply.detail.endswith("the next attempt is in 60 s")


def test_a_step_that_listens_takes_as_long_as_the_opening_it_waited_for(opened, monkeypatch):
    """The pause before it is ours, and a refusal meanwhile costs the journey nothing."""
    monkeypatch.setattr(lifetime, "pause_s", lambda *_: 0.5)
    conflict = b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n"
    changed = event(method="notifications/tools/list_changed")
    client, server = opened(OFFERED + END, conflict, OFFERED + changed, protocol=HANDSHAKE)
    assert client.listening.listen(Wanted(("tools",))).outcome == "ok"
    until(lambda: not client.listening.hears)
    client.listening.unlisten()
    reply = client.listening.listen(Wanted(("tools",)), 5)
    assert (reply.outcome, len(server.requests)) == ("ok", 5)
    assert reply.end_ns - reply.start_ns < 0.5e9
    got = client.listening.awaited("notifications/tools/list_changed", "", 0, 5)
    assert got.outcome == "ok", got.detail


@pytest.mark.parametrize("timeout_s", [600, 5])
@pytest.mark.parametrize(("of_use", "barren"), [(True, [0, 0]), (False, [1, 2])])
def test_a_subscription_that_brings_nothing_is_asked_for_ever_more_rarely(
    opened, monkeypatch, of_use, barren, timeout_s
):
    """A 200 and an acknowledgement do not count; the pause is not the server's time."""
    fared, slept, told = [], [], []
    monkeypatch.setattr(lifetime, "pause_s", lambda _, barren: fared.append(barren) or 60.0)

    def say(peer: socket.socket, request: bytes) -> None:
        update = note(UPDATED, request, uri="a://b") if of_use else b""
        acknowledged(update, END, resourceSubscriptions=["a://b"])(peer, request)

    stays = acknowledged(resourceSubscriptions=["a://b"])
    client, server = opened(
        say, say, stays, sleep=slept.append, stream=lambda *t: told.append(t[0])
    )
    for number in (1, 2):
        assert client.listening.listen(Wanted(uri="a://b"), 600).outcome == "ok"
        until(lambda: len(fared) == number)  # noqa: B023 -- called at once
        client.listening.unlisten()
    assert (fared, told) == (barren, ["opened", "lived", "opened", "gap", "lived"])
    reply = client.listening.listen(Wanted(uri="a://b"), timeout_s)
    assert 0 < slept[-1] <= min(60, timeout_s)
    if timeout_s > 60:
        assert (reply.outcome, len(server.requests)) == ("ok", 3)
        assert reply.end_ns - reply.start_ns < 60e9
        client.listening.unlisten()  # which does not count as the end of a stream
        told.clear()
        client.streams.openings.opened()
        assert told == ["opened"]
    else:
        assert (reply.outcome, len(server.requests)) == ("rpc_error", 2)
        assert reply.detail.startswith(
            "the last stream was ended or refused: the next attempt is in 5"
        )


def test_a_subscription_that_is_refused_is_told_and_put_off(opened):
    """A server that refuses is not asked in a loop, and not before its Retry-After."""
    slept, told = [], []
    busy = b"HTTP/1.1 503 X\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"
    client, server = opened(busy, sleep=slept.append, stream=lambda *t: told.append(t[0]))
    assert client.listening.listen(Wanted(("tools",))).outcome == "http_error"
    assert client.listening.listen(Wanted(("tools",))).outcome == "rpc_error"
    assert (told, slept, len(server.requests)) == (["HTTP 503"], [5], 1)


# Openings that come too late.


def test_a_stream_that_does_not_open_in_time_is_a_timeout(opened):
    """So it stays if a broken connection later ends the thread that was given up."""
    client, _ = opened(b"", protocol=HANDSHAKE)
    reply = client.listening.listen(Wanted(("tools",)), 0.05)
    assert (reply.outcome, reply.detail) == (
        "timeout",
        "the stream was not opened before the timeout",
    )


def test_what_came_of_an_opening_does_not_change_when_the_stream_is_opened_again(serve):
    """The first reply was handed out, so its status stays what it was."""
    origin = Endpoint.of(serve(OFFERED + b"a\r\nretry: 0\n\n\r\n" + END, REFUSED).url).origin
    get = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    listener = Listener(origin, lambda _: get, print, time.perf_counter_ns)
    reply = listener.start(5)
    listener._thread.join(5)
    assert listener._connection.reader.status == 405
    assert (reply.outcome, reply.status) == ("ok", 200)
    listener.stop()


def test_a_listener_that_is_stopped_while_it_connects_asks_for_nothing(serve, monkeypatch):
    """There is nothing to abort yet, so it checks again once it is connected."""
    server = serve()
    connected, go = dialing._connected, threading.Event()
    monkeypatch.setattr(dialing, "_connected", lambda *where: go.wait(5) and connected(*where))
    monkeypatch.setattr(listener_module, "JOIN_S", 0)
    listener = Listener(Endpoint.of(server.url).origin, {}.pop, print, time.perf_counter_ns)
    listener.start(0)
    listener.stop()
    go.set()
    listener._thread.join(5)
    assert not listener._thread.is_alive()
    assert (server.requests, listener.reading) == ([], False)
