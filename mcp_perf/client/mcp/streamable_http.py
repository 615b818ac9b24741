"""The MCP client over streamable HTTP, both eras, one session.

A failed call is a `Reply`; only opening a session raises (`TargetError`), because without a
session there is nothing to measure.
"""

from typing import Any, Final

import msgspec

from mcp_perf.client.errors import CallTimeout, TargetError
from mcp_perf.client.http.endpoint import with_body
from mcp_perf.client.mcp.base import MAX_PAGES, NOTHING, Observer, ignore, joined
from mcp_perf.client.mcp.http_session import HttpSession
from mcp_perf.client.protocol import jsonrpc, versions
from mcp_perf.client.protocol.requests import Arguments, Call, Params, Prepared, Request
from mcp_perf.client.protocol.tools import Tool, param_headers
from mcp_perf.client.reply import OK, REJOINED, REOPENED, TIMEOUT, TRANSPORT_ERROR, Reply, Stop

__all__ = ["MAX_PAGES", "Call", "McpClient", "Observer", "Request", "ignore"]

STOP_S: Final = 1.0
"""How long a server may take to end a call that was cancelled, before it counts as not told."""
_CANCEL_S: Final = 1.0
"""How long a user may be held up by telling the server that a call has timed out."""
_MOST_REPAIRS: Final = 4
_MOST_RESUMPTIONS: Final = 2
_HEADER_MISMATCH: Final = -32020


