"""Servers that talk back over stdio and HTTP+SSE: input, notifications, lists, cancelling."""

import sys
from pathlib import Path

import pytest

from mcp_perf.client.channels.legacy_sse import SseChannel
from mcp_perf.client.channels.stdio import Command, StdioChannel
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.lists import list_all
from mcp_perf.client.mcp.streamable_http import Call, Request
from mcp_perf.client.protocol.answers import Responder
from mcp_perf.client.protocol.requests import LIST_KEYS, LISTS

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
APP = (sys.executable, str(Path(__file__).with_name("asking_app.py")))
SCRIPT = Responder(
    elicitation={"action": "accept", "content": {"name": "Ada"}},
    sampling={"role": "assistant", "content": {"type": "text", "text": "well"}, "model": "parrot"},
    roots=[{"uri": "file:///srv/a"}, {"uri": "file:///srv/b"}],
)
pytestmark = pytest.mark.process


@pytest.fixture(scope="module", params=[("stdio", MODERN), ("stdio", HANDSHAKE), ("sse", "auto")])
def door(request, start):
    """Open a session over each transport, in each era that it supports."""
    transport, protocol = request.param
    if transport == "stdio":
        channel = StdioChannel(Command(APP, timeout_s=30.0))
    else:
        channel = SseChannel(Endpoint.of(f"{start('asking_app.py', '--sse').base}/sse"))
    client = SessionClient(channel, protocol, answers=SCRIPT)
    client.negotiate()
    yield client, client.list_tools()
    client.close()


def text(reply) -> str:
    """Return a tool's text."""
    assert reply.outcome == "ok", reply.detail
    return reply.json()["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("tool", "says"),
    [
        ("meet", "hello Ada, 3"),
        ("quote", "parrot: well"),
        ("folders", "file:///srv/a, file:///srv/b"),
    ],
)
def test_a_tool_gets_the_input_it_asks_for(door, tool, says):
    """By rounds in 2026-07-28, by requests from the server before that, on one channel."""
    client, tools = door
    for _ in range(2):
        assert text(client.call(Call(tools[tool], {}))) == says


def test_a_call_may_have_a_script_of_its_own(door):
    """The answers of a call take precedence over its client's."""
    client, tools = door
    grace = Responder(elicitation={"content": {"name": "Grace", "age": 9}})
    assert text(client.call(Call(tools["meet"], {}, answers=grace))) == "hello Grace, 9"


def test_notifications_of_a_call_are_counted(door):
    """Progress names its call, and the reply counts it; a log message does not name a call."""
    client, tools = door
    reply = client.call(Call(tools["work"], {"steps": 3}, progress=True))
    assert text(reply) == "done"
    assert reply.heard.counts == {"notifications/progress": 3}
    assert client.call(Call(tools["cancelled"], {})).heard is None


def test_a_cancelled_call_ends_at_the_server_too(door, until):
    """The server stops working on a call that is cancelled, and the next call works."""
    client, tools = door
    count = Call(tools["cancelled"], {})
    before = int(text(client.call(count)))
    reply, _ = client.cancelled_call(Call(tools["hang"], {}), None, 0.1)
    assert (reply.outcome, reply.body) == ("ok", b"")
    until(lambda: int(text(client.call(count))) == before + 1, "never cancelled", 120)


def test_everything_else_can_be_asked_for(door):
    """Lists, resources, prompts and completions work in the same way."""
    client, _ = door
    found = list_all(client, LISTS["templates"], LIST_KEYS["templates"])
    assert len(found.json()["result"]["resourceTemplates"]) == 1
    read = client.call(Request("resources/read", {"uri": "res://one"}))
    assert read.json()["result"]["contents"][0]["text"] == "the first"
    prompt = client.call(
        Request("prompts/get", None), {"name": "greeting", "arguments": {"name": "Ada"}}
    )
    assert "Greet Ada" in str(prompt.json()["result"]["messages"])
    if not client.terms.modern:
        assert client.call(Request("ping", {})).outcome == "ok"
