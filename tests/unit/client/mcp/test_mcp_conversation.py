"""What the client does when a call does not end with its first reply, against scripted servers."""

import itertools
import json
import re
import socket

import pytest

from mcp_perf.client.errors import NegotiationError
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.lists import list_all
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.answers import Responder
from mcp_perf.client.protocol.identity import RequestIds
from mcp_perf.client.protocol.requests import Request
from mcp_perf.client.protocol.tools import Tool

ECHO = Tool("echo", {"type": "object"})
ROUTED = Tool("echo", {"type": "object"}, ((("to",), "Old"),))
MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"
ROOTS = Responder(roots=[{"uri": "file:///a"}])


def body_of(request: bytes) -> dict:
    """Read the JSON-RPC message of a request."""
    return json.loads(request.partition(b"\r\n\r\n")[2])


def header_of(request: bytes, name: str) -> list[str]:
    """Return all values of a request's header."""
    return re.findall(rf"(?im)^{name}: (.*?)\r?$", request.partition(b"\r\n\r\n")[0].decode())


def http(body: object, status: str = "200 OK", *headers: str) -> bytes:
    """Encode a JSON response."""
    data = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(data)}"]).encode() + b"\r\n\r\n" + data


def says(status: str = "200 OK", *headers: str, **message: object):
    """Answer a request by a message under its own id."""

    def say(peer: socket.socket, request: bytes) -> None:
        answer = {"jsonrpc": "2.0", "id": body_of(request)["id"], **message}
        peer.sendall(http(answer, status, *headers))

    return say


def answers(**result: object):
    """Answer a request by a result."""
    return says(result=result)


def refuses(code: int, data: object = None):
    """Answer a request by a JSON-RPC error."""
    return says("400 Bad Request", error={"code": code, "message": "no", "data": data})


def stream(*events: str, ends: bool = True):
    """Answer by an event stream; $id stands for the request's own id."""

    def say(peer: socket.socket, request: bytes) -> None:
        own = str(body_of(request)["id"]) if request.startswith(b"POST") else "2"
        text = "".join(event.replace("$id", own) + "\n\n" for event in events).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        if ends:
            peer.sendall(head + b"Content-Length: %d\r\n\r\n" % len(text) + text)
        else:
            peer.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
            peer.sendall(b"%x\r\n%b\r\n" % (len(text), text))

    return say


INITIALIZED = says("200 OK", "Mcp-Session-Id: s1", result={"protocolVersion": HANDSHAKE})
RESULT = answers(content=[])
DONE = 'data: {"jsonrpc":"2.0","id":$id,"result":{"content":[]}}'


@pytest.fixture
def open_client(serve):
    """Open a session with a server that says what the test wants after the handshake."""
    clients = []

    def opened(*script, protocol: str = MODERN, opening=(), **options):
        handshake = () if protocol == MODERN else (INITIALIZED, ACCEPTED)
        server = serve(*(opening or handshake), *script)
        waits: list[float] = []
        endpoint = Endpoint.of(server.url, timeout_s=5)
        ids = RequestIds(itertools.count(1, 5000))
        client = HttpClient(endpoint, protocol, sleep=waits.append, ids=ids, **options)
        clients.append(client)
        client.begin()
        client.waits = waits
        return client, server

    yield opened
    for client in clients:
        client.drop()


# Versions.


def test_the_probe_is_repeated_where_the_server_names_our_version(serve) -> None:
    """-32022 that lists 2026-07-28 is an invitation to ask once more."""
    listed = {"supported": [MODERN]}
    server = serve(refuses(-32022, listed), answers(supportedVersions=[MODERN]))
    client = HttpClient(Endpoint.of(server.url))
    server.clients.append(client)
    assert client.negotiate() == MODERN


def test_a_server_of_a_later_era_is_named(serve) -> None:
    """A server that speaks nothing we know is an error that says what it speaks."""
    server = serve(refuses(-32022, {"supported": ["2031-01-01"]}))
    client = HttpClient(Endpoint.of(server.url))
    server.clients.append(client)
    with pytest.raises(NegotiationError, match="2031-01-01"):
        client.negotiate()


# Input, in results.


