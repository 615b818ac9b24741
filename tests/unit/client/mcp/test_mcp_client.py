"""The MCP client against a server that says exactly what the test wants."""

import gzip
import json
import re
import socket
import threading
from urllib.parse import quote

import pytest

from mcp_perf.client.errors import CallTimeout, ConnectError, NegotiationError, ReadError
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp import lists
from mcp_perf.client.mcp.lists import list_all
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.tools import Tool
from tests.support.waiting import free_port

ECHO = Tool("echo", {"type": "object"})


def http(body: object, status: str = "200 OK", *headers: str) -> bytes:
    """Encode an HTTP response."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    lines.append(f"Content-Length: {len(data)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def answer(result: object, status: str = "200 OK", *headers: str):
    """Answer a request with a result, under its own id."""

    def say(peer: socket.socket, request: bytes) -> None:
        body = {"jsonrpc": "2.0", "id": id_of(request), "result": result}
        peer.sendall(http(body, status, *headers))

    return say


def error(code: int, message: str, status: str = "400 Bad Request"):
    """Answer a request with a JSON-RPC error."""

    def say(peer: socket.socket, request: bytes) -> None:
        fault = {"code": code, "message": message}
        body = {"jsonrpc": "2.0", "id": id_of(request), "error": fault}
        peer.sendall(http(body, status))

    return say


def id_of(request: bytes) -> int:
    """Read the id of a request."""
    return json.loads(request.partition(b"\r\n\r\n")[2])["id"]


def body_of(request: bytes) -> dict:
    """Read the JSON-RPC message of a request."""
    return json.loads(request.partition(b"\r\n\r\n")[2])


def header_of(request: bytes, name: str) -> list[str]:
    """Return all values of a request's header."""
    return re.findall(rf"(?im)^{name}: (.*)\r$", request.partition(b"\r\n\r\n")[0].decode() + "\r")


INITIALIZED = answer({"protocolVersion": "2025-11-25"}, "200 OK", "Mcp-Session-Id: s1")
ACCEPTED = http(b"", "202 Accepted")
DISCOVER = answer({"supportedVersions": ["2026-07-28"], "resultType": "complete"})
RESULT = answer({"content": [], "structuredContent": {"message": "hi"}})


def client(server, protocol: str = "auto", timeout_s: float = 5.0, **options) -> HttpClient:
    """Give a client of a scripted server."""
    endpoint = Endpoint.of(server.url, timeout_s=timeout_s)
    server.clients.append(HttpClient(endpoint, protocol, **options))
    return server.clients[-1]


# Negotiation, as the probe of the specification has it.


def test_a_modern_server_is_recognised(serve) -> None:
    """server/discover that lists 2026-07-28 settles it; there is no session."""
    server = serve(DISCOVER, RESULT)
    mcp = client(server)
    assert mcp.negotiate() == "2026-07-28"
    assert mcp.call(Call(ECHO, {"message": "hi"})).outcome == "ok"
    mcp.close()
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "first",
    [
        error(-32000, "Server not initialized"),
        error(-32601, "Method not found", "200 OK"),
        error(-32022, "version"),
        http(b"Not found", "404 Not Found"),
        answer({"supportedVersions": ["2025-11-25"]}),
        answer({}),
    ],
    ids=["ts1", "mcp-go", "unsupported", "html404", "go-sdk", "nonsense"],
)
def test_any_other_answer_to_the_probe_leads_to_initialize(serve, first) -> None:
    """What real servers of the handshake era say to server/discover never ends the attempt."""
    server = serve(first, INITIALIZED, ACCEPTED)
    assert client(server).negotiate() == "2025-11-25"
    methods = [body_of(request)["method"] for request in server.requests]
    assert methods == ["server/discover", "initialize", "notifications/initialized"]


