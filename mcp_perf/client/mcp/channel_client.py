"""The MCP client over a channel that carries all messages: stdio, HTTP+SSE, memory streams.

It has the face of `McpClient`, for both eras, and may be shared by several users. A failed call is
a `Reply`; only opening a session raises (`TargetError`).
"""

import contextlib
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mcp_perf.client import errors
from mcp_perf.client.channels.channel import Channel
from mcp_perf.client.http.connection import Clock
from mcp_perf.client.mcp.base import NOTHING, Observer, Sleep, ignore, joined
from mcp_perf.client.mcp.listening import ListeningClient
from mcp_perf.client.protocol import jsonrpc, versions
from mcp_perf.client.protocol.answers import SILENT, Answers, respond
from mcp_perf.client.protocol.jsonrpc import RequestId
from mcp_perf.client.protocol.multiplex import Conversation, settled, silence, why
from mcp_perf.client.protocol.requests import Arguments, Call, Params, Prepared
from mcp_perf.client.protocol.subscriptions import Inbox, Wanted, acknowledge
from mcp_perf.client.reply import OK, REJOINED, REOPENED, TIMEOUT, Heard, Reply

_CANCEL_S: Final = 1.0


class SessionClient(ListeningClient):
    """One session with one MCP server."""

    def __init__(
        self,
        channel: Channel,
        protocol: str = "auto",
        *,
        observe: Observer = ignore,
        clock: Clock = time.perf_counter_ns,
        sleep: Sleep = time.sleep,
        answers: Answers = SILENT,
    ) -> None:
        super().__init__(protocol, answers, observe, clock, sleep)
        self.channel = channel
        self._answers = answers
        """For requests of the server: those of the last call that began."""
        self._conversation = Conversation(self._respond)
        self._listens: list[str] = []
        """The subscriptions that are open, by their requests."""
        self._conversation.end("the session is not open")
        self._opening = threading.RLock()
        self._is_open = False
        self._was_open = False
        """Once; from then on what has to be opened has been lost."""
        self._start_ns = 0
        self._encoded: dict[Prepared, bytes] = {}

    @property
    def timeout_s(self) -> float:
        return self.channel.timeout_s

    @property
    def has_session(self) -> bool:
        """Whether the session is open. In 2026-07-28 it is the channel, which nobody shares."""
        return self._is_open and not self._conversation.ended

    @property
    def has_stream(self) -> bool:
        """Whether there is a stream beside the calls: never, the channel carries everything."""
        return False

    def pids(self) -> list[int]:
        return self.channel.pids()

    # Opening and closing.

    def negotiate(self) -> str:
        """Open the channel and a session, by the version that both speak; return it.

        Raises ConnectError where there is nobody, NegotiationError where no session comes about.
        """
        with self._opening:
            self._is_open = False
            self._encoded.clear()
            self._open_channel()
            try:
                self._greet()
            except errors.TargetError:
                self._conversation.end("no session was opened")
                raise
            self._is_open = self._was_open = True
        return self.version

    def ready(self) -> None:
        self._opened_now()

    def close(self) -> None:
        self._forget_subscriptions()
        self._is_open = self._was_open = False
        self.channel.close()

    def drop(self) -> None:
        """Close: the end of the channel is a goodbye that no server can miss."""
        self.close()

    # Calling.

    def call(
        self, call: Prepared, arguments: Arguments = None, timeout_s: float | None = None
    ) -> Reply:
        """Send a request and judge the answer.

        `arguments` (of a `Request`, its params) are for a call without constant ones. A channel
        that has ended since the last call is opened again before, within the call's own latency; a
        call is repeated only if the server did nothing with it, or asks for input.
        """
        timeout = self.timeout_s if timeout_s is None else timeout_s
        self._answers = call.answers or self._script
        reply = self._carry(call, arguments, timeout)
        if jsonrpc.wants_input(reply):
            reply = self._answer(reply, call, arguments, timeout)
        if reply.heard is not None and reply.outcome == OK:
            reply.detail = reply.heard.told(reply.start_ns)
        return reply

    def cancelled_call(self, call: Prepared, arguments: Arguments, after_s: float) -> Reply:
        """Call, and cancel the call by notification where it has not ended in time.

        A call that was cancelled is `ok`, without a body: it has done what it was to do.
        """
        reply = self.call(call, arguments, after_s)
        if reply.outcome != TIMEOUT or self._conversation.ended:
            return reply
        return reply.fail(OK, f"cancelled after {after_s:g} s")

    # The parts of opening.

    def _opened_now(self) -> bool:
        """Open the session if there is none; tell whether it was this caller who did."""
        with self._opening:
            if self._is_open and not self._conversation.ended:
                return False
            self.negotiate()
            return True

    def _respond(self, message: bytes) -> bytes | None:
        request = jsonrpc.message_of(message)
        return msgspec.json.encode(respond(request, self._answers)) if request else None

    def _open_channel(self) -> None:
        self._lose_subscriptions("the session was lost, and its subscriptions with it")
        conversation = Conversation(self._respond, lambda: self._inbox)
        self._conversation = conversation
        channel = self.channel

        def receive(message: bytes) -> None:
            back = conversation.receive(message, self._clock())
            if back is not None:
                with contextlib.suppress(errors.TargetError):  # its end is told by the reader
                    channel.send(back, channel.timeout_s)

        self._start_ns = self._clock() if channel.starting else 0
        try:
            channel.open(receive, conversation.end)
        except BaseException:
            conversation.end("the session is not open")
            raise

    def _greet(self) -> None:
        if self.channel.probes and (self.version or self.protocol) in ("auto", versions.MODERN):
            try:
                if self._discover():
                    return
            except errors.CallTimeout:  # it may know no answer before `initialize`
                if self.protocol == versions.MODERN:
                    raise
        self._agree()
        self.channel.send(versions.INITIALIZED, self.timeout_s)

    def _request(self, method: str, params: Params, *, modern: bool) -> Reply:
        request_id = next(self._ids)
        sent = versions.modern_params(params, self._capabilities, NOTHING) if modern else params
        message = versions.encode_message(request_id, versions.encode_tail(method, sent))
        reply, failure = self._exchange(message, request_id, self.timeout_s)
        if failure is None and self._start_ns:
            self._tell_start(reply)
        self._tell(method, reply)
        if isinstance(failure, errors.CallTimeout):
            raise errors.CallTimeout(f"{method}: {reply.detail}")
        if failure is not None and not isinstance(failure, errors.SessionGone):
            raise errors.ConnectError(f"{method}: {reply.detail}")
        return reply

    def _tell_start(self, first: Reply) -> None:
        started = Reply(self._start_ns)
        started.end_ns = first.end_ns
        self._start_ns = 0
        self._tell(self.channel.starting, started)

    # The parts of a call.

    def _carry(
        self,
        call: Prepared,
        arguments: Arguments,
        timeout_s: float,
        added: Params = NOTHING,
        heard: Heard | None = None,
    ) -> Reply:
        """Send a call once; open the channel before where it has ended, or forgot the session."""
        first = Reply(self._clock())
        lost = 0
        for _ in range(2):
            if not self._is_open or self._conversation.ended:
                was_open = self._was_open
                try:
                    opened = self._opened_now()
                    lost = (REOPENED if opened else lost or REJOINED) if was_open else lost
                except errors.TargetError as error:
                    first.end_ns = self._clock()
                    return first.fail(error.outcome, f"no session: {error}")
            left_s = self._left_s(first, timeout_s) if lost else timeout_s
            request_id = next(self._ids)
            message = versions.encode_message(request_id, self._tail(call, arguments, added))
            conversation = self._conversation  # a call beside may open another meanwhile
            reply, failure = self._exchange(message, request_id, left_s, heard, call.meta)
            if not isinstance(failure, errors.SessionGone):
                break
            conversation.end("the server no longer knows the session")
        if lost:
            reply.start_ns = first.start_ns
            reply.session_lost = lost
        return reply

    def _again(
        self,
        first: Reply,
        call: Prepared,
        arguments: Arguments,
        timeout_s: float,
        added: Params = NOTHING,
    ) -> Reply:
        left_s = self._left_s(first, timeout_s)
        return joined(first, self._carry(call, arguments, left_s, added, first.heard))

    def _exchange(
        self,
        message: bytes,
        request_id: RequestId,
        timeout_s: float,
        heard: Heard | None = None,
        meta: Mapping[str, Any] = NOTHING,
    ) -> tuple[Reply, errors.TargetError | None]:
        """Send one request and wait for its answer; return it judged, and what went wrong."""
        conversation = self._conversation
        reply = Reply(self._clock())
        reply.bytes_out = len(message)
        pending = None
        try:
            pending = conversation.expect(request_id, heard)
            if meta:
                conversation.name(pending, meta.get("progressToken"))
            self.channel.send(message, timeout_s)
            left_s = timeout_s - (self._clock() - reply.start_ns) / 1e9
            if not pending.wait(max(0.0, left_s)):
                raise errors.CallTimeout(silence(conversation))  # noqa: TRY301 -- one way out for all
        except errors.TargetError as error:
            reply.end_ns = self._clock()
            self._give_up(conversation, request_id, error)
            reply.heard = heard if pending is None else pending.heard
            return reply.fail(error.outcome, why(error, conversation)), error
        except BaseException as error:
            self._give_up(conversation, request_id, error)
            raise
        return settled(reply, pending, request_id), None

    def _give_up(
        self, conversation: Conversation, request_id: RequestId, error: BaseException
    ) -> None:
        """Wait no longer, and tell the server so: by notification, as the channel stays open."""
        conversation.forget(request_id)
        if not conversation.ended and not isinstance(error, errors.SendError | errors.ReadError):
            self._cancel(request_id, "the caller gave up")

    def _cancel(self, request_id: RequestId, reason: str) -> None:
        with contextlib.suppress(errors.TargetError):
            self.channel.send(versions.encode_cancel(request_id, reason), _CANCEL_S)

    # What the server says by itself.

    @property
    def hears(self) -> bool:
        return not self.modern

    def _open_stream(self, timeout_s: float) -> None:
        """Do nothing: the channel brings everything."""

    def _open_subscription(self, wanted: Wanted, _inbox: Inbox, timeout_s: float) -> Reply:
        request_id, _, message = self._listen_message(wanted)
        self._listens.append(request_id)
        reply, failure = self._exchange(message, request_id, timeout_s)
        return reply if failure is not None else acknowledge(reply, wanted, request_id)

    def _end_subscriptions(self) -> None:
        listens, self._listens = self._listens, []
        for request_id in listens:
            self._conversation.forget(request_id)
            if not self._conversation.ended:
                self._cancel(request_id, "nobody listens any more")

    # Encoding.

    def _tail(self, call: Prepared, arguments: Arguments, added: Params) -> bytes:
        """Return what follows a call's id; what does not change is encoded once."""
        tail = self._encoded.get(call)
        if added or (tail is None and arguments is not None and not isinstance(call, Call)):
            return self._encode(call, arguments, added)
        if tail is None:
            tail = self._encoded[call] = self._encode(call, None, NOTHING)
        if arguments is not None:
            tail = tail % msgspec.json.encode(arguments)
        return tail

    def _encode(self, call: Prepared, arguments: Arguments, added: Params) -> bytes:
        """Encode a tail; that of a tool call without any arguments holds a %b for them."""
        if not isinstance(call, Call):
            params = {**(call.params or NOTHING), **(arguments or NOTHING), **added}
            return versions.encode_tail(call.method, self._params(params, call))
        given = call.arguments if call.arguments is not None else arguments
        params = {"name": call.tool.name, "arguments": given, **added}
        if given is not None:
            return versions.encode_tail("tools/call", self._params(params, call))
        params["arguments"] = msgspec.Raw(b"\0")
        tail = versions.encode_tail("tools/call", self._params(params, call))
        return tail.replace(b"%", b"%%").replace(b"\0", b"%b")
