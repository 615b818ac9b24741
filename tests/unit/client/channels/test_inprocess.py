"""Python functions, and MCP servers of two libraries, within this process."""

import asyncio
import functools
import subprocess
import sys
import time

import pytest
from fastmcp import FastMCP
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

from mcp_perf.client.channels.inprocess import (
    Code,
    MemoryChannel,
    PythonClient,
    find,
    find_function,
)
from mcp_perf.client.errors import ConnectError
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.streamable_http import Call
from mcp_perf.client.protocol.subscriptions import LIST_CHANGED, Wanted
from tests.support import ROOT
from tests.support.bridges import ThreadBridge

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"


@pytest.fixture(scope="module")
def bridge():
    """Return the bridge of these tests."""
    running = ThreadBridge()
    yield running
    running.stop()


async def greet(name: str) -> str:
    """Greet somebody."""
    return f"hello {name}"


def count(name: str) -> int:
    """Count letters."""
    return len(name)


def boom() -> str:
    """Fail."""
    raise RuntimeError("no luck")


def servers():
    """Make one server of each library."""
    official, fast = MCPServer("official", log_level="CRITICAL"), FastMCP("fast")
    for tool in (greet, count, boom):
        official.add_tool(tool)
        fast.tool(tool)
    return {"mcp": official, "fastmcp": fast}


@pytest.fixture(params=["mcp", "fastmcp"])
def server(request):
    """Return a server of either library."""
    return servers()[request.param]


@pytest.mark.parametrize("protocol", ["auto", MODERN, HANDSHAKE])
def test_a_server_in_this_process_is_called_in_both_eras(server, protocol, bridge):
    """Coroutines, plain functions and failures end as over any other transport."""
    client = SessionClient(MemoryChannel(Code("x:server", server), bridge), protocol)
    assert client.negotiate() == (MODERN if protocol == "auto" else protocol)
    tools = client.list_tools()
    assert tools.keys() == {"greet", "count", "boom"}
    texts = []
    for name, arguments in (("greet", {"name": "Ada"}), ("count", {"name": "Ada"})):
        reply = client.call(Call(tools[name], arguments))
        assert reply.outcome == "ok"
        texts.append(reply.json()["result"]["content"][0]["text"])
    assert texts == ["hello Ada", "3"]
    assert client.call(Call(tools["boom"], {})).outcome == "tool_error"
    assert client.call(Call(tools["greet"], {"name": []})).outcome == "tool_error"
    client.close()
    assert bridge.tasks() == 0


def test_every_user_has_a_session_of_its_own(server, bridge):
    """Users share the server object, but not their sessions; closing one leaves the other."""
    code = Code("x:server", server)
    clients = [SessionClient(MemoryChannel(code, bridge), HANDSHAKE) for _ in range(2)]
    for client in clients:
        client.negotiate()
    tool = clients[0].list_tools()["greet"]
    clients[0].close()
    assert clients[1].call(Call(tool, {"name": "Ada"})).outcome == "ok"
    clients[1].close()
    assert bridge.tasks() == 0


def test_a_server_whose_start_fails_says_why(bridge):
    """A lifespan that raises ends the session, with its reason."""

    def broken(_server):
        raise RuntimeError("no database")

    server = MCPServer("broken", lifespan=broken, log_level="CRITICAL")
    client = SessionClient(MemoryChannel(Code("x:server", server), bridge))
    with pytest.raises(ConnectError, match="the server ended with RuntimeError: no database"):
        client.negotiate()
    client.close()


def test_what_is_no_server_is_refused(bridge):
    """The message names what was found instead."""
    with pytest.raises(ConnectError, match="it is a dict, not an MCPServer or a FastMCP"):
        SessionClient(MemoryChannel(Code("x:y", {}), bridge)).negotiate()


@pytest.fixture
def python(bridge):
    """Return a client of functions."""
    return PythonClient(Code("shop", None), bridge)


async def price(item: str) -> dict[str, object]:
    """Return a coroutine's result."""
    await asyncio.sleep(0)
    return {"item": item}


@functools.wraps(price)
def wrapped(item: str):
    """Return an awaitable, as some decorators do."""
    return price(item)


class Priceable:
    """An object that is called like a coroutine function."""

    async def __call__(self, item: str) -> dict[str, object]:
        """Return a coroutine's result."""
        return await price(item)


class Priced(BaseModel):
    """A result with fields."""

    item: str
    at: str


@pytest.mark.parametrize(
    ("function", "body"),
    [
        (price, {"item": "tea"}),
        (wrapped, {"item": "tea"}),
        (functools.partial(price), {"item": "tea"}),
        (Priceable(), {"item": "tea"}),
        (lambda item: [item, 1, None], ["tea", 1, None]),
        (lambda item: Priced(item=item, at="now"), {"item": "tea", "at": "now"}),
        (lambda item: {"class": type(item)}, {"class": "<class 'str'>"}),
    ],
)
def test_what_a_function_returns_is_the_body(function, body, python):
    """Awaitables are awaited; models become their fields, and what JSON does not know its text."""
    reply = python.run(function, {"item": "tea"})
    assert (reply.outcome, reply.json()) == ("ok", body)
    assert reply.bytes_in == len(reply.body)
    assert reply.start_ns < reply.end_ns