class McpClient(HttpSession):
    """One virtual user's session with one MCP server."""

    _stop: Stop | None = None
    _keep = False

    # Calling.

    def call(
        self, call: Prepared, arguments: Arguments = None, timeout_s: float | None = None
    ) -> Reply:
        """Send a request and judge the answer.

        `arguments` (of a `Request`, its params) are for a call without constant ones. What the
        protocol itself wants repeated is repeated within the call's own latency: after a redirect,
        a lost session, a lost stream, or when the server asks for input.
        """
        timeout = self.endpoint.timeout_s if timeout_s is None else timeout_s
        if not self._opened or self._credentials is not None:
            start_ns = self._clock()
            lost = REOPENED if self._lost else 0
            try:
                self._use_token()
                if not self._opened and not self.open() and lost:
                    lost = REJOINED
            except TargetError as error:
                reply = Reply(start_ns).fail(error.outcome, f"no session: {error}")
                reply.end_ns = self._clock()
                return reply
            if lost:
                left_s = self._left_s(Reply(start_ns), timeout)
                reply = self.call(call, arguments, left_s)
                reply.start_ns = start_ns
                reply.session_lost = lost
                return reply
        self._answers = call.answers or self._script
        self._heard = None
        reply = self._call_once(call, arguments, timeout)
        if reply.outcome != OK:
            reply = self._repair(reply, call, arguments, timeout)
            silent = self.modern or self._keep or not self._opened
            if reply.outcome == TIMEOUT and not silent:
                self._cancel("the caller gave up", min(_CANCEL_S, self.timeout_s))
        if self._heard is not None:
            reply.heard = self._heard
            if reply.outcome == OK:
                reply.detail = self._heard.told(reply.start_ns)
        return reply

    def cancelled_call(self, call: Prepared, arguments: Arguments, after_s: float) -> Reply:
        """Call, and cancel the call where it has not ended in time, in the way of the era.

        In 2026-07-28 closing the connection cancels; before, a notification does, and the call's
        stream is read on, beyond the reply's time, to see when the server ends it (`take_stop`).
        A call that was cancelled is `ok`, without a body: it has done what it was to do.
        """
        self._stop = None
        self._keep = True
        try:
            reply = self.call(call, arguments, after_s)
        finally:
            self._keep = False
        if reply.outcome != TIMEOUT:
            return reply
        if not self._opened:  # the session was lost, so there is no call to cancel
            self.connection.close()
            return reply
        if self.modern:
            self.connection.close()
            return reply.fail(OK, f"cancelled after {after_s:g} s")
        said = self._cancel("cancelled by the user", self.timeout_s)
        reply.end_ns = said.end_ns
        if said.outcome != OK:
            self.connection.close()
            return reply.fail(said.outcome, f"the call was not cancelled: {said.detail}")
        self._stop = self._await_stop(said.start_ns)
        return reply.fail(OK, f"cancelled after {after_s:g} s")

    def take_stop(self) -> Stop | None:
        """Return when the server ended the call that was just cancelled; None where none was.

        None also in 2026-07-28, where the one who cancels has left and is told nothing.
        """
        stop, self._stop = self._stop, None
        return stop

    def _cancel(self, reason: str, timeout_s: float) -> Reply:
        message = versions.encode_cancel(self._call_id, reason)
        return self._say("notifications/cancelled", message, timeout_s)

    def _await_stop(self, since_ns: int) -> Stop:
        deadline_ns = since_ns + int(min(STOP_S, self.timeout_s) * 1e9)
        told = True
        try:
            self.connection.read_on(deadline_ns, jsonrpc.is_answer)
        except CallTimeout:
            told = False
        except TargetError:
            pass  # the end of the connection, which is one as well
        return Stop(self._clock() - since_ns, told)

    # The parts.

    def _call_once(
        self, call: Prepared, arguments: Arguments, timeout_s: float, added: Params = NOTHING
    ) -> Reply:
        encoded = self._encoded.get(call)
        if encoded is None or added:
            encoded = self._encode(call, arguments, added)
        head, tail = encoded
        if arguments is not None and isinstance(call, Call) and not added:
            tail = tail % msgspec.json.encode(arguments)
            if self.modern and call.tool.header_params:
                head = self._call_head(call, arguments)
        request_id = self._call_id = next(self._ids)
        request = with_body(head, versions.encode_message(request_id, tail))
        connection = self.connection
        reply = connection.exchange(request, timeout_s, self._is_answer, keep=self._keep)
        return reply if reply.outcome != OK else jsonrpc.judge(reply, request_id)

    def _again(
        self,
        first: Reply,
        call: Prepared,
        arguments: Arguments,
        timeout_s: float,
        added: Params = NOTHING,
    ) -> Reply:
        left_s = self._left_s(first, timeout_s)
        return joined(first, self._call_once(call, arguments, left_s, added))

    def _repair(
        self, reply: Reply, call: Prepared, arguments: Arguments, timeout_s: float
    ) -> Reply:
        """Do what the protocol has for a reply that is not the last word on a call."""
        for _ in range(_MOST_REPAIRS):
            reader = self.connection.reader
            if reply.outcome == OK:
                break
            if jsonrpc.wants_input(reply):
                return self._answer(reply, call, arguments, timeout_s)
            if reply.outcome == TRANSPORT_ERROR and reader.last_event and not self.modern:
                return self._resume(reply, timeout_s)
            try:
                if not self._reconcile(reply, call):
                    break
            except TargetError as error:
                return reply.fail(error.outcome, f"{reply.detail}; {error}")
            reply = self._again(reply, call, arguments, timeout_s)
        return reply

    def _reconcile(self, reply: Reply, call: Prepared) -> bool:
        """Remove what the server refused a call for. Raises TargetError where that fails."""
        if self._admit(reply, self.connection.reader):
            return True
        if self._called_in() and not reply.session_lost and _session_lost(reply):
            reply.detail = "session lost, and not opened again"
            reply.session_lost = self._renew()
            return True
        return self._relist(reply, call)

    def _called_in(self) -> str:
        return self._session

    def _renew(self) -> int:
        """Open a session in place of the lost one; return what a call says of it."""
        self._lost = True
        self._initialize()
        return REOPENED

    def _resume(self, reply: Reply, timeout_s: float) -> Reply:
        """Take a stream up again where it ended without the answer (up to 2025-11-25)."""
        last_event, failures = "", 0
        while reply.outcome == TRANSPORT_ERROR and failures < _MOST_RESUMPTIONS:
            reader = self.connection.reader
            failures = 0 if reader.last_event not in ("", last_event) else failures + 1
            last_event = reader.last_event or last_event
            self._sleep(min(reader.retry_s, self._left_s(reply, timeout_s)))
            request = self._stream_request(last_event)
            left_s = self._left_s(reply, timeout_s)
            connection = self.connection
            more = connection.exchange(request, left_s, self._is_answer, keep=self._keep)
            if more.outcome == OK:
                jsonrpc.judge(more, self._call_id)
            reply = joined(reply, more)
        return reply

    def _relist(self, reply: Reply, call: Prepared) -> bool:
        """List the tools again where a tool's header parameters are no longer what they were."""
        error = jsonrpc.error_of(reply) if self.modern else None
        if error is None or error.code != _HEADER_MISMATCH or not isinstance(call, Call):
            return False
        known = self._tool(call)
        try:
            tool = self.list_tools().get(known.name, known)
        except TargetError:
            return False
        if tool.header_params == known.header_params:
            return False
        self._relisted[tool.name] = tool
        self._encoded.pop(call, None)
        return True

    def _tool(self, call: Call) -> Tool:
        return self._relisted.get(call.tool.name, call.tool)

    # Encoding.

    def _encode(self, call: Prepared, arguments: Arguments, added: Params) -> tuple[bytes, bytes]:
        """Encode head and tail, and keep them where they are the same for every call."""
        if isinstance(call, Call):
            encoded = self._encode_call(call, arguments, added)
            constant = True
        else:
            params = {**(call.params or NOTHING), **(arguments or NOTHING), **added}
            head = self._head(self._headers(call.method, params))
            encoded = head, versions.encode_tail(call.method, self._params(params, call))
            constant = arguments is None
        if constant and not added:
            self._encoded[call] = encoded
        return encoded

    def _encode_call(self, call: Call, arguments: Arguments, added: Params) -> tuple[bytes, bytes]:
        """Encode a tool call; a tail that is kept without its arguments holds a %b for them."""
        given = call.arguments if call.arguments is not None else arguments
        params: Params = {"name": call.tool.name}
        if call.arguments is not None or added:
            params.update(arguments=given, **added)
            tail = versions.encode_tail("tools/call", self._params(params, call))
            return self._call_head(call, given or NOTHING), tail
        mark = msgspec.Raw(b"\0")
        tail = versions.encode_tail("tools/call", self._params({**params, "arguments": mark}, call))
        return self._call_head(call, NOTHING), tail.replace(b"%", b"%%").replace(b"\0", b"%b")

    def _headers(self, method: str, params: Params) -> list[tuple[str, str]]:
        return versions.modern_headers(method, params) if self.modern else self._session_headers()

    def _call_head(self, call: Call, arguments: dict[str, Any]) -> bytes:
        headers = self._headers("tools/call", {"name": call.tool.name})
        if self.modern:
            headers += param_headers(self._tool(call), arguments)
        return self._head(headers)


def _session_lost(reply: Reply) -> bool:
    """Tell whether the server no longer knows our session: 404, or 400 as TypeScript 1.x."""
    if reply.status == 404:
        return True
    error = jsonrpc.error_of(reply) if reply.status == 400 else None
    return error is not None and "session" in error.message.lower()