def test_the_handshake_sends_what_the_specification_wants(serve) -> None:
    """Session and version headers are missing before, present after; DELETE ends with both."""
    server = serve(INITIALIZED, ACCEPTED, RESULT, http(b""))
    mcp = client(server, "2025-11-25")
    mcp.begin()
    mcp.call(Call(ECHO, {}))
    mcp.close()
    initialize, initialized, call, delete = server.requests
    assert header_of(initialize, "mcp-session-id") == []
    assert header_of(initialize, "mcp-protocol-version") == []
    assert body_of(initialize)["params"]["protocolVersion"] == "2025-11-25"
    assert "id" not in body_of(initialized)
    for request in (initialized, call, delete):
        assert header_of(request, "mcp-session-id") == ["s1"]
        assert header_of(request, "mcp-protocol-version") == ["2025-11-25"]
    assert "_meta" not in body_of(call)["params"]
    assert header_of(call, "mcp-method") == []
    assert delete.startswith(b"DELETE /mcp HTTP/1.1\r\n")


def test_a_server_without_sessions_works(serve) -> None:
    """No session id means no session header and no DELETE."""
    server = serve(answer({"protocolVersion": "2025-06-18"}), ACCEPTED, RESULT)
    mcp = client(server, "auto")
    mcp.terms.version = "2025-06-18"
    assert mcp.call(Call(ECHO, {})).outcome == "ok"
    mcp.close()
    assert len(server.requests) == 3
    assert header_of(server.requests[2], "mcp-session-id") == []


def test_a_pinned_version_that_the_server_does_not_speak_is_named(serve) -> None:
    """Asking for one version and getting another is an error, not a silent change."""
    older = answer({"protocolVersion": "2025-06-18"})
    with pytest.raises(
        NegotiationError,
        match="asked for MCP 2025-11-25, the server answered with 2025-",
    ):
        client(serve(older), "2025-11-25").negotiate()
    with pytest.raises(NegotiationError, match="does not speak MCP 2026-07-28"):
        client(serve(http(b"", "404 Not Found")), "2026-07-28").negotiate()


def test_a_page_instead_of_a_server_is_named(serve) -> None:
    """A login page at the address is an error that shows the page."""
    page = http(b"<!doctype html>Sign in")
    with pytest.raises(NegotiationError, match="Sign in"):
        client(serve(page, page)).negotiate()


def test_missing_credentials_are_hinted_at(serve) -> None:
    """401 says what to set."""
    denied = http(b"{}", "401 Unauthorized")
    with pytest.raises(NegotiationError, match="headers:"):
        client(serve(denied, denied)).negotiate()


def test_a_silent_server_is_asked_for_either_era_and_no_more(serve) -> None:
    """A handshake follows a probe without an answer, and nothing follows that."""
    server = serve(b"", b"")
    with pytest.raises(CallTimeout, match="initialize"):
        client(server, timeout_s=0.2).negotiate()
    assert len(server.requests) == 2


def test_a_server_that_is_known_to_be_modern_is_asked_once(serve) -> None:
    """Without an answer there is nothing else to try."""
    server = serve(b"")
    with pytest.raises(CallTimeout, match="discover"):
        client(server, "2026-07-28", timeout_s=0.2).negotiate()
    assert len(server.requests) == 1


BUSY = http({}, "503 Service Unavailable", "Retry-After: 9")


@pytest.mark.parametrize(
    ("script", "version", "pauses"),
    [
        ([BUSY, DISCOVER], "2026-07-28", [5.0]),
        ([error(-32020, "header mismatch"), DISCOVER], "2026-07-28", [0.5]),
        ([http({}, "502 Bad Gateway")] * 3 + [INITIALIZED, ACCEPTED], "2025-11-25", [0.5, 1.0]),
        ([http({}, "500 Oops"), INITIALIZED, ACCEPTED], "2025-11-25", []),
        ([None, INITIALIZED, ACCEPTED], "2025-11-25", []),
    ],
    ids=["busy", "mismatch", "broken gateway", "broken server", "cut"],
)
def test_a_server_that_fails_the_probe_is_asked_again_and_then_initialized(
    serve, script, version, pauses
) -> None:
    """The client waits for what may soon be over; anything else means no 2026-07-28."""
    script = [(lambda peer, _request: peer.close()) if one is None else one for one in script]
    slept: list[float] = []
    mcp = client(serve(*script), sleep=slept.append)
    assert mcp.negotiate() == version
    assert slept == pauses
    told = [one for one in mcp.terms.remarks if "server/discover failed" in one]
    assert len(told) == (version != "2026-07-28")