async def late(seconds: float) -> None:
    """Take time."""
    await asyncio.sleep(seconds)


def idle_then_late(seconds: float):
    """Take time before there is something to await, and then more."""
    time.sleep(0.02)
    return late(seconds)


def idle(seconds: float) -> None:
    """Take time that nobody can take away."""
    time.sleep(seconds)


async def times_out_by_itself() -> None:
    """Raise what a timeout raises."""
    raise TimeoutError("the database took too long")


def cancelled() -> None:
    """End like a cancelled task: with something that is not an Exception."""
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("function", "arguments", "detail"),
    [
        (boom, {}, "RuntimeError: no luck"),
        (price, {}, "TypeError: price() missing 1 required positional argument: 'item'"),
        (times_out_by_itself, {}, "TimeoutError: the database took too long"),
        (sys.exit, {}, "SystemExit"),
        (cancelled, {}, "CancelledError"),
    ],
)
def test_a_function_that_raises_is_a_tool_error(function, arguments, detail, python):
    """The detail has the exception, because the function itself says that it failed."""
    reply = python.run(function, arguments)
    assert (reply.outcome, reply.detail) == ("tool_error", detail)


@pytest.mark.parametrize("function", [late, idle, idle_then_late])
def test_a_function_that_takes_too_long_is_a_timeout(function, python):
    """A coroutine is stopped; a plain function is counted when it returns."""
    seconds = 0.02 if function is idle else 60
    reply = python.run(function, {"seconds": seconds}, 0.01)
    assert (reply.outcome, reply.detail) == ("timeout", "no result within 0.01 s")


def test_a_result_that_cannot_become_json_is_a_tool_error(python):
    """It is the function's fault, not ours."""
    endless = []
    endless.append(endless)
    reply = python.run(lambda: endless, {})
    assert reply.outcome == "tool_error"
    assert reply.detail.startswith("the result is not JSON: RecursionError")


def test_functions_are_found_in_modules_and_objects_and_as_themselves(tmp_path, monkeypatch):
    """`python: MODULE:OBJECT` names an object, `run: NAME` a function of it, or itself."""
    (tmp_path / "shop_of_test.py").write_text(
        "class Api:\n    def price(self): return 1\n    rate = 2\n"
        "api = Api()\ndef sell(): return 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name, function, result in (
        ("shop_of_test", "sell", 3),
        ("shop_of_test:api", "price", 1),
        ("shop_of_test:sell", "sell", 3),
    ):
        assert find_function(Code(name, find(name)), function)() == result
    api = Code("shop_of_test:api", find("shop_of_test:api"))
    assert find_function(api, "rate") is None
    assert find_function(api, "cost") is None
    del sys.modules["shop_of_test"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no_such_module_at_all", "no_such_module_at_all cannot be imported: ModuleNotFoundError"),
        ("json:loadz", "json has no loadz"),
        ("broken_of_test", "broken_of_test cannot be imported: ValueError: bad day"),
        ("leaving_of_test", "leaving_of_test cannot be imported: SystemExit: 0"),
    ],
)
def test_code_that_is_not_there_is_named(name, says, tmp_path, monkeypatch):
    """A module that fails on import, or exits, also gives a message, not a traceback."""
    (tmp_path / "leaving_of_test.py").write_text("raise SystemExit(0)\n")
    (tmp_path / "broken_of_test.py").write_text("raise ValueError('bad day')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConnectError, match=says):
        find(name)


@pytest.mark.process
def test_the_sdk_is_imported_only_by_who_uses_it():
    """A run over HTTP does not wait for it."""
    code = "import sys, mcp_perf.client.channels.inprocess; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("protocol", [MODERN, HANDSHAKE])
def test_a_server_in_memory_tells_of_changes(bridge, protocol):
    """It does so by a subscription, or in every session; then nobody listens any more."""

    async def grow(ctx: Context) -> str:
        await ctx.notify_tools_changed()
        await ctx.session.send_tool_list_changed()
        return "grown"

    server = MCPServer("listened", log_level="CRITICAL")
    server.add_tool(grow)
    client = SessionClient(MemoryChannel(Code("app:server", server), bridge), protocol)
    client.negotiate()
    call = Call(client.list_tools()["grow"], {})
    for _ in range(2):
        listening = client.listening.listen(Wanted(("tools",)))
        assert listening.outcome == "ok" if protocol == MODERN else listening is None
        assert client.call(call).outcome == "ok"
        told = client.listening.awaited(LIST_CHANGED["tools"], "", 0, 10)
        assert told.outcome == "ok", told.detail
        client.listening.unlisten()
    client.close()


def test_a_message_that_is_no_json_ends_the_session_at_once(bridge):
    """A lone surrogate, as surrogateescape makes them, costs no timeout."""

    def torn() -> str:
        return "\ud800"

    server = MCPServer("torn", log_level="CRITICAL")
    server.add_tool(torn)
    client = SessionClient(MemoryChannel(Code("x:server", server), bridge), HANDSHAKE)
    client.negotiate()
    reply = client.call(Call(client.list_tools()["torn"], {}))
    assert reply.outcome == "transport_error"
    assert reply.detail.startswith("a message of the server is not JSON: ")
    client.close()
