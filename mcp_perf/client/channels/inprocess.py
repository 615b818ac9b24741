"""Targets within this process: Python functions, and MCP servers through memory streams.

What is measured is the cost of the code itself; it shares a core with the load generator.
Everything asynchronous runs on the one event loop behind a `Bridge`, which the caller passes in.
"""

import asyncio
import contextlib
import importlib
import inspect
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from mcp_perf.client import rate_limits
from mcp_perf.client.channels.channel import Channel, Ended, Receive
from mcp_perf.client.errors import ConnectError, SendError
from mcp_perf.client.http.endpoint import DEFAULT_TIMEOUT_S
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import TIMEOUT, TOOL_ERROR

_STOP_S: Final = 2.0
_RAISED: Final = (Exception, SystemExit, asyncio.CancelledError)
"""What a function may raise. We stop a user by other exceptions, never by these."""


class Bridge(Protocol):
    """The way into the process's event loop from outside it."""

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a coroutine function on the loop; return its result, or raise what it raises."""

    def post(self, function: Callable[..., object], *arguments: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Code:
    """A Python object of a scenario's arm. Shared by all its users."""

    name: str
    """`module` or `module:object`."""
    target: Any
    timeout_s: float = DEFAULT_TIMEOUT_S


def find(name: str) -> Any:
    """Import an object. Raises ConnectError, also if its module raises anything."""
    module, _, path = name.partition(":")
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise ConnectError(f"{module} cannot be imported: {_words(error)}") from error
    for part in filter(None, path.split(".")):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ConnectError(f"{module} has no {path}") from None
    return found


def find_function(code: Code, name: str) -> Callable[..., Any] | None:
    """Return the function of a `run:` step: the arm's object itself, or one of its members."""
    own = getattr(code.target, "__name__", "")
    found = getattr(code.target, name, code.target if own == name else None)
    return found if callable(found) else None


@dataclass(eq=False, slots=True)
class PythonClient:
    """One user's way to a Python object: a call is a function call."""

    code: Code
    bridge: Bridge

    def ready(self) -> None:
        """Do nothing: there is no connection."""

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def run(
        self,
        function: Callable[..., Any],
        arguments: Mapping[str, Any],
        timeout_s: float | None = None,
    ) -> Reply:
        """Call a function; what it returns is the body, as JSON. Raising is a `tool_error`.

        An awaitable that it returns is awaited, and cancelled when the time is used up. A plain
        function cannot be stopped: one that took too long is a `timeout` when it returns.
        """
        timeout = self.code.timeout_s if timeout_s is None else timeout_s
        clock = time.perf_counter_ns
        reply = Reply(clock())
        result: Any = None
        try:
            returned = function(**arguments)
            if inspect.isawaitable(returned):
                left_s = timeout - (clock() - reply.start_ns) / 1e9
                returned = self.bridge.call(_bounded, returned, left_s)
            result = returned
        except _RAISED as error:
            reply.end_ns = clock()
            if not isinstance(error, _OutOfTime):
                rate_limits.fail(reply, TOOL_ERROR, _words(error))
        else:
            reply.end_ns = clock()
        if reply.end_ns - reply.start_ns >= timeout * 1e9:
            return reply.fail(TIMEOUT, f"no result within {timeout:g} s")
        try:
            reply.body = msgspec.json.encode(result, enc_hook=_as_json)
        except Exception as error:  # noqa: BLE001 -- its own way to become JSON fails
            return reply.fail(TOOL_ERROR, f"the result is not JSON: {_words(error)}")
        reply.bytes_in = len(reply.body)
        return reply


class _OutOfTime(Exception):  # noqa: N818 -- the time is over, nothing erred
    """We cancelled a coroutine; a TimeoutError may also be the coroutine's own."""


async def _bounded(awaitable: Awaitable[Any], timeout_s: float) -> Any:
    limit = asyncio.timeout(timeout_s)
    try:
        async with limit:
            return await awaitable
    except TimeoutError:
        if limit.expired():
            raise _OutOfTime from None
        raise


