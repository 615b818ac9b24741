"""Turns the bytes of an HTTP connection into messages of agent and server. Without I/O."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httptools

from mcp_perf.agent.recording.pieces import MOST, EventCutter, Gathered, Piece
from mcp_perf.agent.recording.sessions import Message, SeenSession, messages_of
from mcp_perf.client.http.encodings import Unpack, codings, unpacker
from mcp_perf.client.protocol.versions import MODERN
from mcp_perf.outcomes import INTERRUPTED, TRANSPORT_ERROR

_OPENING: Final = ("initialize", "server/discover")
_ACCEPTED: Final = 202


@dataclass(eq=False)
class HttpSessions:
    """Finds the session of a request, over all connections."""

    open: Callable[[str], SeenSession]
    """Takes the transport."""
    by_id: dict[str, SeenSession] = field(default_factory=dict)
    by_endpoint: dict[str, SeenSession] = field(default_factory=dict)
    """HTTP+SSE: by the address to which a session's messages are sent."""
    latest: dict[bytes, SeenSession] = field(default_factory=dict)
    """Sessions without an id: by User-Agent."""

    def of(
        self, exchange: "_Exchange", messages: list[Message], before: SeenSession | None
    ) -> SeenSession:
        """Return the session of a request; `before` was the last one on its connection.

        If nothing else distinguishes sessions, each begins with a greeting.
        """
        named = exchange.headers.get(b"mcp-session-id", b"").decode("latin-1")
        known = self.by_endpoint.get(exchange.target) or self.by_id.get(named)
        if known is not None:
            return known
        agent = exchange.headers.get(b"user-agent", b"")
        known = before or self.latest.get(agent)
        if known is None or any(message.said.method in _OPENING for message in messages):
            known = self.latest[agent] = self.open("http")
        return known


@dataclass(eq=False)
class _Exchange:
    """A request, and its response as far as it has come."""

    method: bytes = b""
    target: str = ""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    session: SeenSession | None = None
    keys: list[str] = field(default_factory=list)
    status: int = 0
    type: bytes = b""
    unpack: Unpack | None = None
    events: EventCutter | None = None