def test_each_round_has_a_new_id_and_the_servers_state(open_client) -> None:
    """The call is repeated with the same arguments, the responses and the unchanged state."""
    state = 'v1."\\u00e9\u20ac'
    asks = {"a": {"method": "roots/list"}}
    first = answers(resultType="input_required", inputRequests=asks, requestState=state)
    client, server = open_client(first, RESULT, RESULT, answers=ROOTS)
    reply = client.call(Call(ECHO, {"x": 1}))
    client.call(Call(ECHO, {"x": 1}))
    assert reply.outcome == "ok"
    one, two, three = map(body_of, server.requests)
    assert one["id"] != two["id"]
    assert two["params"]["name"] == "echo"
    assert two["params"]["arguments"] == {"x": 1}
    assert two["params"]["requestState"] == state
    assert two["params"]["inputResponses"] == {"a": {"roots": [{"uri": "file:///a"}]}}
    meta = two["params"]["_meta"]
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {"roots": {}}
    assert "requestState" not in three["params"]
    assert reply.bytes_out > len(server.requests[1])


def test_a_call_with_rendered_arguments_keeps_them_in_its_rounds(open_client) -> None:
    """Every round has the arguments that came with the call."""
    first = answers(resultType="input_required", requestState="s")
    client, server = open_client(first, first, RESULT)
    assert client.call(Call(ECHO, None), {"x": "50%"}).outcome == "ok"
    sent = [body_of(request)["params"]["arguments"] for request in server.requests]
    assert sent == [{"x": "50%"}] * 3
    assert client.waits == [0.05, 0.1]


def test_the_answers_of_a_call_win_over_those_of_its_client(open_client) -> None:
    """If a call has its own script, only that script answers."""
    asks = {"a": {"method": "roots/list"}}
    first = answers(resultType="input_required", inputRequests=asks)
    client, server = open_client(first, RESULT, first, RESULT, answers=ROOTS)
    client.call(Call(ECHO, {}, answers=Responder(roots=[])))
    client.call(Call(ECHO, {}))
    sent = [body_of(server.requests[n])["params"]["inputResponses"]["a"] for n in (1, 3)]
    assert sent == [{"roots": []}, {"roots": [{"uri": "file:///a"}]}]


def test_input_that_is_not_scripted_fails_the_check(open_client) -> None:
    """The call ends, and its detail names what was asked for."""
    asks = {"a": {"method": "sampling/createMessage", "params": {}}}
    first = answers(resultType="input_required", inputRequests=asks)
    client, server = open_client(first, answers=ROOTS)
    reply = client.call(Call(ECHO, {}))
    assert (reply.outcome, len(server.requests)) == ("check_failed", 1)
    assert "sampling/createMessage" in reply.detail


def test_a_server_that_never_has_enough_is_left(open_client) -> None:
    """After ten rounds the call has failed."""
    again = answers(resultType="input_required", requestState="s")
    client, server = open_client(*[again] * 20)
    assert client.call(Call(ECHO, {})).outcome == "check_failed"
    assert len(server.requests) == 11


def test_a_result_of_an_extension_fails_the_check(open_client) -> None:
    """A task is not a result, and does not lead to rounds."""
    client, server = open_client(answers(resultType="task", taskId="t"))
    assert client.call(Call(ECHO, {})).outcome == "check_failed"
    assert len(server.requests) == 1


# Header parameters that have changed.


def test_tools_are_listed_again_when_their_headers_have_changed(open_client) -> None:
    """-32020 leads to one new list, and to the call with the headers that it now wants."""
    schema = {"type": "object", "properties": {"to": {"type": "string", "x-mcp-header": "New"}}}
    listed = answers(tools=[{"name": "echo", "inputSchema": schema}])
    client, server = open_client(refuses(-32020), listed, RESULT, RESULT)
    for call in (Call(ROUTED, {"to": "a"}), Call(ROUTED, {"to": "b"})):
        assert client.call(call).outcome == "ok"
    first, _, second, third = server.requests
    assert header_of(first, "Mcp-Param-Old") == ["a"]
    assert header_of(second, "Mcp-Param-New") == ["a"]
    assert header_of(second, "Mcp-Param-Old") == []
    assert header_of(third, "Mcp-Param-New") == ["b"]