def refused(code: int, message: str, **data: object):
    """Refuse a version, and list others."""

    def say(peer: socket.socket, request: bytes) -> None:
        fault = {"code": code, "message": message, "data": data}
        body = {"jsonrpc": "2.0", "id": id_of(request), "error": fault}
        peer.sendall(http(body, "400 Bad Request"))

    return say


OLDER = answer({"protocolVersion": "2025-06-18"}, "200 OK", "Mcp-Session-Id: s1")


@pytest.mark.parametrize(
    "refusal",
    [
        refused(-32602, "Unsupported protocol version", supported=["2024-11-05", "2025-06-18"]),
        refused(-32000, "Unsupported protocol version 2025-11-25; known: 2025-03-26, 2025-06-18"),
    ],
    ids=["data", "words"],
)
def test_of_the_versions_that_a_server_lists_the_best_common_one_is_spoken(serve, refusal) -> None:
    """It is tried once; a remark says which it is, and why."""
    server = serve(error(-32601, "no"), refusal, OLDER, ACCEPTED)
    mcp = client(server)
    assert mcp.negotiate() == "2025-06-18"
    assert body_of(server.requests[2])["params"]["protocolVersion"] == "2025-06-18"
    assert mcp.terms.remarks == [
        "uses MCP 2025-06-18, because the server refused 2025-11-25 and lists this version"
    ]


def test_a_server_that_knows_no_handshake_after_all_is_modern(serve) -> None:
    """Its probe was lost; its refusal of `initialize` lists 2026-07-28."""
    none = refused(-32022, "Unsupported protocol version", supported=["2026-07-28"])
    server = serve(http({}, "500 Oops"), none, DISCOVER, RESULT)
    mcp = client(server)
    assert mcp.negotiate() == "2026-07-28"
    assert mcp.call(Call(ECHO, {})).outcome == "ok"


def test_a_version_that_was_asked_for_is_not_replaced(serve) -> None:
    """The scenario asks for it; the server's refusal is the reason."""
    none = refused(-32602, "Unsupported protocol version", supported=["2024-11-05"])
    with pytest.raises(NegotiationError, match="Unsupported"):
        client(serve(none), "2025-11-25").negotiate()


def test_a_dead_port_is_a_connect_error() -> None:
    """A port without a server differs from a strange server."""
    port = free_port()
    with pytest.raises(ConnectError, match="refused"):
        HttpClient(Endpoint.of(f"http://127.0.0.1:{port}/mcp")).negotiate()


# Calls of 2026-07-28.


def test_a_modern_call_carries_envelope_and_routing_headers(serve) -> None:
    """Every request has _meta, the version, the method and the name; values may need encoding."""
    server = serve(DISCOVER, RESULT)
    mcp = client(server)
    mcp.negotiate()
    tool = Tool("grüß", {}, ((("region",), "Region"), (("n",), "N"), (("gone",), "Gone")))
    mcp.call(Call(tool, {"region": "Zürich", "n": 7, "gone": None}))
    request = server.requests[1]
    meta = body_of(request)["params"]["_meta"]
    assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {}
    assert header_of(request, "mcp-protocol-version") == ["2026-07-28"]
    assert header_of(request, "mcp-method") == ["tools/call"]
    assert header_of(request, "mcp-name") == ["=?base64?Z3LDvMOf?="]
    assert header_of(request, "mcp-param-region") == ["=?base64?WsO8cmljaA==?="]
    assert header_of(request, "mcp-param-n") == ["7"]
    assert header_of(request, "mcp-param-gone") == []
    assert header_of(request, "accept") == ["application/json, text/event-stream"]