class HttpWatch:
    """Follows one connection. It never disturbs traffic, and ignores what it cannot read."""

    def __init__(self, sessions: HttpSessions) -> None:
        self._sessions = sessions
        self._session: SeenSession | None = None
        self._waiting: deque[_Exchange] = deque()
        self._now_ns = 0
        self._blind = False
        self.idle = True
        """Whether the next byte of the agent begins a request."""
        self._requests: Any = httptools.HttpRequestParser(_Requests(self))
        self._reading = _Responses(self)
        self._responses: Any = httptools.HttpResponseParser(self._reading)

    def sent(self, data: bytes, now_ns: int) -> None:
        self._follow(self._requests, data, now_ns)

    def came(self, data: bytes, now_ns: int) -> None:
        self._follow(self._responses, data, now_ns)

    def closed(self, now_ns: int, *, by_server: bool) -> None:
        """End all calls under way, because the connection is closed."""
        self._now_ns = now_ns
        if by_server:
            self._reading.closed()
        how = (TRANSPORT_ERROR, "the server closed the connection")
        outcome, detail = how if by_server else (INTERRUPTED, "the agent closed the connection")
        while self._waiting:
            exchange = self._waiting.popleft()
            if exchange.session is not None:
                streams = exchange.session.transport == "sse" and exchange.method == b"GET"
                exchange.session.end(None if streams else exchange.keys, outcome, detail, now_ns)
        self._blind = True

    def _follow(self, parser: Any, data: bytes, now_ns: int) -> None:
        if self._blind:
            return
        self._now_ns = now_ns
        try:
            parser.feed_data(data)
        except httptools.HttpParserError:
            self._blind = True

    def asked(self, exchange: _Exchange, body: Piece) -> None:
        """Take a whole request."""
        exchange.method = self._requests.get_method()
        self._waiting.append(exchange)
        if exchange.method == b"POST":
            messages = list(messages_of(body))
            exchange.session = self._sessions.of(exchange, messages, self._session)
            if exchange.session.transport == "http":
                self._session = exchange.session
            exchange.keys = exchange.session.sent(messages, self._now_ns)
        else:
            named = exchange.headers.get(b"mcp-session-id", b"").decode("latin-1")
            exchange.session = self._sessions.by_id.get(named)

    def answering(self, headers: dict[bytes, bytes]) -> _Exchange:
        """Take the head of a response."""
        exchange = self._waiting[0] if self._waiting else _Exchange()
        exchange.status = self._responses.get_status_code()
        exchange.type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        packed = codings(headers.get(b"content-encoding", b""))
        exchange.unpack = unpacker(packed) if packed else None
        exchange.events = EventCutter() if exchange.type == b"text/event-stream" else None
        if exchange.session is not None and (named := headers.get(b"mcp-session-id")):
            self._sessions.by_id[named.decode("latin-1")] = exchange.session
        return exchange

    def event(self, exchange: _Exchange, piece: Piece) -> None:
        if exchange.session is None and exchange.method == b"GET" and piece.body[:1] not in b"{[":
            exchange.session = self._sessions.open("sse")
            where = urlsplit(piece.body.decode("utf-8", "replace"))
            target = f"{where.path}?{where.query}" if where.query else where.path
            self._sessions.by_endpoint[target] = exchange.session
        elif exchange.session is not None:
            exchange.session.came(messages_of(piece), self._now_ns)

    def answered(self, exchange: _Exchange, body: Piece) -> None:
        """Take the end of a response."""
        if exchange.status < 200:
            return
        if self._waiting and self._waiting[0] is exchange:
            self._waiting.popleft()
        session, keys, now_ns = exchange.session, exchange.keys, self._now_ns
        if session is None or exchange.status == _ACCEPTED:
            return
        if exchange.events is None:
            session.came(messages_of(body), now_ns, exchange.status, keys[0] if keys else "")
            session.refused(keys, exchange.status, body, now_ns)
        elif session.protocol == MODERN:
            session.end(keys, TRANSPORT_ERROR, "the stream ended without an answer", now_ns)


class _Requests:
    """Callbacks of the parser of the agent's bytes."""

    def __init__(self, watch: HttpWatch) -> None:
        self._watch = watch
        self._exchange = _Exchange()
        self._body = Gathered()

    def on_message_begin(self) -> None:
        self._watch.idle = False
        self._exchange, self._body = _Exchange(), Gathered()

    def on_url(self, url: bytes) -> None:
        self._exchange.target += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._exchange.headers[name.lower()] = value

    def on_body(self, data: bytes) -> None:
        self._body.add(data)

    def on_message_complete(self) -> None:
        self._watch.idle = True
        self._watch.asked(self._exchange, self._body.take())


class _Responses:
    """Callbacks of the parser of the server's bytes."""

    def __init__(self, watch: HttpWatch) -> None:
        self._watch = watch
        self._headers: dict[bytes, bytes] = {}
        self._exchange = _Exchange()
        self._body = Gathered()
        self._unfinished = False

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, Gathered()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._unfinished = True
        self._exchange = self._watch.answering(self._headers)

    def on_body(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange.unpack is not None:
            data = exchange.unpack(data, MOST)
        if exchange.events is None:
            self._body.add(data)
            return
        for piece in exchange.events.feed(data):
            self._watch.event(exchange, piece)

    def on_message_complete(self) -> None:
        self._unfinished = False
        self._watch.answered(self._exchange, self._body.take())

    def closed(self) -> None:
        """End a body that lasts as long as its connection (RFC 9112, section 6.3)."""
        sized = self._headers.keys() & {b"content-length", b"transfer-encoding"}
        if self._unfinished and not sized and self._exchange.events is None:
            self.on_message_complete()
