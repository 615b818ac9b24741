"""The client of plain locustfiles, as Locust's request event sees it."""

import contextlib

import pytest

from tests.unit.client.mcp.test_mcp_client import (
    ACCEPTED,
    DISCOVER,
    INITIALIZED,
    answer,
    body_of,
    error,
    header_of,
    http,
)

with pytest.MonkeyPatch.context() as patch:  # these tests run in a process that is as it was
    patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
    from locust.env import Environment
    from locust.event import EventHook
    from locust.exception import LocustError, RescheduleTask, ResponseError, StopTest

    from mcp_perf.load import mcp_user
    from mcp_perf.load.mcp_user import McpClient, McpError, McpToolError, McpUser

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
HELLO = answer({"content": [{"type": "image"}, {"text": "hello"}], "structuredContent": {"n": 1}})


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch):
    """Reset what one test may leave for another."""
    monkeypatch.setattr(mcp_user, "_versions", {})
    monkeypatch.setattr(mcp_user, "_texts", set())


@pytest.fixture
def told():
    """Return what was reported to Locust."""
    return []


@pytest.fixture
def client_of(serve, told):
    """Make the client of a scripted server."""

    def make(*script, protocol: str = MODERN, **options):
        server = serve(*script)
        event = EventHook()
        event.add_listener(lambda **request: told.append(request))
        client = McpClient(server.url, event, protocol=protocol, **options)
        server.clients.append(client)
        client.server = server
        return client

    return make


def heard(told):
    """Return the name and the failure of each request."""
    return [(one["name"], one["exception"] and repr(one["exception"])) for one in told]


def test_a_tool_call_is_one_request_of_the_type_mcp(client_of, told):
    """It has everything that Locust's listeners ask for."""
    client = client_of(HELLO)
    response = client.call_tool("echo", {"message": "hi"})
    assert (response.ok, response.text, response.structured) == (True, "hello", {"n": 1})
    [request] = told
    assert request.pop("response_time") > 0
    assert request.pop("start_time") > 1e9
    assert request.pop("response_length") > 60
    assert request == {
        "request_type": "MCP",
        "name": "tools/call echo",
        "response": response,
        "context": {},
        "exception": None,
        "url": client.server.url,
    }
    sent = body_of(client.server.requests[0])
    assert sent["method"] == "tools/call"
    assert (sent["params"]["name"], sent["params"]["arguments"]) == ("echo", {"message": "hi"})


def test_each_kind_of_request_has_a_name_that_groups(client_of, told):
    """By default it is the method and the subject; `name` replaces it."""
    client = client_of(*[answer({"tools": [], "contents": []})] * 6)
    client.list_tools()
    client.read_resource("memo://1")
    client.read_resource("memo://2", name="memos")
    client.get_prompt("greet", {"name": "Ada"})
    client.request("completion/complete", {"ref": {}})
    client.call_tool("now")
    assert [name for name, _ in heard(told)] == [
        "tools/list",
        "resources/read memo://1",
        "memos",
        "prompts/get greet",
        "completion/complete",
        "tools/call now",
    ]
    assert body_of(client.server.requests[3])["params"]["arguments"] == {"name": "Ada"}
    assert body_of(client.server.requests[5])["params"]["arguments"] == {}


def test_the_handshake_and_the_goodbye_are_requests_too(client_of, told):
    """A session of 2025-11-25 is opened by the first call, and ended by `close`."""
    client = client_of(INITIALIZED, ACCEPTED, HELLO, http(b""), protocol=HANDSHAKE)
    client.call_tool("echo")
    client.close()
    names = [name for name, _ in heard(told)]
    assert names == ["initialize", "notifications/initialized", "tools/call echo", "DELETE session"]


def test_the_version_is_probed_once_and_is_not_a_request(client_of, told):
    """The locustfile did not ask for it, and it may fail on purpose, so statistics omit it."""
    client = client_of(DISCOVER, HELLO, HELLO, protocol="auto")
    client.call_tool("echo")
    other = McpClient(client.server.url, EventHook())
    client.server.clients.append(other)
    other.call_tool("echo")
    assert heard(told) == [("tools/call echo", None)]
    assert len(client.server.requests) == 3