def test_arguments_of_each_call_go_into_body_and_headers(serve) -> None:
    """A call without constant arguments is built anew each time, per cent signs and all."""
    server = serve(DISCOVER, RESULT, RESULT)
    mcp = client(server)
    mcp.negotiate()
    call = Call(Tool("100%", {}, ((("r",), "R"),)), None)
    for value in ("a%b", "c"):
        assert mcp.call(call, {"r": value}).outcome == "ok"
    sent = [body_of(request)["params"] for request in server.requests[1:]]
    assert [params["arguments"] for params in sent] == [{"r": "a%b"}, {"r": "c"}]
    assert [params["name"] for params in sent] == ["100%", "100%"]
    assert [header_of(r, "mcp-param-r") for r in server.requests[1:]] == [["a%b"], ["c"]]


def test_ids_are_unique_in_a_session(serve) -> None:
    """No two requests of one client share an id."""
    server = serve(DISCOVER, *[RESULT] * 5)
    mcp = client(server)
    mcp.negotiate()
    call = Call(ECHO, {})
    for _ in range(5):
        mcp.call(call)
    ids = [id_of(request) for request in server.requests]
    assert len(set(ids)) == 6


# Replies as streams.


def stream(*messages: object, end: bytes = b"0\r\n\r\n"):
    """Answer with an event stream; an id of None becomes the request's."""

    def say(peer: socket.socket, request: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        peer.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        for message in messages:
            filled = {**message, "id": id_of(request)} if "result" in message else message
            event = b"event: message\r\ndata: " + json.dumps(filled).encode() + b"\r\n\r\n"
            peer.sendall(b"%x\r\n%b\r\n" % (len(event), event))
        peer.sendall(end)

    return say


PROGRESS = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
DONE = {"jsonrpc": "2.0", "result": {"content": []}}


def test_a_reply_may_come_as_a_stream_and_the_connection_is_used_again(serve) -> None:
    """Notifications are skipped, the response ends the call, the connection stays."""
    server = serve(stream(PROGRESS, DONE), stream(DONE), RESULT)
    mcp = client(server, "2026-07-28")
    call = Call(ECHO, {})
    assert [mcp.call(call).outcome for _ in range(3)] == ["ok"] * 3
    assert server.connections == 1


def test_a_stream_that_stays_open_costs_its_connection_and_nothing_else(serve) -> None:
    """A server that does not end the stream after the response gets a new connection."""
    server = serve(stream(DONE, end=b""), RESULT)
    mcp = client(server, "2026-07-28")
    call = Call(ECHO, {})
    assert [mcp.call(call).outcome for _ in range(2)] == ["ok"] * 2
    assert server.connections == 2


def test_a_stream_that_ends_without_a_response_is_a_transport_error(serve) -> None:
    """Progress alone does not answer a call."""
    reply = client(serve(stream(PROGRESS)), "2026-07-28").call(Call(ECHO, {}))
    assert (reply.outcome, reply.detail) == (
        "transport_error",
        "the stream ended without a reply",
    )


def test_a_cut_stream_is_a_transport_error(serve) -> None:
    """A stream that breaks off in the middle differs from one that ended."""

    def cut(peer: socket.socket, request: bytes) -> None:
        stream(PROGRESS, end=b"")(peer, request)
        peer.shutdown(socket.SHUT_RDWR)

    reply = client(serve(cut), "2026-07-28").call(Call(ECHO, {}))
    assert reply.outcome == "transport_error"
    assert "in the middle" in reply.detail


def test_a_stream_that_never_answers_is_a_timeout(serve) -> None:
    """An open stream without a response ends with the call's time."""
    mcp = client(serve(stream(PROGRESS, end=b"")), "2026-07-28", timeout_s=0.3)
    assert mcp.call(Call(ECHO, {})).outcome == "timeout"


# Sessions that are lost, and servers that moved.


@pytest.mark.parametrize(
    "lost",
    [
        http(b"Session not found", "404 Not Found"),
        error(-32000, "Bad Request: No valid session ID provided"),
    ],
    ids=["404", "server-everything"],
)
def test_a_lost_session_is_opened_again_and_counted(serve, lost) -> None:
    """The call succeeds on the new session, says so, and its latency covers both attempts."""
    renewed = answer({"protocolVersion": "2025-11-25"}, "200 OK", "Mcp-Session-Id: s2")
    server = serve(INITIALIZED, ACCEPTED, lost, renewed, ACCEPTED, RESULT, RESULT)
    seen = []
    mcp = client(server, "2025-11-25", observe=lambda method, _reply: seen.append(method))
    call = Call(ECHO, {})
    reply = mcp.call(call)
    assert (reply.outcome, reply.session_lost) == ("ok", True)
    assert header_of(server.requests[-1], "mcp-session-id") == ["s2"]
    assert seen.count("initialize") == 2
    assert not mcp.call(call).session_lost


def test_another_400_is_not_a_lost_session(serve) -> None:
    """An rpc error about something else is the call's own failure."""
    server = serve(INITIALIZED, ACCEPTED, error(-32602, "bad arguments"))
    reply = client(server, "2025-11-25").call(Call(ECHO, {}))
    assert (reply.outcome, reply.session_lost, len(server.requests)) == ("rpc_error", False, 3)


def test_a_session_that_cannot_be_opened_again_fails_the_call(serve) -> None:
    """The reason names both what was lost and what did not work."""
    server = serve(INITIALIZED, ACCEPTED, http(b"", "404 Not Found"), http(b"", "503 Busy"))
    reply = client(server, "2025-11-25").call(Call(ECHO, {}))
    assert reply.outcome == "http_error"
    assert "session was lost" in reply.detail


def test_a_session_that_did_not_open_is_tried_by_the_call_itself(serve) -> None:
    """A user whose session failed to open fails its calls, class by class, until it opens."""
    server = serve(http(b"", "503 Busy"), INITIALIZED, ACCEPTED, RESULT)
    mcp = client(server, "2025-11-25")
    first, second = mcp.call(Call(ECHO, {})), mcp.call(Call(ECHO, {}))
    assert (first.outcome, second.outcome) == ("http_error", "ok")


def test_a_redirect_within_the_origin_is_followed_once_and_remembered(serve) -> None:
    """/mcp -> /mcp/ costs one extra request in all, not one per call."""
    moved = http(b"", "307 Temporary Redirect", "Location: /mcp/")
    server = serve(moved, RESULT, RESULT)
    mcp = client(server, "2026-07-28")
    call = Call(ECHO, {})
    assert [mcp.call(call).outcome for _ in range(2)] == ["ok"] * 2
    paths = [request.split(b" ")[1] for request in server.requests]
    assert paths == [b"/mcp", b"/mcp/", b"/mcp/"]


@pytest.mark.parametrize("location", ["/mcp/", "http://localhost/mcp/"])
def test_a_server_is_reached_by_a_socket_file(tmp_path, location) -> None:
    """The URL is `http+unix://` and the percent-encoded file; the server sees localhost."""
    file, requests = str(tmp_path / "s"), list[bytes]()
    lines = iter((http(b"", "307 Moved", f"Location: {location}"), RESULT))

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            for line in lines:
                requests.append(peer.recv(65536))
                line(peer, requests[-1]) if callable(line) else peer.sendall(line)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(file)
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        endpoint = Endpoint.of(f"http+unix://{quote(file, safe='')}/mcp?a=b", timeout_s=5)
        mcp = HttpClient(endpoint, "2026-07-28")
        assert mcp.call(Call(ECHO, {})).outcome == "ok"
        thread.join()
        mcp.drop()
    first, second = requests
    assert first.startswith(b"POST /mcp?a=b HTTP/1.1\r\nHost: localhost\r\n")
    assert second.startswith(b"POST /mcp/ HTTP/1.1\r\nHost: localhost\r\n")


def test_a_redirect_to_the_name_that_the_server_knows_is_within_it(serve) -> None:
    """It goes to the scenario's address, so the name need not resolve here."""
    moved = http(b"", "307 Temporary Redirect", "Location: http://mcp.internal/mcp/")
    server = serve(moved, RESULT)
    mcp = HttpClient(Endpoint.of(server.url, timeout_s=5, host="mcp.internal"), "2026-07-28")
    server.clients.append(mcp)
    assert mcp.call(Call(ECHO, {})).outcome == "ok"
    assert [header_of(request, "Host") for request in server.requests] == [["mcp.internal"]] * 2
    assert server.requests[1].startswith(b"POST /mcp/ ")


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/mcp",
        "https://example.com/",
        "/mcp",
        "http://[bad",
        "http://127.0.0.1:99999/",
    ],
)
def test_a_redirect_elsewhere_is_not_followed(serve, location) -> None:
    """Another origin, a circle, or no address: an http_error that shows where it leads."""
    server = serve(http(b"", "308 Permanent Redirect", f"Location: {location}"))
    reply = client(server, "2026-07-28").call(Call(ECHO, {}))
    assert reply.outcome == "http_error"
    assert reply.detail == f"HTTP 308: POST /mcp is redirected to {location}"


