"""What every request carries: who we are."""

import re
from types import SimpleNamespace

import pytest

from mcp_perf.client.http.endpoint import USER_AGENT, Endpoint, Redirects, request_target


def test_every_request_says_that_it_is_a_load_test():
    """The owner of a server can look it up, and refuse it."""
    assert re.fullmatch(r"mcp-perf/\d+\.\d+\.\d+\S* \(load test\)", USER_AGENT)
    fields = Endpoint.of("http://127.0.0.1").fields([("Accept", "text/plain")])
    assert fields == f"User-Agent: {USER_AGENT}\r\nAccept: text/plain\r\n".encode()


@pytest.mark.parametrize("name", ["User-Agent", "user-agent"])
def test_a_user_agent_of_the_scenario_replaces_ours(name):
    """The arm, a step or each user may set one."""
    arm = Endpoint.of("http://127.0.0.1", headers={name: "other"})
    assert arm.fields([]) == f"{name}: other\r\n".encode()
    assert Endpoint.of("http://127.0.0.1").fields([(name, "x")]) == f"{name}: x\r\n".encode()
    assert Endpoint.of("http://127.0.0.1", personal=[name]).fields([]) == b""


NAMED = Endpoint.of("http://127.0.0.1:8000/mcp", host="mcp.internal:9")


def test_a_server_is_called_by_the_name_that_it_knows():
    """The address does not matter; only messages about connections name it."""
    assert NAMED.line("GET", "/x") == b"GET /x HTTP/1.1\r\nHost: mcp.internal:9\r\n"
    assert NAMED.origin.address == "127.0.0.1:8000"
    with pytest.raises(ValueError, match=r"write `host:` for the arm"):
        Endpoint.of("http://127.0.0.1", headers={"Host": "b"}, host="c")


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://mcp.internal:9/", True),
        ("http://mcp.internal/", False),
        ("https://mcp.internal:9/", False),
        ("http://127.0.0.1:8000/", False),
    ],
)
def test_what_such_a_server_calls_its_own_is_its_own(url, own):
    """A redirect to that name, or an endpoint for messages there, stays on the connection."""
    assert NAMED.origin.same(url) is own
    assert NAMED.url == "http://mcp.internal:9/mcp"
    assert Endpoint.of("https://a").origin.same("https://a:443/b")


@pytest.mark.parametrize(
    ("url", "target"),
    [("http://a", "/"), ("http://a?b=1", "/?b=1"), ("http://a/b/?c#d", "/b/?c")],
)
def test_a_request_target_begins_with_a_slash(url, target):
    """By RFC 9112, section 3.2.1, it is the path, or / if there is none, and the query."""
    assert request_target(url) == target


def test_a_redirect_is_relative_to_where_the_last_one_led():
    """By RFC 9110, section 10.2.2, Location is relative to the address that was asked."""
    moved = Redirects(Endpoint.of("http://127.0.0.1:8000/mcp", host="a"))
    for location, target in (("v2/", "/v2/"), ("tools?x=1", "/v2/tools?x=1"), ("/mcp", "/mcp")):
        answer = SimpleNamespace(status=307, header=lambda _, to=location: to.encode())
        assert moved.follow(answer)
        assert moved.target == target
    outside = SimpleNamespace(status=307, header=lambda _: b"//b/mcp2")
    assert not moved.follow(outside)
