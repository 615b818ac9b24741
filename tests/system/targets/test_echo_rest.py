"""The echo system's plain JSON face."""

import asyncio

import pytest

from mcp_targets.echo import tools

pytestmark = pytest.mark.process

REST = [
    ("POST", "/echo", {"message": "grüß"}, 200, {"message": "grüß"}),
    ("GET", "/echo?message=gr%C3%BC%C3%9F", None, 200, {"message": "grüß"}),
    ("POST", "/add", {"a": 2, "b": 3}, 200, {"sum": 5}),
    ("POST", "/add", {"a": 0.5, "b": 3}, 200, {"sum": 3.5}),
    ("POST", "/sleep", {"ms": 1}, 200, {"slept_ms": 1.0}),
    ("POST", "/fail", {"message": "no"}, 500, {"error": {"code": "failed", "message": "no"}}),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "answer"), REST)
def test_rest_does_what_the_tools_do(echo, method, path, body, status, answer):
    """It is the control arm's face."""
    reply = echo.request(method, path, json=body)
    assert (reply.status_code, reply.json()) == (status, answer)


def test_rest_sends_as_many_bytes_as_wanted(echo):
    """They are sent as text."""
    reply = echo.get("/big?bytes=70000")
    assert (reply.headers["content-type"], len(reply.content)) == ("text/plain", 70000)


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/echo", "{", 400),
        ("POST", "/echo", '{"massage": "x"}', 400),
        ("GET", "/big?bytes=many", "", 400),
        ("GET", "/big?bytes=-1", "", 400),
        ("GET", "/nothing", "", 404),
        ("PUT", "/echo", "", 405),
    ],
)
def test_rest_says_what_is_wrong(echo, method, path, content, status):
    """All errors have the same form."""
    reply = echo.request(method, path, content=content)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]


def test_the_tools_are_functions_too():
    """They return what REST answers; `fail` raises."""
    assert tools.echo("x") == {"message": "x"}
    assert [tools.add(1, 2), tools.add(0.5, 1)] == [{"sum": 3}, {"sum": 1.5}]
    assert asyncio.run(tools.sleep(1)) == {"slept_ms": 1}
    assert tools.big(3) == "xxx"
    with pytest.raises(RuntimeError, match="on purpose"):
        tools.fail("on purpose")