def test_a_redirect_leads_to_no_metadata_address(serve) -> None:
    """The address is shown, and nothing connects to it."""
    location = "http://169.254.169.254/latest/meta-data"
    server = serve(http(b"", "307 Temporary Redirect", f"Location: {location}"))
    mcp = client(server, "2026-07-28")
    assert mcp.call(Call(ECHO, {})).detail.endswith(f"is redirected to {location}")
    assert (len(server.requests), mcp.messenger.endpoint.origin.host) == (1, "127.0.0.1")


@pytest.mark.parametrize(
    ("status", "header", "says"),
    [
        ("301 Moved", "Location: /ok/mcp", "POST /mcp is redirected to /ok/mcp"),
        ("307 Moved", "X-Other: 1", "POST /mcp is redirected without a Location header"),
        ("303 Moved", "Location: http://localhost:1/", "is redirected to http://localhost:1/"),
    ],
)
def test_a_server_that_is_elsewhere_says_where_and_what_to_write(serve, status, header, says):
    """A redirect that is not followed has its Location and the cure."""
    with pytest.raises(NegotiationError) as refused:
        client(serve(http(b"", status, header)), "2025-11-25").negotiate()
    assert says in str(refused.value)
    assert ("write that address" in str(refused.value)) is ("without" not in says)


