"""The MCP client over streamable HTTP, both eras, one session.

A failed call is a `Reply`; only opening a session raises (`TargetError`), because without a
session there is nothing to measure.
"""

import itertools
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from mcp_targets.client import eras, jsonrpc
from mcp_targets.client.connection import Clock, Connection, WaitFactory
from mcp_targets.client.errors import (
    CallTimeout,
    ConnectError,
    NegotiationError,
    ReadError,
    TargetError,
)
from mcp_targets.client.exchange import Endpoint, Redirects, exchange, with_body
from mcp_targets.client.tools import Tool, param_headers, read_tools
from mcp_targets.reply import OK, TIMEOUT, TRANSPORT_ERROR, Reply

Observer = Callable[[str, Reply], None]
"""Is told of every request that is not a call: its method, its reply."""

MAX_PAGES: Final = 1000
_NOTHING: Final[dict[str, Any]] = {}


class Call:
    """One tool call, prepared: encoded once per client when its arguments are constant."""

    __slots__ = ("arguments", "tool")

    def __init__(self, tool: Tool, arguments: dict[str, Any] | None) -> None:
        self.tool = tool
        self.arguments = arguments
        """None: the arguments come with each call."""


def ignore(_method: str, _reply: Reply) -> None:
    """Observe nothing."""


