"""Cookies: each client sends back what its server sets, and nothing else."""

import itertools
import json
import time

import pytest

from mcp_perf.client.channels.legacy_sse import SseChannel
from mcp_perf.client.errors import NegotiationError
from mcp_perf.client.http import cookies as module
from mcp_perf.client.http.cookies import Cookies
from mcp_perf.client.http.endpoint import Endpoint, Origin
from mcp_perf.client.http.rest import RestClient, encode_fields, encode_line
from mcp_perf.client.mcp.streamable_http import HttpClient
from mcp_perf.client.protocol.subscriptions import Inbox, Wanted
from mcp_perf.load.targets.clients import for_bursts

ASKED = b"POST /mcp HTTP/1.1\r\nHost: localhost:8000\r\nAccept: */*\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def jar(*fields: bytes, url: str = "http://localhost:8000/mcp") -> Cookies:
    """Return the cookies of a client whose server has set some."""
    made = Cookies(Origin.of(url))
    made.take(list(fields), ASKED)
    return made


def sent(cookies: Cookies, target: str = "/mcp", own: str = "") -> str:
    """Return the Cookie field of a request; empty if it has none."""
    request = f"GET {target} HTTP/1.1\r\nHost: localhost:8000\r\n{own}\r\n".encode()
    head = cookies.added_to(request).decode("latin-1")
    found = [one.partition(": ")[2] for one in head.split("\r\n") if one.startswith("Cookie: ")]
    assert head.count("okie:") <= 1
    return found[0] if found else ""


def setting(*fields: str, status: str = "200 OK") -> bytes:
    """Write a response that sets cookies."""
    lines = "".join(f"Set-Cookie: {one}\r\n" for one in fields)
    return f"HTTP/1.1 {status}\r\n{lines}Content-Length: 2\r\n\r\nhi".encode()


def get(client: RestClient, path: str = "/mcp") -> str:
    """Send GET, and return the outcome."""
    head = encode_line(client.endpoint, "GET", path) + encode_fields(client.endpoint, [])
    return client.send(head + b"\r\n").outcome


def cookie_of(request: bytes) -> bytes:
    """Return the Cookie field of a request that a server got."""
    found = [line for line in request.split(b"\r\n") if line.lower().startswith(b"cookie:")]
    return found[0] if found else b""


def test_a_cookie_comes_back_with_the_next_request():
    """All cookies are in one field, and a new value replaces the old one."""
    cookies = jar(b"route=a; Path=/; HttpOnly", b"theme=dark; Path=/")
    assert sent(cookies) == "route=a; theme=dark"
    cookies.take([b"route=b; Path=/"], ASKED)
    assert sent(cookies) == "route=b; theme=dark"


NOT_SENT = {
    "is marked Secure, so it is not sent over http": b"route=a; Path=/; Secure",
    "is for the path /other, so it is not sent back": b"route=a; Path=/other",
    "has expired or is for another host, so it is not sent back": b"route=a; Max-Age=0",
}


@pytest.mark.parametrize(("why", "field"), NOT_SENT.items(), ids=["secure", "path", "expired"])
def test_a_cookie_that_does_not_come_back_is_named_with_the_reason(why, field):
    """A session that hangs on it fails, and the user learns why. No value is shown."""
    cookies = jar(field)
    assert sent(cookies) == ""
    assert (
        cookies.unsent()
        == cookies.remarks()
        == [f"the server sets the cookie 'route', which {why}"]
    )


def test_a_secure_cookie_is_sent_over_https():
    """The scheme decides, not the connection."""
    assert sent(jar(b"route=a; Secure", url="https://localhost:8000/mcp")) == "route=a"


def test_the_path_of_each_request_decides():
    """Without a Path, a cookie is for the folder of the request that got it."""
    cookies = jar(b"a=1; Path=/mcp/deep", b"b=2")
    assert [sent(cookies, path) for path in ("/mcp", "/mcp/deep/er?x=1", "/")] == [
        "b=2",
        "a=1; b=2",
        "b=2",
    ]


