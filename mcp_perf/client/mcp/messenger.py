"""What goes into the requests of a session over HTTP: the address, the token, the session.

A `Messenger` sends everything that is not a call: during the setup, and alongside calls.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

import msgspec

from mcp_perf.client import rate_limits
from mcp_perf.client.errors import CallTimeout, ConnectError, ReadError, TargetError
from mcp_perf.client.http.connection import Connection
from mcp_perf.client.http.cookies import Cookies
from mcp_perf.client.http.endpoint import Endpoint, Redirects, with_body
from mcp_perf.client.http.http1 import ResponseReader
from mcp_perf.client.http.pool import Pool
from mcp_perf.client.mcp.attempt import NOTHING, CallAttempt
from mcp_perf.client.mcp.handshake import Ask, Terms
from mcp_perf.client.mcp.lists import list_tools
from mcp_perf.client.protocol import jsonrpc, versions
from mcp_perf.client.protocol.answers import respond
from mcp_perf.client.protocol.identity import PROGRESS, token_of
from mcp_perf.client.protocol.jsonrpc import RequestId
from mcp_perf.client.protocol.multiplex import AnswersElsewhere
from mcp_perf.client.protocol.requests import ARGUMENTS_HOLE, Arguments, Call, PreparedCall, encode
from mcp_perf.client.protocol.session_loss import Standing, loss
from mcp_perf.client.protocol.subscriptions import LISTENED
from mcp_perf.client.protocol.tools import Tool, param_headers
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import OK, TIMEOUT, TRANSPORT_ERROR

MOST_ATTEMPTS: Final = 4
"""Attempts of one request: as it is, redirected, with a token, and with a token of more scope."""


class Credentials(Protocol):
    """What gives a client its access token."""

    def current(self) -> str:
        """Return the token to use now; empty while there is none. Raises TargetError."""

    def renew(self, used: str, status: int, challenge: str, version: str) -> None:
        """Get another token than the one that was refused. Raises TargetError."""


@dataclass(eq=False, slots=True)
class Session:
    """A session as its server knows it, and what calls look like in it: head, tail, and a hole.

    The tail of a call whose arguments come with each call has a hole for them.
    """

    id: str = ""
    """Empty if the server has no sessions, as in 2026-07-28."""
    is_open: bool = False
    """Whether calls may be sent: not before the handshake has ended."""
    encoded: dict[PreparedCall, tuple[bytes, bytes, int]] = field(default_factory=dict)
    standing: Standing = field(default_factory=Standing)


UNSENT: Final = Session()


@dataclass(eq=False)
class Messenger:
    """One client's way to its server; all its connections share it."""

    endpoint: Endpoint
    terms: Terms
    credentials: Credentials | None
    ids: Iterator[int]
    session: Session = field(default_factory=Session)
    _token: str = ""
    _relisted: dict[str, Tool] = field(default_factory=dict)
    """Tools whose headers turned out to have changed since they were listed."""

    def __post_init__(self) -> None:
        self.cookies = Cookies(self.endpoint.origin)
        self.extra = Pool(self.endpoint.origin, self.terms.clock, cookies=self.cookies)
        """For messages sent while the connections of calls are busy with streams."""
        self._moved = Redirects(self.endpoint)
        self.elsewhere = AnswersElsewhere(self.terms.strays)

    def mismatches(self, reply: Reply, request_id: int, connection: Connection) -> bool:
        """Tell whether a reply belongs to another request; if so, close its connection.

        Whatever follows there would be mistaken for the reply to a later request.
        """
        if jsonrpc.foreign_id(reply, request_id) is None:
            return False
        connection.close()
        self.terms.strays.other(reply.body)
        return True

    def use_token(self) -> None:
        """Take the current token. Raises TargetError if it has expired and there is no other."""
        if self.credentials is not None and self._token != (token := self.credentials.current()):
            self._token = token
            self.session.encoded.clear()

    def admit(self, reply: Reply, reader: ResponseReader) -> bool:
        """Follow a redirect, or get the token that is wanted; tell whether. Raises TargetError."""
        if self._moved.follow(reader):
            self.session.encoded.clear()
            return True
        if self.credentials is None or reply.status not in (401, 403):
            return False
        challenge = reader.header(b"www-authenticate").decode("latin-1")
        if reply.status == 403 and "insufficient_scope" not in challenge:
            return False
        self.credentials.renew(self._token, reply.status, challenge, self.terms.version)
        self.use_token()
        return True

    def take(self, event: bytes, attempt: CallAttempt | None = None, *, own: bool = True) -> bool:
        """Take in a request or a notification of the server.

        `attempt` is the call that it is for if it does not name one; `own` says whether it came on
        the call's own stream. Tell whether it ends the call: in 2026-07-28 a server may not send
        requests, and a server that does waits for an answer that it does not get. A server that
        says it has lost the session does not answer either.
        """
        message = jsonrpc.message_of(event)
        method = message.get("method")
        if message.get("jsonrpc") != "2.0" or not isinstance(method, str):
            request_id = message.get("id") if "jsonrpc" in message else None
            if own and self.session.id and "error" in message and loss(200, event):
                return True  # it says that the session is lost, in its own words
            if own or not isinstance(request_id, int):
                self.terms.strays.other(event)
            else:
                in_flight = attempt is not None and attempt.request_id == request_id
                now_ns = self.terms.clock()
                self.elsewhere.take(request_id, event, now_ns, in_flight=in_flight)
        elif "id" not in message:
            self._take_notice(method, event, attempt if own else None)
        elif self.terms.modern:
            return True
        else:
            answers = self.terms.answers if attempt is None else attempt.answers
            self.say(f"answer to {method}", msgspec.json.encode(respond(message, answers)))
        return False

    def _take_notice(self, method: str, event: bytes, attempt: CallAttempt | None) -> None:
        now_ns, inbox = self.terms.clock(), self.terms.inbox
        if method == PROGRESS:
            hear = self.terms.in_progress.get(token_of(event))
            if hear is None:
                self.terms.strays.progress(event)
            else:
                hear(method, now_ns)
        elif inbox is not None and method in LISTENED:
            inbox.add(method, event, now_ns)
        elif attempt is not None:
            attempt.hear(method, now_ns)

    def is_answer(
        self, event: bytes, attempt: CallAttempt | None = None, request_id: RequestId = ""
    ) -> bool:
        """Tell whether a stream's message ends the request, which may lack an id; or take it in."""
        messages = self.terms.messages_of(event)
        if any(jsonrpc.is_reply(one, request_id) for one in messages):
            return True
        return any(self.take(one, attempt) for one in messages if one)

    def judge(self, reply: Reply, request_id: int, attempt: CallAttempt | None = None) -> Reply:
        """Judge a reply; of a batch, judge the answer and take in the rest."""
        messages = self.terms.messages_of(reply.body)
        if messages != [reply.body]:
            for one in messages:
                if jsonrpc.is_reply(one, request_id):
                    reply.body = one
                else:
                    self.take(one, attempt)
        return jsonrpc.judge(reply, request_id)

    # Requests that are not calls.

    def asking(self, connection: Connection) -> Ask:
        return partial(self._ask, connection)

    def post(self, connection: Connection, message: bytes) -> Reply:
        request = with_body(self.head(self._headers()), message)
        return connection.exchange(request, self.endpoint.timeout_s, self.is_answer)

    def say(self, name: str, message: bytes, timeout_s: float | None = None) -> Reply:
        """Send a message alongside the calls in flight."""
        timeout = self.endpoint.timeout_s if timeout_s is None else timeout_s
        with self.extra.one() as connection:
            reply = connection.exchange(with_body(self.head(self._headers()), message), timeout)
        if reply.outcome == OK and reply.status >= 400:
            rate_limits.refuse(reply)
        self.terms.tell(name, reply)
        return reply

    def delete(self, connection: Connection) -> Reply:
        request = self.head(self._headers(), "DELETE") + b"\r\n"
        reply = connection.exchange(request, self.endpoint.timeout_s, self.is_answer)
        if reply.outcome == OK and reply.status == rate_limits.TOO_MANY_REQUESTS:
            rate_limits.refuse(reply)
        self.terms.tell("DELETE session", reply)
        return reply

    def stream_request(self, last_event: str) -> bytes:
        """Return the request that opens the session's stream, or resumes a stream."""
        headers = versions.stream_headers(self.terms.version, self.session.id, last_event)
        return self.head(headers, "GET") + b"\r\n"

    def relist(self, call: Call, connection: Connection) -> bool:
        """List the tools again; tell whether this one has other headers now."""
        known = self._relisted.get(call.tool.name, call.tool)
        try:
            tools = list_tools(self.terms, self.asking(connection))
        except TargetError:
            return False
        tool = tools.get(known.name, known)
        if tool.header_params == known.header_params:
            return False
        self._relisted[tool.name] = tool
        self.session.encoded.pop(call, None)
        return True

    def _ask(
        self,
        connection: Connection,
        method: str,
        params: dict[str, Any],
        *,
        modern: bool,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send a request that is not a call. Raises ConnectError, ReadError and CallTimeout."""
        request_id, opened = next(self.ids), connection.opened
        is_answer = partial(self.is_answer, request_id=request_id)
        most_s = min(timeout_s or self.endpoint.timeout_s, self.endpoint.timeout_s)
        for _ in range(MOST_ATTEMPTS):
            self.use_token()
            sent = params
            if modern:
                headers = versions.modern_headers(method, params)
                sent = versions.modern_params(params, self.terms.capabilities, NOTHING)
            elif method == "initialize":
                headers = versions.handshake_headers("", "")
            else:
                headers = self._headers()
            message = versions.encode_message(request_id, versions.encode_tail(method, sent))
            request = with_body(self.head(headers), message)
            reply = connection.exchange(request, most_s, is_answer)
            if not self.admit(reply, connection.reader):
                break
        if reply.outcome == OK:
            self.judge(reply, request_id)
            self.mismatches(reply, request_id, connection)
        self.terms.tell(method, reply)
        if reply.outcome == TIMEOUT:
            raise CallTimeout(f"{method}: {reply.detail}")
        if reply.outcome == TRANSPORT_ERROR and reply.bytes_in == 0:
            kind = ConnectError if connection.opened == opened else ReadError
            raise kind(f"{method}: {reply.detail}")
        return reply

    # Encoding.

    def head(self, headers: list[tuple[str, str]], method: str = "POST") -> bytes:
        if self._token:
            headers = [*headers, ("Authorization", f"Bearer {self._token}")]
        return self.endpoint.line(method, self._moved.target) + self.endpoint.fields(headers)

    def call_head(self, call: PreparedCall, arguments: Arguments) -> bytes:
        """Encode the head of a call; `arguments` are all that it has, including constant ones."""
        if not self.terms.modern:
            return self.head(self._headers())
        if not isinstance(call, Call):
            params = {**(call.params or NOTHING), **(arguments or NOTHING)}
            return self.head(versions.modern_headers(call.method, params))
        headers = versions.modern_headers(call.method, {"name": call.tool.name})
        tool = self._relisted.get(call.tool.name, call.tool)
        return self.head(headers + param_headers(tool, arguments or NOTHING))

    def encode(
        self, session: Session, call: PreparedCall, arguments: Arguments, added: dict[str, Any]
    ) -> tuple[bytes, bytes, int]:
        """Encode a call; keep it if it is the same each time, except for its holes."""
        terms = self.terms
        tail, hole = encode(call, arguments, added, terms.version, terms.capabilities)
        constant = call.arguments if isinstance(call, Call) else None
        encoded = self.call_head(call, arguments if constant is None else constant), tail, hole
        if not added and (hole & ARGUMENTS_HOLE or arguments is None):
            session.encoded[call] = encoded
        return encoded

    def _headers(self) -> list[tuple[str, str]]:
        return versions.handshake_headers(self.terms.version, self.session.id)
