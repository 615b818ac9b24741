"""The MCP client over a channel that carries all messages: stdio, HTTP+SSE, memory streams.

It has the interface of `HttpClient`, for both eras, and several users may share it. A failed call
is a `Reply`; only opening a session raises (`TargetError`).
"""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from mcp_perf.client import errors
from mcp_perf.client.channels.channel import Channel
from mcp_perf.client.http.dialing import Clock
from mcp_perf.client.mcp.attempt import NOTHING, CallAttempt, no_session
from mcp_perf.client.mcp.handshake import Observer, Sleep, Terms, agree, discover, pause
from mcp_perf.client.mcp.lifetime import Openings
from mcp_perf.client.mcp.listening import Listening
from mcp_perf.client.mcp.lists import list_tools
from mcp_perf.client.protocol import jsonrpc, versions
from mcp_perf.client.protocol.answers import SILENT, Responder, respond
from mcp_perf.client.protocol.identity import RequestIds, StrayObserver, Strays
from mcp_perf.client.protocol.jsonrpc import RequestId
from mcp_perf.client.protocol.multiplex import Conversation, Pending, settled, silence, why
from mcp_perf.client.protocol.requests import (
    ARGUMENTS_HOLE,
    Arguments,
    Params,
    PreparedCall,
    encode,
    filled,
)
from mcp_perf.client.protocol.session_loss import FORGOT, RESTARTED, Doubt
from mcp_perf.client.protocol.subscriptions import Inbox, Wanted, acknowledge
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import REJOINED, REOPENED, Heard, Reply, Stop, ignore
from mcp_perf.outcomes import OK, TIMEOUT

SIGN_S: Final = 5.0
"""How often the client says that a server is still starting."""
_CANCEL_S: Final = 1.0