def test_a_list_that_has_not_changed_repeats_nothing(open_client) -> None:
    """If the new list is the old one, the refusal stands."""
    listed = answers(tools=[{"name": "echo", "inputSchema": {"type": "object"}}])
    client, server = open_client(refuses(-32020), listed)
    assert client.call(Call(ECHO, {})).outcome == "rpc_error"
    assert len(server.requests) == 2


# Requests of the server, in the handshake era.


def test_a_server_is_answered_while_its_stream_is_open(open_client) -> None:
    """Pings, scripted requests and unknown ones each get their response on another connection."""
    asks = [
        'data: {"jsonrpc":"2.0","id":"p","method":"ping"}',
        'data: {"jsonrpc":"2.0","id":7,"method":"roots/list"}',
        'data: {"jsonrpc":"2.0","id":8,"method":"tasks/list"}',
    ]
    client, server = open_client(
        REFUSED,
        stream(*asks, DONE),
        *[ACCEPTED] * 3,
        protocol=HANDSHAKE,
        answers=ROOTS,
    )
    assert client.call(Call(ECHO, {})).outcome == "ok"
    responses = [body_of(request) for request in server.requests[4:]]
    assert responses[:2] == [
        {"jsonrpc": "2.0", "id": "p", "result": {}},
        {"jsonrpc": "2.0", "id": 7, "result": {"roots": [{"uri": "file:///a"}]}},
    ]
    assert (responses[2]["id"], responses[2]["error"]["code"]) == (8, -32601)
    assert header_of(server.requests[4], "Mcp-Session-Id") == ["s1"]


def test_a_client_that_declares_nothing_opens_no_stream(open_client) -> None:
    """Without answers there is no GET, so no unneeded connection."""
    client, server = open_client(RESULT, protocol=HANDSHAKE)
    client.call(Call(ECHO, {}))
    assert [request[:4] for request in server.requests] == [b"POST"] * 3


def test_the_sessions_stream_is_read_and_taken_up_again(open_client) -> None:
    """A request on it is answered; after it ends, it is opened again where it stopped."""
    ping = 'id: e9\nretry: 1\ndata: {"jsonrpc":"2.0","id":"p","method":"ping"}'
    client, server = open_client(stream(ping), ACCEPTED, REFUSED, protocol=HANDSHAKE, answers=ROOTS)
    client.streams.listener._thread.join(5)
    opening, pong, again = server.requests[2:5]
    assert header_of(opening, "Accept") == ["text/event-stream"]
    assert header_of(opening, "Last-Event-ID") == []
    assert body_of(pong) == {"jsonrpc": "2.0", "id": "p", "result": {}}
    assert header_of(again, "Last-Event-ID") == ["e9"]


def test_a_stream_that_is_asked_for_is_told(open_client) -> None:
    """The client reports it as open, and its opening as a request of the setup."""
    seen = []
    client, _ = open_client(
        stream(": hello", ends=False),
        protocol=HANDSHAKE,
        listens=True,
        observe=lambda name, reply: seen.append((name, reply.outcome, reply.status)),
    )
    assert (client.has_session, client.has_stream) == (True, True)
    assert seen[-1] == ("GET stream", "ok", 200)


def test_a_stream_that_is_not_offered_is_told_as_a_failure(open_client) -> None:
    """The session goes on without it, and the reason names the status."""
    seen = []
    client, _ = open_client(
        REFUSED, protocol=HANDSHAKE, listens=True, observe=lambda *told: seen.append(told)
    )
    name, reply = seen[-1]
    assert (name, reply.outcome, "405" in reply.detail) == ("GET stream", "http_error", True)
    assert (client.has_session, client.has_stream) == (True, False)


def test_a_stream_that_the_server_ends_is_no_longer_open(open_client) -> None:
    """It counts as open only while it is."""
    client, _ = open_client(stream("retry: 1"), REFUSED, protocol=HANDSHAKE, listens=True)
    client.streams.listener._thread.join(5)
    assert (client.has_session, client.has_stream) == (True, False)


