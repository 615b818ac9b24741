"""The echo system's protocol up to 2025-11-25: sessions, tested with an HTTP client."""

import subprocess
import sys

import httpx
import pytest

from mcp_targets.echo.protocol.sessions import Sessions

pytestmark = pytest.mark.process

BOTH = "application/json, text/event-stream"


def rpc(method, params=None):
    """Return a request's body."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}


def call(tool, **arguments):
    """Return the body of a tools/call."""
    return rpc("tools/call", {"name": tool, "arguments": arguments})


def initialize(version):
    """Return the body of an initialize."""
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {}}
    return rpc("initialize", params)


@pytest.fixture
def session(echo):
    """Return a client that has opened a session."""
    with httpx.Client(base_url=echo.base_url, headers={"Accept": BOTH}) as client:
        opened = client.post("/mcp", json=initialize("2025-11-25"))
        client.headers["Mcp-Session-Id"] = opened.headers["mcp-session-id"]
        client.headers["MCP-Protocol-Version"] = "2025-11-25"
        yield client


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ],
)
def test_initialize_agrees_on_a_version(echo, asked, got):
    """The requested one, or the newest of this era."""
    reply = echo.post("/mcp", json=initialize(asked), headers={"Accept": BOTH})
    assert reply.json()["result"]["protocolVersion"] == got
    assert reply.headers["mcp-session-id"]


def test_a_session_lives_from_initialize_to_delete(echo, session):
    """Notifications are accepted, calls answered, and after DELETE the session is gone."""
    before = echo.get("/_counters").json()["sessions_open"]
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    reply = session.post("/mcp", json=initialized)
    assert (reply.status_code, reply.content) == (202, b"")
    assert session.post("/mcp", json=rpc("ping")).json()["result"] == {}
    result = session.post("/mcp", json=call("add", a=2, b=3)).json()["result"]
    assert (result["structuredContent"], "resultType" in result) == ({"sum": 5}, False)
    assert session.delete("/mcp").status_code == 200
    assert echo.get("/_counters").json()["sessions_open"] == before - 1
    assert session.post("/mcp", json=rpc("ping")).status_code == 404
    assert session.delete("/mcp").status_code == 404


def test_a_request_without_a_session_is_refused(session):
    """400 without an id, 404 with an unknown one: both mean initialize again."""
    del session.headers["Mcp-Session-Id"]
    reply = session.post("/mcp", json=rpc("tools/list"))
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, -32600)
    session.headers["Mcp-Session-Id"] = "unknown"
    assert session.post("/mcp", json=rpc("tools/list")).status_code == 404


def test_a_stream_is_open_until_its_session_ends(echo, session):
    """GET opens one, which is counted and silent; DELETE of its session ends it."""
    with session.stream("GET", "/mcp") as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        assert echo.get("/_counters").json()["streams_open"] == 1
        assert session.delete("/mcp").status_code == 200
        assert stream.read() == b""
    assert echo.get("/_counters").json()["streams_open"] == 0


def test_a_new_stream_takes_the_place_of_the_one_before(session):
    """No message is sent on two streams: it goes to the newer one."""
    with session.stream("GET", "/mcp") as first, session.stream("GET", "/mcp") as second:
        assert first.read() == b""
        session.post("/mcp", json=call("announce", list="tools"))
        assert "tools/list_changed" in next(second.iter_text())
        assert session.put("/mcp").status_code == 405
        assert session.delete("/mcp").status_code == 200


def test_a_stream_of_no_session_is_refused(session):
    """Like any other request: 400 without an id, 404 with an unknown one."""
    del session.headers["Mcp-Session-Id"]
    assert session.get("/mcp").status_code == 400
    assert session.get("/mcp", headers={"Mcp-Session-Id": "unknown"}).status_code == 404


class Later:
    """Keeps delayed calls until a test runs them."""

    def __init__(self):
        self.waiting = []

    def __call__(self, delay_s, act):
        """Keep a delayed call."""
        self.waiting.append((delay_s, act))

    def come(self):
        """Run the kept calls."""
        waiting, self.waiting = self.waiting, []
        for _, act in waiting:
            act()


def test_a_session_that_nobody_uses_ends_by_itself():
    """After one idle time without use and not before; used ones and ones with a stream stay."""
    later = Later()
    sessions = Sessions(30.0, later)
    left, used, held = (sessions.open() for _ in range(3))
    assert [delay_s for delay_s, _ in later.waiting] == [30.0]
    later.come()
    assert len(sessions) == 3
    sessions.use(used)
    sessions.use(held).streams.add(object())
    later.come()
    assert (sessions.use(left), len(sessions)) == (None, 2)
    later.come()
    later.come()
    assert (sessions.use(used), len(sessions)) == (None, 1)


def test_without_an_idle_time_nothing_is_looked_for():
    """By default a session lives until it is deleted, and an empty system does not sweep."""
    later = Later()
    Sessions(None, later).open()
    assert later.waiting == []
    sessions = Sessions(1.0, later)
    sessions.end(sessions.open())
    later.come()
    assert later.waiting == []


@pytest.mark.parametrize("wrong", ["soon", "0s", "50%:1s,50%:2s"])
def test_an_idle_time_that_is_none_is_refused(wrong):
    """The message says what to write."""
    command = [sys.executable, "-m", "mcp_targets.echo", "--session-idle", wrong]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "--session-idle" in done.stderr


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (rpc("server/discover"), -32601),
        (rpc("logging/setLevel"), -32601),
        (call("no-such-tool"), -32602),
        (rpc("resources/read", {"uri": "x://y"}), -32602),
    ],
)
def test_errors_within_a_session_come_with_http_200(session, body, code):
    """In this era, the HTTP status is only about the transport."""
    reply = session.post("/mcp", json=body)
    assert (reply.status_code, reply.json()["error"]["code"], reply.json()["id"]) == (200, code, 1)


@pytest.mark.parametrize(("body", "status"), [("[]", 400), ("{", 400), ('{"id":1}', 400)])
def test_what_is_no_message_is_refused(session, body, status):
    """So are batches."""
    headers = {"Content-Type": "application/json"}
    assert session.post("/mcp", content=body, headers=headers).status_code == status


def test_a_posted_response_is_accepted(session):
    """Clients may answer pings that were never sent."""
    assert session.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "result": {}}).status_code == 202


def test_nobody_is_asked_who_cannot_answer(session):
    """A client that did not declare elicitation gets a tool error."""
    result = session.post("/mcp", json=call("ask", question="?")).json()["result"]
    assert result["isError"] is True
    assert "elicit" in result["content"][0]["text"]


@pytest.mark.parametrize("method", ["resources/subscribe", "resources/unsubscribe"])
def test_a_subscription_is_to_a_uri(session, method):
    """Anything else is refused."""
    assert session.post("/mcp", json=rpc(method, {"uri": "echo://a"})).json()["result"] == {}
    assert session.post("/mcp", json=rpc(method, {"uri": 7})).json()["error"]["code"] == -32602


def test_cancelling_what_has_ended_changes_nothing(session):
    """Neither does a cancellation that names nothing."""
    for params in ({"requestId": 77}, {"requestId": None}, {}):
        message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
        assert session.post("/mcp", json=message).status_code == 202
    assert session.post("/mcp", json=call("sleep", ms=1)).json()["result"]["isError"] is False


def test_with_replies_sse_every_answer_is_a_stream_of_one_event(start):
    """The header of the first has the session's id."""
    with httpx.Client(base_url=start("echo", "--replies", "sse")) as client:
        opened = client.post("/mcp", json=initialize("2025-11-25"), headers={"Accept": BOTH})
        assert opened.headers["content-type"] == "text/event-stream"
        headers = {"Accept": BOTH, "Mcp-Session-Id": opened.headers["mcp-session-id"]}
        unknown = client.post("/mcp", json=rpc("logging/setLevel"), headers=headers)
    assert unknown.headers["content-type"] == "text/event-stream"
    assert '"code":-32601' in unknown.text