def test_redirects_in_a_circle_end_and_say_both_places(serve) -> None:
    """Each request is sent four times at most."""
    there, back = (http(b"", "307 Moved", f"Location: {path}") for path in ("/b", "/mcp"))
    server = serve(there, back, there, back, there)
    with pytest.raises(NegotiationError, match="POST /b is redirected to /mcp"):
        client(server, "2025-11-25").negotiate()
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", ["304 Not Modified", "300 Multiple Choices"])
def test_what_is_no_redirect_is_not_told_as_one(serve, status) -> None:
    """It is an http_error like any other."""
    reply = client(serve(http(b"", status)), "2026-07-28").call(Call(ECHO, {}))
    assert (reply.outcome, reply.detail) == ("http_error", f"HTTP {status[:3]}: (no body)")


# Listing tools.


def listed(*names: str, cursor: str | None = None, schema: dict | None = None):
    """Answer tools/list with tools of these names."""
    tools = [{"name": name, "inputSchema": schema or {"type": "object"}} for name in names]
    return answer({"tools": tools, **({"nextCursor": cursor} if cursor else {})})


def test_tools_are_listed_over_all_pages(serve) -> None:
    """The client follows nextCursor to the end."""
    server = serve(listed("a", "b", cursor="2"), listed("c"))
    assert list(client(server, "2026-07-28").list_tools()) == ["a", "b", "c"]
    assert body_of(server.requests[1])["params"]["cursor"] == "2"


def test_a_tool_with_a_forbidden_annotation_is_left_out_in_the_new_era(serve) -> None:
    """By the specification, clients drop such a tool; in the old era it is just a tool."""
    bad = {"properties": {"x": {"type": "number", "x-mcp-header": "X"}}}
    assert client(serve(listed("t", schema=bad)), "2026-07-28").list_tools() == {}
    server = serve(INITIALIZED, ACCEPTED, listed("t", schema=bad))
    mcp = client(server, "2025-11-25")
    mcp.begin()
    assert list(mcp.list_tools()) == ["t"]


