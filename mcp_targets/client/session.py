"""The MCP client over a channel that carries all messages: stdio, HTTP+SSE, memory streams.

It has the face of `McpClient`, for both eras, and may be shared by several users. A failed call is
a `Reply`; only opening a session raises (`TargetError`).
"""

import contextlib
import itertools
import threading
import time
from typing import Any, Final

import msgspec

from mcp_targets.client import eras, jsonrpc
from mcp_targets.client.channel import Channel
from mcp_targets.client.connection import Clock
from mcp_targets.client.duplex import Conversation, Respond, refuse
from mcp_targets.client.errors import (
    CallTimeout,
    ConnectError,
    NegotiationError,
    ReadError,
    SendError,
    SessionGone,
    TargetError,
)
from mcp_targets.client.mcp import MAX_PAGES, Call, Observer, ignore
from mcp_targets.client.tools import Tool, read_tools
from mcp_targets.reply import OK, RPC_ERROR, Reply, beginning

_CANCEL_S: Final = 1.0


class SessionClient:
    """One session with one MCP server."""

    def __init__(
        self,
        channel: Channel,
        protocol: str = "auto",
        *,
        observe: Observer = ignore,
        clock: Clock = time.perf_counter_ns,
        respond: Respond = refuse,
    ) -> None:
        self.channel = channel
        self.protocol = protocol
        self.version = "" if protocol == "auto" else protocol
        """The protocol version in use; empty until it is negotiated."""
        self._observe = observe
        self._clock = clock
        self._respond = respond
        self._ids = itertools.count(1)
        self._conversation = Conversation()
        self._conversation.end("the session is not open")
        self._opening = threading.RLock()
        self._was_open = False
        self._start_ns = 0
        self._encoded: dict[Call, bytes] = {}

    @property
    def modern(self) -> bool:
        """Whether this client speaks 2026-07-28."""
        return self.version == eras.MODERN

    def pids(self) -> list[int]:
        """Return the server's process, where this client has started one."""
        return self.channel.pids()

    # Opening and closing.

    def negotiate(self) -> str:
        """Open the channel and a session, by the version that both speak; return it.

        Raises ConnectError where there is nobody, NegotiationError where no session comes about.
        """
        with self._opening:
            self._open_channel()
            try:
                self._greet()
            except TargetError:
                self._conversation.end("no session was opened")
                raise
            self._was_open = True
        return self.version

    def ready(self) -> None:
        """Open the session where there is none, or where its channel has ended."""
        with self._opening:
            if self._conversation.ended:
                self.negotiate()

    def close(self) -> None:
        """End the session with its channel."""
        self._was_open = False
        self.channel.close()

    # Calling.

    def call(
        self, call: Call, arguments: dict[str, Any] | None = None, timeout_s: float | None = None
    ) -> Reply:
        """Call a tool and judge the answer.

        `arguments` are for a call without constant ones. A channel that has ended since the last
        call is opened again before, within the call's own latency; a call is never repeated unless
        the server did nothing with it.
        """
        timeout = self.channel.timeout_s if timeout_s is None else timeout_s
        start_ns = self._clock()
        lost = False
        for _ in range(2):
            if self._conversation.ended:
                lost = lost or self._was_open
                try:
                    self.ready()
                except TargetError as error:
                    reply = Reply(start_ns).fail(error.outcome, f"no session: {error}")
                    reply.end_ns = self._clock()
                    return reply
            left_s = max(0.001, timeout - (self._clock() - start_ns) / 1e9) if lost else timeout
            reply, again = self._call_once(call, arguments, left_s)
            if not again:
                break
            self._conversation.end("the server no longer knows the session")
        if lost:
            reply.start_ns = start_ns
            reply.session_lost = True
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

    # The parts of opening.

    def _open_channel(self) -> None:
        conversation = self._conversation = Conversation(self._respond)
        channel = self.channel

        def receive(message: bytes) -> None:
            back = conversation.receive(message, self._clock())
            if back is not None:
                with contextlib.suppress(TargetError):  # its end is told by the reader
                    channel.send(back, channel.timeout_s)

        self._start_ns = self._clock() if channel.starting else 0
        try:
            channel.open(receive, conversation.end)
        except BaseException:
            conversation.end("the session is not open")
            raise

    def _greet(self) -> None:
        """Open the session: ask for 2026-07-28 where it may be spoken, else initialize."""
        wanted = self.version or self.protocol
        probed = self.channel.probes and wanted in ("auto", eras.MODERN)
        if probed and self._offers_modern(wanted):
            self.version = eras.MODERN
        else:
            self._initialize()

    def _offers_modern(self, wanted: str) -> bool:
        try:
            reply = self._request("server/discover", {}, modern=True)
        except CallTimeout:
            if wanted == eras.MODERN:
                raise
            return False  # it may know no answer before `initialize`
        versions = jsonrpc.result_of(reply).get("supportedVersions") if reply.outcome == OK else ()
        if isinstance(versions, list) and eras.MODERN in versions:
            return True
        if wanted == eras.MODERN:
            raise NegotiationError(
                f"the server does not speak {eras.MODERN}: {reply.detail or reply.excerpt()}"
            )
        return False

    def _initialize(self) -> None:
        wanted = self.protocol if self.protocol in eras.HANDSHAKE else eras.HANDSHAKE[0]
        reply = self._request("initialize", eras.initialize_params(wanted), modern=False)
        if reply.outcome != OK:
            raise NegotiationError(f"initialize failed: {reply.detail}")
        version = jsonrpc.result_of(reply).get("protocolVersion")
        if version not in eras.HANDSHAKE:
            raise NegotiationError(f"the server offers protocol version {version!r}, unknown here")
        if self.protocol not in ("auto", version):
            raise NegotiationError(f"asked for {self.protocol}, the server speaks {version}")
        self.version = version
        notification = b'{"jsonrpc":"2.0"' + eras.encode_tail("notifications/initialized", None)
        self.channel.send(notification, self.channel.timeout_s)

    def _request(self, method: str, params: dict[str, Any], *, modern: bool) -> Reply:
        """Send a request that is not a call, judge the answer, tell the observer."""
        request_id = next(self._ids)
        tail = eras.encode_tail(method, eras.modern_params(params) if modern else params)
        message = eras.encode_message(request_id, tail)
        reply, failure = self._exchange(message, request_id, self.channel.timeout_s)
        if failure is None and self._start_ns:
            self._tell_start(reply)
        self._observe(method, reply)
        if isinstance(failure, CallTimeout):
            raise CallTimeout(f"{method}: {reply.detail}")
        if failure is not None and not isinstance(failure, SessionGone):
            raise ConnectError(f"{method}: {reply.detail}")
        return reply

    def _tell_start(self, first: Reply) -> None:
        """Tell how long the start took: until a request was answered."""
        started = Reply(self._start_ns)
        started.end_ns = first.end_ns
        self._start_ns = 0
        self._observe(self.channel.starting, started)

    # The parts of a call.

    def _call_once(
        self, call: Call, arguments: dict[str, Any] | None, timeout_s: float
    ) -> tuple[Reply, bool]:
        tail = self._encoded.get(call)
        if tail is None:
            tail = self._encoded[call] = self._encode(call)
        if arguments is not None:
            tail = tail % msgspec.json.encode(arguments)
        request_id = next(self._ids)
        message = eras.encode_message(request_id, tail)
        reply, failure = self._exchange(message, request_id, timeout_s)
        return reply, isinstance(failure, SessionGone)

    def _exchange(
        self, message: bytes, request_id: int, timeout_s: float
    ) -> tuple[Reply, TargetError | None]:
        """Send one request and wait for its answer; return it judged, and what went wrong."""
        conversation = self._conversation
        reply = Reply(self._clock())
        reply.bytes_out = len(message)
        try:
            pending = conversation.expect(request_id)
            self.channel.send(message, timeout_s)
            left_s = timeout_s - (self._clock() - reply.start_ns) / 1e9
            if not pending.wait(max(0.0, left_s)):
                raise CallTimeout(_silence(conversation))  # noqa: TRY301 -- one way out for all
        except TargetError as error:
            reply.end_ns = self._clock()
            self._give_up(conversation, request_id, error)
            return reply.fail(error.outcome, _why(error, conversation)), error
        except BaseException as error:
            self._give_up(conversation, request_id, error)
            raise
        reply.end_ns = pending.end_ns
        reply.body = pending.message
        reply.bytes_in = len(pending.message)
        if pending.unreadable:
            said = beginning(pending.message)
            return reply.fail(RPC_ERROR, f"the answer is not JSON-RPC: {said}"), None
        return jsonrpc.judge(reply, request_id), None

    def _give_up(self, conversation: Conversation, request_id: int, error: BaseException) -> None:
        """Wait no longer, and tell the server so: by notification, as the channel stays open."""
        conversation.forget(request_id)
        if conversation.ended or isinstance(error, SendError | ReadError):
            return
        params = {"requestId": request_id, "reason": "the caller gave up"}
        message = b'{"jsonrpc":"2.0"' + eras.encode_tail("notifications/cancelled", params)
        with contextlib.suppress(TargetError):
            self.channel.send(message, _CANCEL_S)

    def _encode(self, call: Call) -> bytes:
        """Encode what follows the id; without constant arguments it holds a %b for them."""
        mark = call.arguments is None
        arguments = msgspec.Raw(b"\0") if mark else call.arguments
        params: dict[str, Any] = {"name": call.tool.name, "arguments": arguments}
        if self.modern:
            params = eras.modern_params(params)
        tail = eras.encode_tail("tools/call", params)
        return tail.replace(b"%", b"%%").replace(b"\0", b"%b") if mark else tail


def _silence(conversation: Conversation) -> str:
    stray = conversation.stray
    return "no answer in time" + (f"; what came is not JSON-RPC: {stray}" if stray else "")


def _why(error: TargetError, conversation: Conversation) -> str:
    """Say what went wrong; a line that could not be sent has the end of the server as its cause."""
    return conversation.ended if isinstance(error, SendError) and conversation.ended else str(error)
