"""A call over streamable HTTP, and what is done about a reply that is not the last word on it."""

from dataclasses import dataclass
from typing import Final, Protocol

from mcp_perf.client.errors import CallTimeout, TargetError
from mcp_perf.client.http.connection import Connection
from mcp_perf.client.mcp.attempt import CallAttempt, Client, joined
from mcp_perf.client.mcp.messenger import UNSENT, Messenger, Session
from mcp_perf.client.protocol import jsonrpc, versions
from mcp_perf.client.protocol.requests import Call
from mcp_perf.client.protocol.session_loss import ELSEWHERE, RELISTED, RESUMED, loss_in
from mcp_perf.client.reply import NOT_REOPENED, REOPENED, Reply, Stop
from mcp_perf.outcomes import OK, RPC_ERROR, TIMEOUT, TRANSPORT_ERROR

STOP_S: Final = 1.0
"""How long a server may take to end a cancelled call before it counts as not ended."""
_MOST_REPAIRS: Final = 4
_MOST_RESUMPTIONS: Final = 2
_LEAST_PAUSE_S: Final = 0.01
"""The pause before a stream is resumed, even if its server asks for none (`retry: 0`)."""


class HttpCaller(Client, Protocol):
    """A client, as far as an attempt over HTTP needs it."""

    messenger: Messenger

    @property
    def has_stream(self) -> bool:
        """Whether the session's stream is open."""

    def renew(self, attempt: "HttpAttempt", kind: str) -> int:
        """Open a session in place of the attempt's; return what a call says about it."""


@dataclass(eq=False, slots=True)
class HttpAttempt(CallAttempt):
    """One call, on a connection that only it uses while it lasts."""

    client: HttpCaller
    connection: Connection
    session: Session = UNSENT
    """The session of the last request."""

    def is_answer(self, event: bytes) -> bool:
        """Tell whether a stream's message answers the call; take it in if it does not."""
        return self.client.messenger.is_answer(event, self, self.request_id)

    def sent(self) -> Reply:
        return self._repair(self.client.send(self, self.timeout_s))

    def mend(self, reply: Reply) -> Reply:
        """Do what the protocol prescribes for a reply that is not the last word on a call."""
        return self.settle(self._repair(reply))

    def _repair(self, reply: Reply) -> Reply:
        if self.client.messenger.mismatches(reply, self.request_id, self.connection):
            return reply
        if not self.client.terms.modern and self._is_unanswered(reply):
            reply = self._await_elsewhere(reply)
        for _ in range(_MOST_REPAIRS):
            if reply.outcome == RPC_ERROR and self.client.terms.batches:
                reply.outcome, reply.detail = OK, ""
                self.client.messenger.judge(reply, self.request_id, self)
            if reply.outcome == OK or jsonrpc.wants_input(reply):
                break
            ended = reply.outcome == TRANSPORT_ERROR and not self.client.terms.modern
            if ended and self.connection.reader.last_event:
                return self._resume(reply)
            try:
                if not self._reconcile(reply):
                    break
            except TargetError as error:
                return error.fail(reply, f"{reply.detail}; {error}")
            reply = self.again(reply)
        return reply

    def _is_unanswered(self, reply: Reply) -> bool:
        """Tell whether the server took the request, and ended its reply without an answer."""
        reader = self.connection.reader
        ended = reply.outcome == TRANSPORT_ERROR and reader.streaming and reader.complete
        return (reply.status == 202 and not reply.body) or (ended and not reader.last_event)

    def _await_elsewhere(self, reply: Reply) -> Reply:
        """Await the answer on the session's stream, where servers of old SDKs send it."""
        terms = self.client.terms
        if not self.client.has_stream:
            where = "the answer may have come on the session's stream"
            hint = f"{where}: write `stream: true` for the arm"
            return reply.fail(reply.outcome, f"{reply.detail}; {hint}")
        found = self.client.messenger.elsewhere.wait(self.request_id, self.left_s(reply))
        if found is None:
            reply.end_ns = terms.clock()
            late = "no answer before the timeout, not even on the session's stream"
            return reply.fail(TIMEOUT, late)
        reply.outcome, reply.detail, reply.status = OK, "", 200
        reply.body, reply.end_ns = found.message, found.end_ns
        reply.bytes_in += len(found.message)
        return jsonrpc.judge(reply, self.request_id)

    def cancel(self, reason: str, timeout_s: float) -> Reply:
        """Tell the server that nobody waits any more (up to 2025-11-25)."""
        message = versions.encode_cancel(self.request_id, reason)
        return self.client.messenger.say("notifications/cancelled", message, timeout_s)

    def await_stop(self, since_ns: int) -> Stop:
        """Wait until the server ends the call: by an error, an answer, or the stream's end."""
        deadline_ns = since_ns + int(min(STOP_S, self.client.timeout_s) * 1e9)
        told = True
        try:
            self.connection.read_on(deadline_ns, self.is_answer)
        except CallTimeout:
            told = False
        except TargetError:
            pass  # the connection's end ends the call, too
        return Stop(self.client.terms.clock() - since_ns, told)

    def _reconcile(self, reply: Reply) -> bool:
        """Mend what the server refused the call for; tell whether. May raise TargetError."""
        client, messenger = self.client, self.client.messenger
        if messenger.admit(reply, self.connection.reader):
            return True
        if self.session.id and not reply.session_lost and (kind := loss_in(reply)):
            reply.detail = f"the session was lost and could not be opened again ({reply.detail})"
            reply.session_lost, reply.healed = NOT_REOPENED, kind
            reply.session_lost = client.renew(self, kind)
            return True
        if reply.session_lost == REOPENED and loss_in(reply):
            reply.healed = ELSEWHERE
        error = jsonrpc.error_of(reply) if client.terms.modern else None
        if error is None or error.code != jsonrpc.HEADER_MISMATCH:
            return False
        if not isinstance(self.call, Call) or not messenger.relist(self.call, self.connection):
            return False
        reply.healed = reply.healed or RELISTED
        return True

    def _resume(self, reply: Reply) -> Reply:
        """Resume a stream that ended without the answer (up to 2025-11-25)."""
        if not self.connection.reader.is_polled:
            reply.healed = reply.healed or RESUMED
        terms, connection = self.client.terms, self.connection
        last_event, failures = "", 0
        while reply.outcome == TRANSPORT_ERROR and failures < _MOST_RESUMPTIONS:
            reader = connection.reader
            failures = 0 if reader.last_event not in ("", last_event) else failures + 1
            last_event = reader.last_event or last_event
            left_s = self.left_s(reply)
            pause_s = max(reader.retry_s, _LEAST_PAUSE_S)
            terms.sleep(min(pause_s, left_s))
            if pause_s >= left_s:  # and not a moment earlier, says the server
                reply.end_ns = terms.clock()
                asked = f"the server forbids resuming it for {pause_s:g} s (retry)"
                return reply.fail(TIMEOUT, f"the stream ended, and {asked}")
            request = self.client.messenger.stream_request(last_event)
            more = connection.exchange(request, self.left_s(reply), self.is_answer, keep=self.keep)
            if more.outcome == OK:
                jsonrpc.judge(more, self.request_id)
            reply = joined(reply, more)
        return reply