class MemoryChannel(Channel):
    """Memory streams to an MCP server of the Python SDK, or of fastmcp, in this process.

    Each user has separate streams, and so a separate session, with the one server.
    """

    probes = True
    starting = "start server"

    def __init__(self, code: Code, bridge: Bridge) -> None:
        self.timeout_s = self.start_timeout_s = code.timeout_s
        self._server = code.target
        self._bridge = bridge
        self._link: _Link | None = None

    def open(self, receive: Receive, ended: Ended) -> None:
        """Start to serve. Raises ConnectError if the object is not an MCP server."""
        self.close()
        low_level = low_level_server(self._server)
        if low_level is None:
            kind = type(self._server).__name__
            raise ConnectError(f"it is a {kind}, not an MCPServer or a FastMCP")
        self._link = _Link(self._server, low_level, receive, ended)
        self._bridge.call(self._link.start)

    def send(self, message: bytes, _timeout_s: float) -> None:
        if self._link is None:
            raise SendError("the server is not running")
        self._bridge.post(self._link.deliver, message)

    def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            self._bridge.call(link.stop)


def low_level_server(server: Any) -> Any:
    """Return the SDK's server inside an MCPServer or a FastMCP; None if there is none."""
    for name in ("_lowlevel_server", "_mcp_server"):
        server = getattr(server, name, server)
    ours = callable(getattr(server, "create_initialization_options", None))
    return server if ours and callable(getattr(server, "run", None)) else None


class _Link:
    """The streams of one session, on the event loop. Their messages are the SDK's objects."""

    def __init__(self, server: Any, low_level: Any, receive: Receive, ended: Ended) -> None:
        # Imported late: only users of this transport pay for the SDK.
        from mcp.shared._context_streams import create_context_streams  # noqa: PLC0415
        from mcp.shared.message import SessionMessage  # noqa: PLC0415
        from mcp_types import jsonrpc_message_adapter  # noqa: PLC0415

        self._read = jsonrpc_message_adapter.validate_json
        self._wrap = SessionMessage
        self._to_server, self._at_server = create_context_streams[Any](math.inf)
        self._from_server, self._arriving = create_context_streams[Any](math.inf)
        self._outer = server
        self._server = low_level
        self._receive = receive
        self._ended = ended
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(run()) for run in (self._serve, self._listen)]

    def deliver(self, message: bytes) -> None:
        self._tasks.append(task := asyncio.create_task(self._put(message)))
        task.add_done_callback(self._tasks.remove)

    async def stop(self) -> None:
        await self._to_server.aclose()
        tasks = list(self._tasks)
        _, late = await asyncio.wait(tasks, timeout=_STOP_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _put(self, message: bytes) -> None:
        await self._to_server.send(self._wrap(self._read(message, by_name=False)))

    async def _serve(self) -> None:
        reason = "the server ended"
        options = self._server.create_initialization_options()
        # A FastMCP has to be in this context while it serves.
        lifespan = getattr(self._outer, "_lifespan_manager", contextlib.nullcontext)
        try:
            async with self._at_server, self._from_server, lifespan():
                await self._server.run(self._at_server, self._from_server, options)
        except Exception as error:  # noqa: BLE001 -- the target's, whatever it is
            reason = f"the server ended with {_words(error)}"
        finally:
            self._ended(reason)

    async def _listen(self) -> None:
        try:
            async with self._arriving:
                async for wrapped in self._arriving:
                    text = wrapped.message.model_dump_json(by_alias=True, exclude_unset=True)
                    self._receive(text.encode())
        except Exception as error:  # noqa: BLE001 -- the target's, such as a lone surrogate
            self._ended(f"a message of the server is not JSON: {_words(error)}")


def _as_json(value: Any) -> Any:
    """Encode what msgspec does not know: a pydantic model as its fields, anything else as text."""
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) else str(value)


def _words(error: BaseException) -> str:
    """Describe an exception in one line; for a group, the first one in it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