EMPTY = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("taken", [ACCEPTED, EMPTY])
@pytest.mark.parametrize("first", [True, False])
def test_an_answer_may_come_on_the_sessions_stream(open_client, taken, first) -> None:
    """Servers with old SDKs send it there, and end the reply to the request without it."""
    held = []

    def hold(peer: socket.socket, request: bytes) -> None:
        held.append(peer)
        stream(": hello", ends=False)(peer, request)

    def answer(peer: socket.socket, request: bytes) -> None:
        result = {"jsonrpc": "2.0", "id": body_of(request)["id"], "result": {"content": []}}
        event = b"data: %b\n\n" % json.dumps(result).encode()
        told = [(peer, taken), (held[0], b"%x\r\n%b\r\n" % (len(event), event))]
        for to, data in reversed(told) if first else told:
            to.sendall(data)

    client, _ = open_client(hold, answer, answer, protocol=HANDSHAKE, listens=True)
    replies = [client.call(Call(ECHO, {})) for _ in range(2)]
    assert [(reply.outcome, reply.detail) for reply in replies] == [("ok", "")] * 2
    assert all(reply.start_ns < reply.end_ns for reply in replies)


@pytest.mark.parametrize(
    ("first", "outcome", "says"),
    [
        (REFUSED, "http_error", "HTTP 202: (no body); the answer may have come on the session's"),
        (stream(": hello", ends=False), "timeout", "on the session's stream"),
    ],
)
def test_who_gets_no_answer_is_told_of_the_sessions_stream(open_client, first, outcome, says):
    """If it is not open, the message suggests opening it."""
    client, _ = open_client(first, ACCEPTED, protocol=HANDSHAKE, listens=True)
    reply = client.call(Call(ECHO, {}), None, 0.1)
    assert reply.outcome == outcome
    assert says in reply.detail


def test_a_session_that_was_closed_is_opened_anew(open_client) -> None:
    """The next call after a close initializes again: none is sent without a session."""
    client, server = open_client(http({}), INITIALIZED, ACCEPTED, RESULT, protocol=HANDSHAKE)
    client.close()
    assert not client.has_session
    assert client.call(Call(ECHO, {})).outcome == "ok"
    assert client.has_session
    assert [request[:6] for request in server.requests[2:]] == [b"DELETE", *[b"POST /"] * 3]


def test_closing_ends_the_sessions_stream(open_client) -> None:
    """A stream that the server would keep open for ever ends with the client."""
    client, server = open_client(stream(ends=False), http({}), protocol=HANDSHAKE, answers=ROOTS)
    listener = client.streams.listener
    client.close()
    assert not listener._thread.is_alive()
    assert server.requests[-1].startswith(b"DELETE")


# Streams that break off.


def test_an_answer_is_fetched_from_where_the_stream_ended(open_client) -> None:
    """After the time that the server gave, a GET with the last id brings the answer."""
    client, server = open_client(
        stream("id: a\nretry: 30\ndata:"),
        stream("id: b\ndata:"),
        stream(DONE),
        protocol=HANDSHAKE,
    )
    reply = client.call(Call(ECHO, {}))
    assert reply.outcome == "ok", reply.detail
    assert client.waits == [0.03, 1.0]
    assert [header_of(request, "Last-Event-ID") for request in server.requests[3:]] == [
        ["a"],
        ["b"],
    ]


def test_no_stream_is_taken_up_earlier_than_its_server_allows(open_client) -> None:
    """A call whose time is over before that is a timeout, and nothing is sent."""
    client, server = open_client(stream("id: a\nretry: 60000\ndata:"), protocol=HANDSHAKE)
    reply = client.call(Call(ECHO, {}))
    assert reply.outcome == "timeout"
    assert "forbids resuming it for 60 s (retry)" in reply.detail
    assert not any(request.startswith(b"GET") for request in server.requests)


def test_a_stream_that_may_be_taken_up_at_once_is_waited_for_all_the_same(open_client) -> None:
    """So a server that ends each stream does not cause a hot loop."""
    client, _ = open_client(stream("id: a\nretry: 0\ndata:"), stream(DONE), protocol=HANDSHAKE)
    assert client.call(Call(ECHO, {})).outcome == "ok"
    assert client.waits == [0.01]


def test_a_stream_that_cannot_be_resumed_is_an_error(open_client) -> None:
    """Without an id there is no place to go on from."""
    client, server = open_client(stream("data:"), protocol=HANDSHAKE)
    assert client.call(Call(ECHO, {})).outcome == "transport_error"
    assert len(server.requests) == 3