def test_an_address_in_a_query_is_not_the_address_that_is_asked():
    """Only through a proxy does the first line hold a whole address."""
    cookies = jar(b"route=a; Path=/mcp")
    assert sent(cookies, "/mcp?back=http://example.com/") == "route=a"
    assert sent(cookies, "http://localhost:8000/mcp?x=1") == "route=a"
    assert sent(cookies, "http://localhost:8000/other") == ""


def test_a_name_that_ends_like_another_one_is_not_that_one():
    """What is said of a cookie is about this cookie."""
    cookies = jar(b"my_route=a; Path=/", b"route=b; Path=/other")
    assert sent(cookies) == "my_route=a"
    assert "'route', which is for the path /other" in cookies.unsent()[0]


def test_a_cookie_of_another_host_is_ignored():
    """A server cannot set a cookie for others."""
    assert sent(jar(b"route=a; Domain=example.com")) == ""


def test_a_cookie_ends_with_its_time(monkeypatch):
    """It is sent until it expires, and others after that."""
    cookies = jar(b"short=1; Max-Age=60", b"long=2; Max-Age=600", b"always=3")
    assert sent(cookies) == "short=1; long=2; always=3"
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + 100)
    assert sent(cookies) == "long=2; always=3"
    monkeypatch.setattr(time, "time", lambda: now_s + 1000)
    assert sent(cookies) == "always=3"


@pytest.mark.parametrize("own", ["Cookie: mine=1\r\n", "cookie: mine=1\r\n"])
def test_a_cookie_header_of_the_scenario_stays_alone(own):
    """A request has one Cookie field at most, and the user's has precedence."""
    assert sent(jar(b"route=a"), own=own) in ("mine=1", "")


def test_the_body_is_not_taken_for_a_header():
    """A message may contain the words of a header."""
    request = ASKED[:-2] + b"\r\nCookie: no"
    assert b"Cookie: route=a\r\n" in jar(b"route=a").added_to(request)


def test_a_client_keeps_a_bounded_number_of_cookies_of_bounded_length():
    """A hostile server cannot fill our memory."""
    cookies = jar(*(b"c%d=1" % n for n in range(200)), b"huge=%b" % (b"x" * 5000))
    assert len(sent(cookies).split("; ")) == 50
    assert "huge" not in sent(cookies)
    assert len(cookies.remarks()) <= 50
    for n in range(1000):
        sent(cookies, f"/{n}")
    assert len(cookies._encoded) <= module._MOST_TARGETS


def test_odd_fields_are_harmless():
    """What is not a cookie is not sent, and raises nothing."""
    for field in (b"", b"=", b";;;", b"\xff=\xfe", b"a=b=c; Path=; Max-Age=x; Expires=never"):
        sent(jar(field))


def test_each_client_has_its_own_cookies(serve):
    """Heads of replies are known to all connections, but a cookie is one client's."""
    server = serve(setting("route=a"), setting("route=a"), OK, OK, setting("route=b"), OK)
    one, other = (RestClient(Endpoint.of(server.url)) for _ in range(2))
    server.clients += [one, other]
    assert [get(each) for each in (one, one, one, other, other, other)] == ["ok"] * 6
    assert [cookie_of(each) for each in server.requests] == [
        *(b"", b"Cookie: route=a", b"Cookie: route=a"),
        *(b"", b"", b"Cookie: route=b"),
    ]
    assert one.remarks() == ["the server sets the cookie 'route', which each user sends back"]


def test_the_connections_of_one_user_share_the_cookies(serve):
    """A burst goes to the process that the user is pinned to."""
    server = serve(setting("route=a"), OK)
    clients = for_bursts(RestClient(Endpoint.of(server.url)), 2)
    server.clients += clients
    assert [get(each) for each in clients] == ["ok", "ok"]
    assert cookie_of(server.requests[1]) == b"Cookie: route=a"