@pytest.mark.parametrize("page", [answer({}), answer({"tools": None}), answer({"tools": {}})])
def test_a_list_that_is_no_list_is_an_error(serve, page) -> None:
    """The error names a malformed tools/list, which is not taken for an empty one."""
    with pytest.raises(ReadError, match="tools/list"):
        client(serve(page), "2026-07-28").list_tools()


def test_replies_that_came_packed_are_remarked_on_when_the_client_is_closed(serve) -> None:
    """The connection may have been opened again since then."""

    def packed(peer: socket.socket, request: bytes) -> None:
        body = {"jsonrpc": "2.0", "id": id_of(request), "result": {"tools": []}}
        body = gzip.compress(json.dumps(body).encode())
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip"
        peer.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    mcp = client(serve(packed, answer({"tools": []})), "2026-07-28")
    for _ in range(2):
        assert mcp.list_tools() == {}
        mcp.pool.close()
    assert mcp.terms.remarks == []
    mcp.close()
    [said] = mcp.terms.remarks
    assert "Content-Encoding: gzip, which mcp-perf did not ask for" in said


ODD = {
    "null": ({"name": "bad", "inputSchema": None}, "the tool 'bad' cannot be called: its input"),
    "missing": ({"name": "bad"}, "the tool 'bad' cannot be called: its inputSchema is missing"),
    "a boolean": ({"name": "bad", "inputSchema": True}, "its inputSchema is True, not an object"),
    "no tool": (None, "entry 2 cannot be called: it has no name"),
    "no name": ({"inputSchema": {}}, "entry 2 cannot be called: it has no name"),
    "twice": ({"name": "good", "inputSchema": {}}, "names 'good' twice"),
}


@pytest.mark.parametrize(("odd", "remark"), ODD.values(), ids=ODD)
def test_an_odd_tool_is_named_and_costs_the_others_nothing(serve, odd, remark) -> None:
    """The list is used without it."""
    good, last = ({"name": name, "inputSchema": {"type": "object"}} for name in ("good", "last"))
    mcp = client(serve(answer({"tools": [good, odd, last]})), "2026-07-28")
    assert list(mcp.list_tools()) == ["good", "last"]
    [said] = mcp.terms.remarks
    assert remark in said


def test_a_list_that_does_not_end_is_left(serve, monkeypatch) -> None:
    """Every cursor is a new one; the tools seen so far are used."""
    monkeypatch.setattr(lists, "MAX_PAGES", 2)
    mcp = client(serve(listed("a", cursor="1"), listed("b", cursor="2")), "2026-07-28")
    assert list(mcp.list_tools()) == ["a", "b"]
    assert mcp.terms.remarks == [
        "tools/list does not end after 2 pages; the tools seen are used (2)"
    ]


def test_a_server_without_tools_is_one_all_the_same(serve) -> None:
    """It may have resources, or prompts; a remark says so."""
    mcp = client(serve(error(-32601, "Method not found", "404 Not Found")), "2026-07-28")
    assert mcp.list_tools() == {}
    assert mcp.terms.remarks == [
        "the server has no tools: it answers tools/list with -32601 Method not found"
    ]


@pytest.mark.parametrize("cursor", ["again", ""])
def test_a_cursor_that_comes_again_ends_the_list(serve, cursor) -> None:
    """The tools seen are used, and a remark names the cursor; listing as a call fails."""
    page = answer({"tools": [{"name": "t", "inputSchema": {}}], "nextCursor": cursor})
    server = serve(*[page] * 4)
    mcp = client(server, "2026-07-28")
    assert list(mcp.list_tools()) == ["t"]
    assert len(server.requests) == 2
    assert mcp.terms.remarks == [
        f"tools/list does not end: the cursor {cursor!r} came again; the tools seen are used (1)"
    ]
    whole = list_all(mcp, "tools/list", "tools")
    assert (whole.outcome, len(server.requests)) == ("check_failed", 4)
    assert "cursor" in whole.detail