class McpClient:
    """One virtual user's session with one MCP server."""

    def __init__(
        self,
        endpoint: Endpoint,
        protocol: str = "auto",
        *,
        observe: Observer = ignore,
        clock: Clock = time.perf_counter_ns,
        waits: WaitFactory | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.protocol = protocol
        self.version = "" if protocol == "auto" else protocol
        """The protocol version in use; empty until it is negotiated."""
        self.connection = Connection(endpoint.origin, clock, waits)
        self._clock = clock
        self._observe = observe
        self._ids = itertools.count(1)
        self._session = ""
        self._opened = False
        self._moved = Redirects(endpoint)
        self._encoded: dict[Call, tuple[bytes, bytes]] = {}

    @property
    def modern(self) -> bool:
        """Whether this client speaks the stateless era."""
        return self.version == eras.MODERN

    # Opening and closing.

    def negotiate(self) -> str:
        """Find out which version the server speaks, open a session, return the version.

        Raises ConnectError where there is nobody, NegotiationError where no session comes about.
        """
        if self.protocol in ("auto", eras.MODERN):
            reply = self._request("server/discover", {}, modern=True)
            if self._offers_modern(reply):
                self.version = eras.MODERN
                self._opened = True
                return self.version
            if self.protocol == eras.MODERN:
                raise NegotiationError(
                    f"the server does not speak {eras.MODERN}: {reply.detail or reply.excerpt()}"
                )
        self._initialize()
        self._opened = True
        return self.version

    def open(self) -> None:
        """Open a session by a version that is known already; negotiate where it is not."""
        if not self.version:
            self.negotiate()
        elif not self.modern:
            self._initialize()
        self._opened = True

    def ready(self) -> None:
        """Open the session where there is none yet; re-open a connection that has gone idle."""
        self.connection.ready(self.endpoint.timeout_s)
        if not self._opened:
            self.open()

    def close(self) -> None:
        """Say goodbye to the session, where there is one, and close the connection."""
        if self._session:
            headers = eras.handshake_headers(self.version, self._session)
            head = self._head_of(headers, "DELETE")
            self._observe("DELETE session", self._send(head + b"\r\n"))
            self._session = ""
        self.connection.close()

    # Calling.

    def call(
        self, call: Call, arguments: dict[str, Any] | None = None, timeout_s: float | None = None
    ) -> Reply:
        """Call a tool and judge the answer.

        `arguments` are for a call without constant ones. A session that the server has lost is
        opened again and the call repeated, once, within the call's own latency.
        """
        timeout = self.endpoint.timeout_s if timeout_s is None else timeout_s
        if not self._opened:
            start_ns = self._clock()
            try:
                self.open()
            except TargetError as error:
                reply = Reply(start_ns).fail(error.outcome, f"no session: {error}")
                reply.end_ns = self._clock()
                return reply
        reply = self._call_once(call, arguments, timeout)
        if reply.outcome == OK:
            return reply
        if self._moved.follow(self.connection.reader):
            self._encoded.clear()
            return self._again(reply, call, arguments, timeout)
        if self._session and self._session_lost(reply):
            try:
                self._initialize()
            except TargetError as error:
                return reply.fail(error.outcome, f"session lost, and not opened again: {error}")
            reply.session_lost = True
            return self._again(reply, call, arguments, timeout)
        return reply

    def list_tools(self) -> dict[str, Tool]:
        """List all tools, page by page. Raises ReadError when the list cannot be had."""
        tools: dict[str, Tool] = {}
        params: dict[str, Any] = {}
        for _ in range(MAX_PAGES):
            reply = self._request("tools/list", params, modern=self.modern)
            if reply.outcome != OK:
                raise ReadError(f"tools/list failed: {reply.detail}")
            result = jsonrpc.result_of(reply)
            tools |= read_tools(result.get("tools"), modern=self.modern)
            cursor = result.get("nextCursor")
            if not isinstance(cursor, str):
                return tools
            params = {"cursor": cursor}
        raise ReadError(f"tools/list does not end after {MAX_PAGES} pages")

    # The parts.

    def _call_once(self, call: Call, arguments: dict[str, Any] | None, timeout_s: float) -> Reply:
        encoded = self._encoded.get(call)
        if encoded is None:
            encoded = self._encoded[call] = self._encode(call)
        head, tail = encoded
        if arguments is not None:
            tail = tail % msgspec.json.encode(arguments)
            if self.modern and call.tool.header_params:
                head = self._head("tools/call", {"name": call.tool.name}, call.tool, arguments)
        request_id = next(self._ids)
        request = with_body(head, eras.encode_message(request_id, tail))
        reply = exchange(self.connection, request, timeout_s, self._clock, jsonrpc.is_answer)
        return reply if reply.outcome != OK else jsonrpc.judge(reply, request_id)

    def _again(
        self, first: Reply, call: Call, arguments: dict[str, Any] | None, timeout_s: float
    ) -> Reply:
        """Repeat a call; both attempts are one call to the one who waits."""
        left_s = max(0.001, timeout_s - (self._clock() - first.start_ns) / 1e9)
        reply = self._call_once(call, arguments, left_s)
        reply.start_ns = first.start_ns
        reply.bytes_in += first.bytes_in
        reply.bytes_out += first.bytes_out
        reply.session_lost = first.session_lost
        return reply

    def _encode(self, call: Call) -> tuple[bytes, bytes]:
        """Encode head and tail; a tail without constant arguments holds a %b for them."""
        params: dict[str, Any] = {"name": call.tool.name}
        if call.arguments is not None:
            head = self._head("tools/call", params, call.tool, call.arguments)
            params["arguments"] = call.arguments
            return head, eras.encode_tail("tools/call", self._params(params))
        mark = msgspec.Raw(b"\0")
        tail = eras.encode_tail("tools/call", self._params({**params, "arguments": mark}))
        return self._head("tools/call", params, call.tool, _NOTHING), tail.replace(
            b"%", b"%%"
        ).replace(b"\0", b"%b")

    def _params(self, params: dict[str, Any]) -> dict[str, Any]:
        return eras.modern_params(params) if self.modern else params

    def _head(
        self, method: str, params: dict[str, Any], tool: Tool, arguments: dict[str, Any]
    ) -> bytes:
        if self.modern:
            headers = eras.modern_headers(method, params) + param_headers(tool, arguments)
        else:
            headers = eras.handshake_headers(self.version, self._session)
        return self._head_of(headers)

    def _head_of(self, headers: list[tuple[str, str]], method: str = "POST") -> bytes:
        return self.endpoint.line(method, self._moved.target) + self.endpoint.fields(headers)

    def _request(self, method: str, params: dict[str, Any], *, modern: bool) -> Reply:
        """Send a request that is not a call, follow one redirect, tell the observer."""
        request_id = next(self._ids)
        for _ in range(2):
            if modern:
                headers = eras.modern_headers(method, params)
                tail = eras.encode_tail(method, eras.modern_params(params))
            else:
                fresh = method == "initialize"
                version, session = ("", "") if fresh else (self.version, self._session)
                headers = eras.handshake_headers(version, session)
                tail = eras.encode_tail(method, params)
            message = eras.encode_message(request_id, tail)
            reply = self._send(with_body(self._head_of(headers), message))
            if not self._moved.follow(self.connection.reader):
                break
        if reply.outcome == OK:
            jsonrpc.judge(reply, request_id)
        self._observe(method, reply)
        if reply.outcome == TIMEOUT:
            raise CallTimeout(f"{method}: {reply.detail}")
        if reply.outcome == TRANSPORT_ERROR and reply.bytes_in == 0:
            raise ConnectError(f"{method}: {reply.detail}")
        return reply

    def _send(self, request: bytes) -> Reply:
        timeout_s = self.endpoint.timeout_s
        return exchange(self.connection, request, timeout_s, self._clock, jsonrpc.is_answer)

    def _offers_modern(self, reply: Reply) -> bool:
        if reply.outcome != OK:
            return False
        versions = jsonrpc.result_of(reply).get("supportedVersions")
        return isinstance(versions, list) and eras.MODERN in versions

    def _initialize(self) -> None:
        wanted = self.protocol if self.protocol in eras.HANDSHAKE else eras.HANDSHAKE[0]
        self._session = ""
        self._encoded.clear()
        reply = self._request("initialize", eras.initialize_params(wanted), modern=False)
        if reply.outcome != OK:
            raise NegotiationError(f"initialize failed: {reply.detail}{_hint(reply)}")
        version = jsonrpc.result_of(reply).get("protocolVersion")
        if version not in eras.HANDSHAKE:
            raise NegotiationError(f"the server offers protocol version {version!r}, unknown here")
        if self.protocol not in ("auto", version):
            raise NegotiationError(f"asked for {self.protocol}, the server speaks {version}")
        self.version = version
        self._session = self.connection.reader.header(b"mcp-session-id").decode("latin-1")
        self._notify_initialized()

    def _notify_initialized(self) -> None:
        headers = eras.handshake_headers(self.version, self._session)
        message = b'{"jsonrpc":"2.0"' + eras.encode_tail("notifications/initialized", None)
        reply = self._send(with_body(self._head_of(headers), message))
        if reply.outcome == OK and reply.status not in (200, 202, 204):
            reply.fail("http_error", f"HTTP {reply.status}: {reply.excerpt(120)}")
        self._observe("notifications/initialized", reply)
        if reply.outcome != OK:
            raise NegotiationError(f"notifications/initialized failed: {reply.detail}")

    def _session_lost(self, reply: Reply) -> bool:
        """Tell whether the server no longer knows our session: 404, or 400 as TypeScript 1.x."""
        if reply.status == 404:
            return True
        error = jsonrpc.error_of(reply) if reply.status == 400 else None
        return error is not None and "session" in error.message.lower()


def _hint(reply: Reply) -> str:
    if reply.status in (401, 403):
        return " (the server wants credentials: set `headers:` of the arm)"
    if reply.status in (404, 405):
        return " (is this the address of the MCP endpoint? It often ends with /mcp)"
    return ""