def mcp(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Write a response of an MCP server."""
    lines = "".join(f"{one}\r\n" for one in ("Content-Type: application/json", *headers))
    head = f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


TAKEN = mcp(b"", status="202 Accepted")


def opens(cookie: str):
    """Return a script's line that opens a session and sets a cookie."""

    def initialize(peer, request):
        info = {"name": "s", "version": "1"}
        result = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": info}
        asked = json.loads(request.partition(b"\r\n\r\n")[2])
        reply = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        peer.sendall(mcp(reply, "Mcp-Session-Id: one", f"Set-Cookie: {cookie}"))

    return initialize


def test_a_session_stays_on_its_process(serve):
    """The cookie of `initialize` is in all later requests; the next session begins without it."""
    opened = opens("route=a; Path=/; HttpOnly")
    server = serve(opened, TAKEN, OK, opened, TAKEN)
    client = HttpClient(Endpoint.of(server.url), "2025-11-25")
    server.clients.append(client)
    client.begin()
    client.close()
    client.begin()
    assert [cookie_of(each) for each in server.requests] == [
        *(b"", b"Cookie: route=a", b"Cookie: route=a"),
        *(b"", b"Cookie: route=a"),
    ]
    assert client.terms.remarks == [
        "the server sets the cookie 'route', which each user sends back"
    ]


def test_all_connections_of_a_session_have_its_cookies(serve):
    """The session's stream, and the messages that are sent alongside calls; each may set more."""

    def stream(peer, _request):
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nSet-Cookie: stream=s\r\n\r\n"
        peer.sendall(head.encode() + b": open\n\n")
        peer.recv(1)

    server = serve(opens("route=a; Path=/"), TAKEN, stream, TAKEN)
    client = HttpClient(Endpoint.of(server.url), "2025-11-25", listens=True)
    server.clients.append(client)
    client.begin()
    client.messenger.say("notifications/cancelled", b"{}", 5)
    got, said = server.requests[2:]
    assert (got[:3], cookie_of(got)) == (b"GET", b"Cookie: route=a")
    assert set(cookie_of(said)[8:].split(b"; ")) == {b"route=a", b"stream=s"}


def test_the_stream_of_a_subscription_has_the_cookies_of_the_user(serve):
    """In 2026-07-28 each subscription has a connection."""
    server = serve(OK)
    client = HttpClient(Endpoint.of(server.url), "2026-07-28")
    server.clients.append(client)
    client.messenger.cookies.take([b"route=a; Path=/"], ASKED)
    client.streams.subscribe(Wanted(), Inbox(time.perf_counter_ns), 5)
    assert cookie_of(server.requests[0]) == b"Cookie: route=a"


def test_a_session_that_cannot_stay_says_why(serve):
    """The second request is refused, and the error names the cookie that it lacked."""
    server = serve(opens("route=a; Secure"), mcp(b"Session not found", status="404 Not Found"))
    client = HttpClient(Endpoint.of(server.url), "2025-11-25")
    server.clients.append(client)
    with pytest.raises(NegotiationError, match="'route', which is marked Secure"):
        client.begin()


def test_a_session_that_is_unknown_at_once_hints_at_affinity(serve):
    """Without a cookie to blame, the next request may have reached another process."""
    server = serve(opens("theme=dark"), mcp(b"Session not found", status="404 Not Found"))
    client = HttpClient(Endpoint.of(server.url), "2025-11-25")
    server.clients.append(client)
    with pytest.raises(NegotiationError, match=r"more than one process \(affinity\)"):
        client.begin()


def test_the_stream_of_http_with_sse_sets_the_cookie_of_its_posts(serve):
    """In MCP 2024-11-05 the process that holds the stream must get the messages."""

    def stream(peer, _request):
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nSet-Cookie: route=a\r\n\r\n"
        peer.sendall(head.encode() + b"event: endpoint\ndata: /messages?session=1\n\n")
        peer.recv(1)

    server = serve(stream, TAKEN)
    channel = SseChannel(Endpoint.of(server.url))
    channel.open(lambda _message: None, lambda _reason: None)
    channel.send(b"{}", 5)
    channel.close()
    assert list(itertools.islice(map(cookie_of, server.requests), 2)) == [b"", b"Cookie: route=a"]