def test_failures_say_in_which_class_and_why(client_of, told):
    """`isError` and an error of the protocol are different exceptions; neither is raised."""
    failed = answer({"isError": True, "content": [{"type": "text", "text": "no tea\nleft"}]})
    client = client_of(failed, error(-32602, "no such tool"), http(b"", "500 Oops"), None)
    for _ in range(4):
        assert not client.call_tool("echo").ok
    errors = [one["exception"] for one in told]
    assert [type(each) for each in errors] == [McpToolError, McpError, McpError, McpError]
    texts = [str(each) for each in errors]
    assert "no tea left" in texts[0]
    assert texts[1].startswith("rpc_error: ")
    assert "-32602" in texts[1]
    assert texts[2].startswith("http_error: HTTP 500")
    assert texts[3].startswith("transport_error: ")


def test_a_server_that_says_something_else_each_time_does_not_fill_a_table(
    client_of, told, monkeypatch
):
    """After a number of texts, only the class is reported."""
    monkeypatch.setattr(mcp_user, "_MOST_TEXTS", 2)
    client = client_of(*(error(-32000, f"no. {number}") for number in range(4)), http(b"", "500"))
    for _ in range(4):
        client.call_tool("echo")
    assert len({repr(one["exception"]) for one in told}) == 3
    assert str(told[-1]["exception"]) == "rpc_error"


def test_a_with_block_decides_what_is_reported(client_of, told):
    """As with `HttpUser`, it is reported once at the end, even if the task goes on elsewhere."""
    client = client_of(HELLO, HELLO, error(-32000, "busy"), HELLO, HELLO)
    with client.call_tool("echo", catch_response=True) as response:
        assert told == []
        response.failure("wrong answer")
    with client.call_tool("echo", catch_response=True):
        pass
    with client.call_tool("echo", catch_response=True) as response:
        response.success()
    with (
        contextlib.suppress(RescheduleTask),
        client.call_tool("echo", catch_response=True) as response,
    ):
        response.failure("again")
        raise RescheduleTask
    with client.call_tool("echo", catch_response=True):
        raise ResponseError("nothing in it")
    assert [failure for _, failure in heard(told)] == [
        "CatchResponseError('wrong answer')",
        None,
        None,
        "CatchResponseError('again')",
        "ResponseError('nothing in it')",
    ]


def test_a_with_block_without_catch_response_is_a_mistake_of_the_locustfile(client_of):
    """The request would be reported twice."""
    client = client_of(HELLO)
    with pytest.raises(LocustError, match="catch_response=True"), client.call_tool("echo"):
        pass


def test_an_odd_answer_has_no_text(client_of):
    """Odd results and odd contents do not raise anything."""
    client = client_of(answer({"content": 3}), answer([]))
    assert client.call_tool("echo").text == ""
    assert client.call_tool("echo").result == {}


def test_a_user_has_a_client_for_its_host(serve):
    """It has the user's headers and context; `on_stop` ends the session."""
    server = serve(INITIALIZED, ACCEPTED, HELLO, http(b""))

    class Shopper(McpUser):
        host = server.url
        protocol = HANDSHAKE
        headers = {"X-Shop": "1"}  # noqa: RUF012

        def context(self):
            return {"shop": 1}

    told = []
    environment = Environment(user_classes=[Shopper])
    environment.events.request.add_listener(lambda **request: told.append(request["context"]))
    user = Shopper(environment)
    user.client.call_tool("echo")
    user.on_stop()
    assert [header_of(request, "X-Shop") for request in server.requests] == [["1"]] * 4
    assert server.requests[-1].startswith(b"DELETE ")
    assert told == [{"shop": 1}] * 4


@pytest.mark.parametrize("host", [None, "ftp://shop"])
def test_no_host_or_a_bad_one_stops_the_test(host):
    """Nothing is sent, and Locust's exit code shows the failure."""
    kind = type("Shopper", (McpUser,), {"host": host})
    environment = Environment(user_classes=[kind])
    with pytest.raises(StopTest, match="not an http or https address: set host"):
        kind(environment)
    assert environment.process_exit_code == 1
