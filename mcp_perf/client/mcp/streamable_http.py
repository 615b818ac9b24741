"""The MCP client over streamable HTTP, both eras, one session.

A failed call is a `Reply`; only opening a session raises (`TargetError`), because without a
session there is nothing to measure.
"""

import threading
import time
from typing import Final

import msgspec

from mcp_perf.client import errors, rate_limits
from mcp_perf.client.http.connection import Connection
from mcp_perf.client.http.dialing import Clock, WaitFactory
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.http.pool import Pool
from mcp_perf.client.mcp.attempt import NOTHING, CallAttempt, no_session
from mcp_perf.client.mcp.handshake import Observer, Sleep, Terms, agree, discover, pause
from mcp_perf.client.mcp.http_attempt import HttpAttempt
from mcp_perf.client.mcp.http_streams import HttpStreams
from mcp_perf.client.mcp.lifetime import Openings, StreamObserver
from mcp_perf.client.mcp.listening import Listening
from mcp_perf.client.mcp.lists import list_tools
from mcp_perf.client.mcp.messenger import Credentials, Messenger, Session
from mcp_perf.client.protocol import jsonrpc, versions
from mcp_perf.client.protocol.answers import SILENT, Responder
from mcp_perf.client.protocol.identity import RequestIds, StrayObserver, Strays
from mcp_perf.client.protocol.requests import (
    ARGUMENTS_HOLE,
    Arguments,
    Call,
    Params,
    PreparedCall,
    Request,
    filled,
)
from mcp_perf.client.protocol.session_loss import FORGOT, Doubt, loss_in
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import REJOINED, REOPENED, Reply, Stop, ignore
from mcp_perf.outcomes import OK, RATE_LIMITED, TIMEOUT

__all__ = ["Call", "HttpClient", "Request"]

_CANCEL_S: Final = 1.0
"""How long a user may be held up by telling the server that a call has timed out."""
_ELSEWHERE: Final = (
    "the server does not know the session that it has just opened, so its requests may reach more "
    "than one process (affinity)"
)
_encode_json = msgspec.json.encode