def test_resuming_is_given_up(open_client) -> None:
    """A server that sends nothing new twice is not asked a third time."""
    client, server = open_client(*[stream("id: a\ndata:")] * 9, protocol=HANDSHAKE)
    assert client.call(Call(ECHO, {})).outcome == "transport_error"
    assert len(server.requests) == 2 + 1 + 3


def test_nothing_is_resumed_without_a_session(open_client) -> None:
    """In 2026-07-28 a stream that ends without an answer is a failed call."""
    client, server = open_client(stream("id: a\ndata:"))
    assert client.call(Call(ECHO, {})).outcome == "transport_error"
    assert len(server.requests) == 1


# Cancelling.


def test_a_cancelled_call_is_told_by_its_id(open_client) -> None:
    """Up to 2025-11-25 a notification with the call's id goes out."""
    client, server = open_client(b"", ACCEPTED, protocol=HANDSHAKE)
    reply, _ = client.cancelled_call(Call(ECHO, {}), None, 0.05)
    assert (reply.outcome, reply.detail) == ("ok", "cancelled after 0.05 s")
    call, cancel = map(body_of, server.requests[2:])
    assert cancel["method"] == "notifications/cancelled"
    assert cancel["params"]["requestId"] == call["id"]
    assert "id" not in cancel


def test_a_cancelled_call_closes_its_connection(open_client) -> None:
    """In 2026-07-28 nothing is sent: the closed connection says it."""
    client, server = open_client(b"", RESULT)
    assert client.cancelled_call(Call(ECHO, {}), None, 0.05)[0].outcome == "ok"
    assert client.call(Call(ECHO, {})).outcome == "ok"
    assert (len(server.requests), server.connections) == (2, 2)


def test_a_cancellation_that_is_refused_is_an_error(open_client) -> None:
    """A server that does not take the notification has not cancelled the call."""
    client, _ = open_client(b"", http({}, "500 No"), protocol=HANDSHAKE)
    reply, _ = client.cancelled_call(Call(ECHO, {}), None, 0.05)
    assert reply.outcome == "http_error"
    assert "the call could not be cancelled:" in reply.detail


# Other methods.


def test_a_resource_is_named_in_the_headers(open_client) -> None:
    """Mcp-Name has the URI, encoded if necessary, whether it is constant or not."""
    client, server = open_client(RESULT, RESULT, RESULT)
    request = Request("resources/read", None)
    client.call(request, {"uri": "res://a"})
    client.call(request, {"uri": "res://é"})
    client.call(Request("resources/read", {"uri": "res://c"}))
    names = [header_of(sent, "Mcp-Name")[0] for sent in server.requests]
    assert names == ["res://a", "=?base64?cmVzOi8vw6k=?=", "res://c"]
    assert [body_of(sent)["params"]["uri"] for sent in server.requests] == [
        "res://a",
        "res://é",
        "res://c",
    ]


def test_a_list_is_all_of_its_pages(open_client) -> None:
    """The pages are asked for one after the other; the reply looks like a single page."""
    client, server = open_client(
        answers(prompts=[{"name": "a"}], nextCursor="2", ttlMs=1), answers(prompts=[{"name": "b"}])
    )
    reply = list_all(client, "prompts/list", "prompts")
    assert reply.json()["result"]["prompts"] == [{"name": "a"}, {"name": "b"}]
    assert body_of(server.requests[1])["params"]["cursor"] == "2"
    assert reply.bytes_out == sum(map(len, server.requests))
    assert not client.messenger.session.encoded  # nothing is kept that no later list can use


def test_a_list_that_is_none_fails_the_check(open_client) -> None:
    """A result without the list is not a short list."""
    client, _ = open_client(answers(tools=[]))
    reply = list_all(client, "prompts/list", "prompts")
    assert (reply.outcome, "a list prompts" in reply.detail) == ("check_failed", True)


def test_a_list_that_fails_on_its_second_page_has_failed(open_client) -> None:
    """Half a list does not count as a list."""
    client, _ = open_client(answers(prompts=[], nextCursor="2"), refuses(-32602))
    assert list_all(client, "prompts/list", "prompts").outcome == "rpc_error"
