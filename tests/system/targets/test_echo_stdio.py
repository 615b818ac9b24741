"""The echo system over stdio: the same server as over HTTP, on one pipe."""

import asyncio
import json
import shlex

import pytest

from mcp_perf.client.channels.stdio import Command, StdioChannel
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.protocol.answers import Responder
from mcp_perf.client.protocol.requests import Call
from mcp_perf.client.protocol.subscriptions import LIST_CHANGED, UPDATED, Wanted
from mcp_targets.echo.protocol.calls import TOOLS
from mcp_targets.echo.stdio import Pipe

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
both_eras = pytest.mark.parametrize("protocol", [MODERN, HANDSHAKE])


@pytest.fixture
def client(systems, protocol):
    """Start the server as a user does."""
    command = shlex.split(systems.face("echo/stdio").url.removeprefix("stdio:"))
    answers = Responder(elicitation={"action": "accept", "content": {"answer": "blue"}})
    client = SessionClient(StdioChannel(Command(tuple(command))), protocol, answers=answers)
    client.ready()
    yield client
    client.close()


def said(client, name, *, progress=False, **arguments):
    """Call a tool; give the reply and its structured result."""
    reply = client.call(Call(client.list_tools()[name], arguments, progress=progress))
    assert reply.outcome == "ok", reply.detail
    return reply, reply.json()["result"].get("structuredContent")


@pytest.mark.process
@both_eras
def test_every_kind_of_tool_answers(client, protocol):
    """At once, after some time, with progress before it, and after a question to the user."""
    assert client.negotiate() == protocol
    assert sorted(client.list_tools()) == sorted(TOOLS)
    assert said(client, "add", a=1, b=2)[1] == {"sum": 3}
    assert said(client, "sleep", ms=20)[1] == {"slept_ms": 20}
    reply, steps = said(client, "progress", progress=True, steps=3, interval_ms=1)
    assert steps == {"steps": 3}
    assert reply.heard.counts == {"notifications/progress": 3}
    assert said(client, "ask", question="?")[1] == {"action": "accept", "answer": "blue"}


@pytest.mark.process
@both_eras
def test_who_listens_hears_of_changes(client):
    """On the one pipe; a client that stops listening hears no more."""
    client.listening.listen(Wanted(("tools",), "echo://readme"))
    said(client, "announce", list="tools")
    assert client.listening.awaited(LIST_CHANGED["tools"], "", 0, 10).outcome == "ok"
    said(client, "touch", uri="echo://readme")
    assert client.listening.awaited(UPDATED, "echo://readme", 0, 10).outcome == "ok"
    client.listening.unlisten()
    assert said(client, "add", a=1, b=2)[1] == {"sum": 3}


def lines(meta, *messages):
    """Give messages as lines."""
    for number, (method, params) in enumerate(messages, 1):
        message = {"jsonrpc": "2.0", "method": method, "params": {**params, "_meta": meta}}
        named = {} if method.startswith("notifications/") else {"id": number}
        yield json.dumps({**message, **named}).encode()


OPENING = ("initialize", {"protocolVersion": HANDSHAKE, "capabilities": {}})
STEPS = {"steps": 9, "interval_ms": 9999}
CALLS = {
    "at work": ("tools/call", {"name": "sleep", "arguments": {"ms": 60_000}}),
    "in steps": (
        "tools/call",
        {"name": "progress", "arguments": {"steps": 9, "interval_ms": 9999}},
    ),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("meta", [ENVELOPE, {}], ids=[MODERN, HANDSHAKE])
def test_a_call_that_is_cancelled_ends_at_once(call, meta):
    """With one error; the original answer never comes."""
    first = OPENING if not meta else ("tools/list", {})
    cancel = ("notifications/cancelled", {"requestId": 2})

    async def work():
        sent = asyncio.Queue()
        pipe = Pipe(sent.put_nowait)
        asked = {**meta, "progressToken": "t"} if call == "in steps" else meta
        for line in lines(asked, first, CALLS[call], cancel):
            pipe.take(line)
            await asyncio.sleep(0.01)
        await sent.get()
        return json.loads(await asyncio.wait_for(sent.get(), 10)), sent.empty()

    message, nothing_else = asyncio.run(work())
    assert (message["id"], message["error"]["code"]) == (2, -32800)
    assert nothing_else


def test_what_is_no_request_is_an_error_or_nothing():
    """Wrong JSON, a wrong envelope, an unknown tool, a meaningless notification."""

    async def work():
        sent = []
        pipe = Pipe(sent.append)
        pipe.take(b"{")
        pipe.take(b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
        for line in lines(
            ENVELOPE,
            ("tools/call", {"name": "none"}),
            ("notifications/cancelled", {"requestId": 7}),
            ("notifications/else", {}),
        ):
            pipe.take(line)
        return [json.loads(line)["error"]["code"] for line in sent]

    assert asyncio.run(work()) == [-32700, -32602, -32602]