class HttpClient:
    """One virtual user's session with one MCP server; it may make several calls at once."""

    def __init__(
        self,
        endpoint: Endpoint,
        protocol: str = "auto",
        *,
        observe: Observer = ignore,
        clock: Clock = time.perf_counter_ns,
        waits: WaitFactory | None = None,
        sleep: Sleep = pause,
        answers: Responder = SILENT,
        listens: bool = False,
        no_delete: bool = False,
        credentials: Credentials | None = None,
        ids: RequestIds | None = None,
        stray: StrayObserver = ignore,
        stream: StreamObserver = ignore,
    ) -> None:
        self.timeout_s = endpoint.timeout_s
        ids = ids or RequestIds()
        strays = Strays(ids, stray)
        self.terms = terms = Terms(protocol, answers, observe, clock, sleep, strays)
        self.messenger = messenger = Messenger(endpoint, terms, credentials, ids)
        self.pool = Pool(endpoint.origin, clock, waits, strays.other, messenger.cookies)
        self.streams = HttpStreams(messenger, listens, self._take, stream)
        self.listening = Listening(self, self.streams)
        self._no_delete = no_delete
        self._opening = threading.RLock()
        """Held while a session is opened; other calls wait for it."""
        self._lost = False
        """Whether the server has forgotten the session, and no other one could be opened."""
        self._lost_how = FORGOT
        self._lost_told = False
        """Whether the call that found out has reported it."""
        self._doubted = Session()
        """The session that was given up on suspicion, until the next one has shown how it fares."""
        self.doubt = Doubt()
        self.openings = Openings(clock)
        self._last: CallAttempt | None = None
        """The call that began last: for what the server says without naming a call."""

    @property
    def has_session(self) -> bool:
        """Whether a session is open, by its id: a server that gives none has no sessions."""
        return bool(self.messenger.session.id)

    @property
    def is_open(self) -> bool:
        """Whether calls can be sent: a server that gives no id has a session in this sense."""
        return self.messenger.session.is_open

    @property
    def has_stream(self) -> bool:
        return self.streams.hears

    # Opening and closing.

    def negotiate(self) -> str:
        """Find out which version the server speaks, open a session, return the version.

        Raises ConnectError if nobody answers, NegotiationError if no session can be opened.
        """
        with self.pool.one() as connection:
            self._negotiate(connection)
        return self.terms.version

    def begin(self) -> None:
        with self.pool.one() as connection:
            connection.ready(self.timeout_s)
            self._enter(connection)

    def ready(self) -> None:
        """Do as `begin`, and open all connections again that have gone idle."""
        self.begin()
        self.pool.ready(self.timeout_s)

    def close(self) -> None:
        """Say goodbye to the session, if there is one, and close the connections."""
        self.streams.stop()
        self._say_goodbye()
        self.drop()

    def drop(self) -> None:
        self.openings.forget()
        self.listening.forget()
        self.streams.stop()
        self.messenger.session, self._doubted, self._lost = Session(), Session(), False
        self.terms.remark(*self.pool.remarks(), *self.messenger.cookies.remarks())
        self.messenger.cookies.forget()
        self.pool.close()
        self.messenger.extra.close()

    def leave(self) -> None:
        """Close the session. Raises RefusedError if the server does not let it go.

        405 is an answer that the protocol allows: this server ends its sessions on its own.
        """
        self.streams.stop()
        reply = self._say_goodbye()
        self.drop()
        if reply is None:
            return
        if reply.outcome == TIMEOUT:
            raise errors.CallTimeout(reply.detail)
        if reply.outcome not in (OK, RATE_LIMITED):
            raise errors.ReadError(reply.detail).told_by(reply)
        if reply.status >= 400 and reply.status != 405:
            refused = errors.RefusedError(f"HTTP {reply.status}: {reply.excerpt(120)}")
            raise refused.told_by(reply)

    def renew(self, attempt: HttpAttempt, kind: str) -> int:
        """Open a session in place of the attempt's, lost as `kind` says. Raises TargetError.

        Returns what a call says about it: REOPENED, or REJOINED if another call has done it.
        """
        with self._opening:
            if self.messenger.session.is_open and self.messenger.session is not attempt.session:
                return REJOINED
            self._lost, self._lost_how, self._lost_told = True, kind, True
            with self.openings.again(errors.ConnectError):
                self._initialize(attempt.connection)
            return REOPENED

    def _negotiate(self, connection: Connection) -> None:
        terms, ask = self.terms, self.messenger.asking(connection)
        if terms.protocol not in ("auto", versions.MODERN) or not discover(terms, ask):
            self._initialize(connection)
        else:
            self.messenger.session = Session(is_open=True)

    def _enter(self, connection: Connection) -> bool:
        """Open the session if there is none; tell whether this caller opened it."""
        with self._opening:
            if self.messenger.session.is_open:
                return False
            if not self.terms.version:
                self._negotiate(connection)
            elif self.terms.modern:
                self.messenger.session = Session(is_open=True)
            else:
                with self.openings.again(errors.ConnectError):
                    self._reopen(connection)
            return True

    def _reopen(self, connection: Connection) -> None:
        """Open a session; keep the one that was only suspect if opening gets the same refusal."""
        try:
            self._initialize(connection)
        except errors.NegotiationError as error:
            if not self._doubted.id or not self.doubt.acquits(str(error)):
                raise
            self.messenger.session, self._lost = self._doubted, False
            if self.streams.from_the_start:
                self.streams.listen(self.timeout_s)

    def _initialize(self, connection: Connection) -> None:
        messenger = self.messenger
        self.streams.stop()
        self.listening.lose("the session was lost, and with it its subscriptions")
        messenger.session = Session()
        if not agree(self.terms, messenger.asking(connection)):
            messenger.session = Session(is_open=True)
            return
        session_id = connection.reader.header(b"mcp-session-id").decode("latin-1")
        self.terms.hide(session_id)
        session = messenger.session = Session(session_id)
        reply = messenger.post(connection, versions.INITIALIZED)
        if reply.outcome == OK and reply.status not in (200, 201, 202, 204):
            rate_limits.refuse(reply)
        self.terms.tell("notifications/initialized", reply)
        if reply.outcome != OK:
            hints = messenger.cookies.unsent() or ([_ELSEWHERE] if loss_in(reply) else [])
            said = "; ".join((reply.detail, *hints))
            failure = errors.NegotiationError(f"notifications/initialized failed: {said}")
            raise failure.told_by(reply)
        if self.streams.from_the_start:
            self.streams.listen(self.timeout_s)
        session.is_open, self._lost, self._lost_told = True, False, False

    def _say_goodbye(self) -> Reply | None:
        if not self.has_session or self._no_delete:
            return None
        with self.pool.one() as connection:
            return self.messenger.delete(connection)

    def _take(self, event: bytes) -> None:
        """Take what came on the session's stream, which belongs to no call."""
        for message in self.terms.messages_of(event):
            self.messenger.take(message, self._last, own=False)

    # Calling.

    def call(
        self, call: PreparedCall, arguments: Arguments = None, timeout_s: float | None = None
    ) -> Reply:
        """Send a request and judge the answer.

        `arguments` (for a `Request`, its params) are for a call without constant ones. What the
        protocol itself wants repeated is repeated within the call's own latency: after a redirect,
        a lost session, a lost stream, or when the server asks for input.
        """
        timeout = self.timeout_s if timeout_s is None else timeout_s
        attempt = HttpAttempt(self, call, arguments, timeout, self.pool.take())
        try:
            return self._make(attempt)
        except BaseException:
            self._abandon(attempt)
            raise
        finally:
            self.pool.free.append(attempt.connection)
            if attempt.token:
                self.terms.in_progress.pop(attempt.token, None)

    def cancelled_call(
        self, call: PreparedCall, arguments: Arguments, after_s: float
    ) -> tuple[Reply, Stop | None]:
        """Call, and cancel the call if it has not ended in time, in the way of the era.

        In 2026-07-28 closing the connection cancels. Before, a notification does, and the call's
        stream is read beyond the reply's time to see when the server ends it: that is the second
        result. It is None if nothing was cancelled, or the end cannot be seen. A call that was
        cancelled is `ok`, without a body: it did what it was meant to do.
        """
        with self.pool.one() as connection:
            attempt = HttpAttempt(self, call, arguments, after_s, connection, keep=True)
            try:
                return self._cancelled(attempt, after_s)
            finally:
                self.terms.in_progress.pop(attempt.token, None)

    def _cancelled(self, attempt: HttpAttempt, after_s: float) -> tuple[Reply, Stop | None]:
        reply = self._make(attempt)
        if reply.outcome != TIMEOUT:
            return reply, None
        if not self.messenger.session.is_open:  # it was lost, so there is no call to cancel
            attempt.connection.close()
            return reply, None
        if self.terms.modern or attempt.task is not None:
            attempt.connection.close()
            return reply.fail(OK, f"cancelled after {after_s:g} s"), None
        said = attempt.cancel("cancelled by the user", self.timeout_s)
        reply.end_ns = said.end_ns
        if said.outcome != OK:
            attempt.connection.close()
            detail = f"the call could not be cancelled: {said.detail}"
            return reply.fail(said.outcome, detail), None
        stop = attempt.await_stop(said.start_ns)
        return reply.fail(OK, f"cancelled after {after_s:g} s"), stop

    def _abandon(self, attempt: HttpAttempt) -> None:
        """Cancel a call that is stopped from outside; its connection is closed by now.

        In 2026-07-28 the closed connection already says so; a task has been cancelled as such.
        """
        told = self.terms.modern or attempt.task is not None
        if attempt.request_id and not told and self.messenger.session.is_open:
            attempt.cancel("the call was cut off", min(_CANCEL_S, self.timeout_s))

    def list_tools(self) -> dict[str, Tool]:
        with self.pool.one() as connection:
            return list_tools(self.terms, self.messenger.asking(connection))

    def send(self, attempt: HttpAttempt, timeout_s: float, added: Params = NOTHING) -> Reply:
        call, arguments, messenger = attempt.call, attempt.arguments, self.messenger
        session = attempt.session = messenger.session
        encoded = session.encoded.get(call)
        if encoded is None or added:
            encoded = messenger.encode(session, call, arguments, added)
        head, tail, hole = encoded
        request_id = next(messenger.ids)
        if hole:
            if hole == ARGUMENTS_HOLE:
                tail = tail % _encode_json(arguments)
            else:
                tail = filled(tail, hole, arguments, request_id)
                attempt.await_progress(request_id)
            if hole & ARGUMENTS_HOLE and isinstance(call, Call) and call.tool.header_params:
                head = messenger.call_head(call, arguments)
        attempt.request_id = request_id
        # As `encode_message` and `with_body` do, but without two more Python calls for each call.
        message = b'{"jsonrpc":"2.0","id":%d%b' % (request_id, tail)
        request = b"%bContent-Length: %d\r\n\r\n%b" % (head, len(message), message)
        reply = attempt.connection.exchange(
            request, timeout_s, attempt.is_answer, keep=attempt.keep
        )
        return reply if reply.outcome != OK else jsonrpc.judge(reply, request_id)

    def _make(self, attempt: HttpAttempt) -> Reply:
        """Make a call to its end; first open the session if there is none."""
        lost, start_ns = 0, 0
        if not self.messenger.session.is_open or self.messenger.credentials is not None:
            start_ns = self.terms.clock()
            was_lost, told, doubted = self._lost, self._lost_told, self._doubted
            try:
                self.messenger.use_token()
                opened = self._enter(attempt.connection)
            except errors.TargetError as error:
                return no_session(start_ns, error, self.terms.clock())
            if was_lost and self.messenger.session is not doubted:
                # Opening it again is a part of the call.
                lost = REOPENED if opened and not told else REJOINED
                attempt.timeout_s = self.terms.left_s(start_ns, attempt.timeout_s)
        self._last = attempt
        reply = self._mend(attempt, self.send(attempt, attempt.timeout_s))
        if attempt.heard is not None:
            attempt.tell(reply)
        if lost:
            reply.start_ns = start_ns
            if reply.outcome == OK or not self._doubted.id:  # or it was not about the session
                reply.session_lost, reply.healed = lost, reply.healed or self._lost_how
            self._doubted = Session()
        return reply

    def _mend(self, attempt: HttpAttempt, reply: Reply) -> Reply:
        """Do what the reply asks for if it is not the last word, and act on a failure."""
        if reply.outcome == OK:
            attempt.session.standing.works = True
            if not attempt.call.task_ttl_ms:
                return reply
        reply = attempt.mend(reply)
        silent = self.terms.modern or attempt.keep or attempt.task is not None
        silent = silent or not self.messenger.session.is_open
        if reply.outcome == TIMEOUT and not silent:
            attempt.cancel("the caller gave up", min(_CANCEL_S, self.timeout_s))
        if attempt.session.id and not reply.session_lost:
            self._suspect(attempt, reply)
        return reply

    def _suspect(self, attempt: HttpAttempt, reply: Reply) -> None:
        """Give up a session in which every call gets the same refusal after others were ok."""
        session = attempt.session
        if self.doubt.falls_on(session.standing, reply):
            with self._opening:
                if session is not self.messenger.session or not session.is_open:
                    return
                reply.detail += "; every call gets this answer, so the session is treated as lost"
                self.streams.stop()
                self.messenger.session, self._doubted = Session(), session
                self._lost, self._lost_how, self._lost_told = True, FORGOT, False