class SessionClient:
    """One session with one MCP server."""

    has_stream = False  # the channel carries everything

    def __init__(
        self,
        channel: Channel,
        protocol: str = "auto",
        *,
        observe: Observer = ignore,
        clock: Clock = time.perf_counter_ns,
        sleep: Sleep = pause,
        answers: Responder = SILENT,
        ids: RequestIds | None = None,
        stray: StrayObserver = ignore,
        waiting: Callable[[str], None] = ignore,
    ) -> None:
        """Open nothing yet; `waiting` hears now and then that the server is still starting."""
        self.waiting = waiting
        self.timeout_s = channel.timeout_s
        self.channel = channel
        ids = ids or RequestIds()
        self.terms = Terms(protocol, answers, observe, clock, sleep, Strays(ids, stray))
        self.listening = Listening(self, self)
        self._ids = ids
        self._last: CallAttempt | None = None
        """The call that began last: what a server asks on a channel does not name its call."""
        self._conversation = Conversation(self._respond, self.terms.strays)
        self._conversation.end("the session is not open")
        self._subscriptions: list[str] = []
        self._opening = threading.RLock()
        """Held while the session is opened; other calls wait for it."""
        self._is_open = False
        self._was_open = False
        """Whether it ever was; from then on, a session that has to be opened was lost."""
        self._lost_how = self._ends_how = RESTARTED
        """How the previous session was lost; how this one will be, unless more is known."""
        self.openings = Openings(clock)
        self._doubt = Doubt()
        self._passing = () if channel.starting else (errors.ConnectError,)
        """If nobody listens, asking again costs nothing; starting a process does."""
        self._start_ns = 0
        self._encoded: dict[PreparedCall, tuple[bytes, int]] = {}

    @property
    def has_session(self) -> bool:
        """Whether the session is open. In 2026-07-28 it is the channel, which nobody shares."""
        return self._is_open and not self._conversation.ended

    is_open = has_session

    @property
    def hears(self) -> bool:
        return not self.terms.modern

    def pids(self) -> list[int]:
        return self.channel.pids()

    # Opening and closing.

    def negotiate(self) -> str:
        """Open the channel and a session, by the version that both speak; return it.

        Raises ConnectError if nobody answers, NegotiationError if no session can be opened.
        """
        with self._opening:
            self._is_open = False
            self._encoded.clear()
            self._open_channel()
            try:
                self._greet()
            except errors.TargetError:
                self._conversation.end("no session could be opened")
                raise
            self._is_open = self._was_open = True
            self._lost_how, self._ends_how = self._ends_how, RESTARTED
        return self.terms.version

    def begin(self) -> None:
        self._enter()

    ready = begin

    def close(self) -> None:
        self.openings.forget()
        self.listening.forget()
        self._is_open = self._was_open = False
        self.channel.close()
        self.terms.remark(*self.channel.remarks())

    drop = leave = close  # its end is a goodbye that no server can miss

    # Calling.

    def call(
        self, call: PreparedCall, arguments: Arguments = None, timeout_s: float | None = None
    ) -> Reply:
        """Send a request and judge the answer.

        `arguments` (for a `Request`, its params) are for a call without constant ones. A channel
        that has ended since the last call is first opened again, within the call's own latency; a
        call is repeated only if the server did nothing with it, or asks for input.
        """
        timeout = self.timeout_s if timeout_s is None else timeout_s
        attempt = self._last = CallAttempt(self, call, arguments, timeout)
        try:
            reply = self.send(attempt, timeout)
            if reply.outcome != OK or call.task_ttl_ms:
                reply = attempt.settle(reply)
                if self._conversation.is_given_up(reply, self._doubt):
                    self._ends_how = FORGOT
            else:
                self._conversation.standing.works = True
        finally:
            if attempt.token:
                self.terms.in_progress.pop(attempt.token, None)
        attempt.tell(reply)
        return reply

    def cancelled_call(
        self, call: PreparedCall, arguments: Arguments, after_s: float
    ) -> tuple[Reply, Stop | None]:
        """Call, and cancel the call by notification if it has not ended in time.

        A call that was cancelled is `ok`, without a body: it did what it was meant to do. When the
        server ended it is not known here.
        """
        reply = self.call(call, arguments, after_s)
        if reply.outcome == TIMEOUT and not self._conversation.ended:
            reply.fail(OK, f"cancelled after {after_s:g} s")
        return reply, None

    def list_tools(self) -> dict[str, Tool]:
        return list_tools(self.terms, self._ask)

    def send(self, attempt: CallAttempt, timeout_s: float, added: Params = NOTHING) -> Reply:
        """Send a call once; first open the channel if it has ended or the session is forgotten."""
        first, lost = Reply(self.terms.clock()), 0
        for _ in range(2):
            if not self.has_session:
                was_open = self._was_open
                try:
                    opened = self._enter()
                    lost = (REOPENED if opened else lost or REJOINED) if was_open else lost
                except errors.TargetError as error:
                    return no_session(first.start_ns, error, self.terms.clock())
            left_s = self.terms.left_s(first.start_ns, timeout_s) if lost else timeout_s
            request_id = attempt.request_id = next(self._ids)
            if attempt.call.progress and attempt.call.task_ttl_ms:  # also between its requests
                attempt.await_progress(request_id)
            message = versions.encode_message(request_id, self._tail(attempt, added))
            conversation = self._conversation  # another call may open a new one meanwhile
            reply, failure = self._exchange(message, request_id, left_s, attempt.heard)
            attempt.heard = reply.heard or attempt.heard
            if not isinstance(failure, errors.SessionGone):
                break
            self._ends_how = self._ends_how if conversation.ended else FORGOT
            conversation.end("the server no longer knows the session")
        if lost:
            reply.start_ns = first.start_ns
            reply.session_lost, reply.healed = lost, self._lost_how
        return reply

    def _enter(self) -> bool:
        """Open the session if there is none; tell whether this caller opened it."""
        with self._opening:
            if self.has_session:
                return False
            with self.openings.again(*self._passing):
                self.negotiate()
            return True

    def _respond(self, message: bytes) -> bytes | None:
        """Answer a request of the server, which may not send one in 2026-07-28."""
        request = jsonrpc.message_of(message)
        if self.terms.modern:
            method = str(request.get("method"))
            self._conversation.accuse(method, message, self.terms.clock())
            return None
        answers = self.terms.answers if self._last is None else self._last.answers
        return msgspec.json.encode(respond(request, answers)) if request else None

    def _open_channel(self) -> None:
        self.listening.lose("the session was lost, and with it its subscriptions")
        terms = self.terms
        talk = Conversation(self._respond, terms.strays, lambda: terms.inbox, terms.in_progress)
        self._conversation = talk
        channel = self.channel

        def receive(message: bytes) -> None:
            for one in terms.messages_of(message):
                back = talk.receive(one, terms.clock())
                if back is not None:
                    with contextlib.suppress(errors.TargetError):  # the reader reports its end
                        channel.send(back, channel.timeout_s)

        self._start_ns = terms.clock() if channel.starting else 0
        try:
            channel.open(receive, talk.end)
        except BaseException:
            talk.end("the session is not open")
            raise

    def _greet(self) -> None:
        """Open the session: ask for 2026-07-28 if the server may speak it, otherwise initialize."""
        terms = self.terms
        if self.channel.probes and (terms.version or terms.protocol) in ("auto", versions.MODERN):
            if discover(terms, self._ask):
                return
            if self._conversation.ended:  # the server died of a request that it does not know
                self._open_channel()
        if agree(terms, self._ask):
            self.channel.send(versions.INITIALIZED, self.timeout_s)

    def _ask(
        self, method: str, params: dict[str, Any], *, modern: bool, timeout_s: float | None = None
    ) -> Reply:
        """Send a request that is not a call; a starting server has longer to answer it."""
        request_id, terms = next(self._ids), self.terms
        most_s = self.timeout_s
        if self._start_ns:
            most_s = max(most_s, terms.left_s(self._start_ns, self.channel.start_timeout_s))
        sent = versions.modern_params(params, terms.capabilities, NOTHING) if modern else params
        message = versions.encode_message(request_id, versions.encode_tail(method, sent))
        most_s = min(timeout_s or most_s, most_s)
        cancels = method not in ("initialize", "server/discover")
        reply, failure = self._exchange(message, request_id, most_s, cancels=cancels)
        if failure is None and self._start_ns:
            started = Reply(self._start_ns)
            started.end_ns, self._start_ns = reply.end_ns, 0
            terms.tell(self.channel.starting, started)  # its time until a request was answered
        terms.tell(method, reply)
        if isinstance(failure, errors.CallTimeout):
            last = self.channel.last_line()
            said = f"; the last line of its standard error: {last}" if last else ""
            raise errors.CallTimeout(f"{method}: {reply.detail}{said}")
        if failure is not None and not isinstance(failure, errors.RefusedError):
            raise errors.ConnectError(f"{method}: {reply.detail}").told_by(reply)
        return reply

    # The parts of a call.

    def _exchange(
        self,
        message: bytes,
        request_id: RequestId,
        timeout_s: float,
        heard: Heard | None = None,
        *,
        cancels: bool = True,
    ) -> tuple[Reply, errors.TargetError | None]:
        """Send one request and wait for its answer; return it judged, and what went wrong.

        `cancels` says whether the request is cancelled when nobody waits any longer: `initialize`
        must not be.
        """
        conversation, strays = self._conversation, self.terms.strays
        reply, seen = Reply(self.terms.clock()), strays.count
        reply.bytes_out = len(message)
        pending = None
        try:
            pending = conversation.expect(request_id, heard)
            self.channel.send(message, timeout_s)
            left_s = timeout_s - (self.terms.clock() - reply.start_ns) / 1e9
            if not self._wait(pending, max(0.0, left_s)):
                raise errors.CallTimeout(silence(strays, seen))  # noqa: TRY301 -- one way out for all
        except BaseException as error:
            reply.end_ns = self.terms.clock()
            conversation.forget(request_id)
            broken = conversation.ended or isinstance(error, errors.SendError | errors.ReadError)
            if cancels and not broken:  # the channel stays open, so a notification says it
                self._cancel(request_id, "the caller gave up")
            if not isinstance(error, errors.TargetError):
                raise
            reply.heard = heard if pending is None else pending.heard
            return error.fail(reply, why(error, conversation)), error
        return settled(reply, pending, request_id), None

    def _wait(self, pending: Pending, left_s: float) -> bool:
        while self._start_ns and left_s > SIGN_S:
            if pending.wait(SIGN_S):
                return True
            left_s -= SIGN_S
            started_s = (self.terms.clock() - self._start_ns) / 1e9
            last = self.channel.last_line()
            said = f"; its last line: {last}" if last else ""
            self.waiting(f"still starting, {started_s:.0f} s{said}")
        return pending.wait(left_s)

    def _cancel(self, request_id: RequestId, reason: str) -> None:
        with contextlib.suppress(errors.TargetError):
            self.channel.send(versions.encode_cancel(request_id, reason), _CANCEL_S)

    def _tail(self, attempt: CallAttempt, added: Params) -> bytes:
        """Return what follows a call's id; what does not change is encoded once."""
        call, arguments, terms = attempt.call, attempt.arguments, self.terms
        encoded = self._encoded.get(call)
        if encoded is None or added:
            encoded = encode(call, arguments, added, terms.version, terms.capabilities)
            if not added and (encoded[1] & ARGUMENTS_HOLE or arguments is None):
                self._encoded[call] = encoded
        tail, hole = encoded
        return filled(tail, hole, arguments, attempt.request_id) if hole else tail

    # What the server sends unasked.

    def open_stream(self, timeout_s: float) -> Reply | None:
        """Do nothing: the channel brings everything."""

    def subscribe(self, wanted: Wanted, _inbox: Inbox, timeout_s: float) -> Reply:
        request_id = f"listen-{next(self._ids)}"
        self._subscriptions.append(request_id)
        added = wanted.notifications()
        message = versions.encode_listen(request_id, added, self.terms.capabilities)
        reply, failure = self._exchange(message, request_id, timeout_s)
        return reply if failure is not None else acknowledge(reply, wanted, request_id)

    def end_subscriptions(self) -> None:
        subscriptions, self._subscriptions = self._subscriptions, []
        for request_id in subscriptions:
            self._conversation.forget(request_id)
            if not self._conversation.ended:
                self._cancel(request_id, "the client stopped listening")
