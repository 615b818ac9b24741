"""One request, one reply: the hot path that MCP and plain HTTP share."""

import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urljoin, urlsplit

from mcp_perf.client.errors import ReadError, TargetError
from mcp_perf.client.http.connection import Clock, Connection, Origin
from mcp_perf.client.http.http1 import ResponseReader, encode_headers
from mcp_perf.client.reply import Reply

DEFAULT_TIMEOUT_S: Final = 10.0
_OURS: Final = frozenset(
    ("content-length", "transfer-encoding", "connection", "host", "mcp-session-id", "expect"),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the calls of an arm go, and what every request carries. Shared by all its users."""

    url: str
    origin: Origin
    target: str
    """The request target: path and query."""
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = DEFAULT_TIMEOUT_S
    personal: frozenset[str] = frozenset()
    """The names, in lower case, of headers that each user has a value of its own for."""

    @classmethod
    def of(
        cls,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        verify: bool = True,
        ca: str | None = None,
        personal: Iterable[str] = (),
    ) -> "Endpoint":
        """Read an endpoint off an address. Raises ValueError on a bad address or header.

        `personal` are the names of headers whose values `for_user` brings.
        """
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        given = tuple((headers or {}).items())
        personal = tuple(personal)
        for name in (*(name for name, _ in given), *personal):
            if name.lower() in _OURS:
                raise ValueError(f"the header {name!r} is set by the client itself")
        encode_headers(given)
        try:
            origin = Origin.of(url, verify=verify, ca=ca)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"the certificate file {ca!r} cannot be read: {error}") from error
        theirs = frozenset(name.lower() for name in personal)
        return cls(url, origin, target, given, timeout_s, theirs)

    def for_user(self, headers: Mapping[str, str]) -> "Endpoint":
        """Return the endpoint with one user's own headers. Raises ValueError on a bad one."""
        encode_headers(headers.items())
        return replace(self, headers=(*self.headers, *headers.items()))

    @property
    def own_fields(self) -> bytes:
        own = [(name, value) for name, value in self.headers if name.lower() in self.personal]
        return encode_headers(own)

    def line(self, method: str, target: str) -> bytes:
        return f"{method} {target} HTTP/1.1\r\nHost: {self.origin.authority}\r\n".encode("latin-1")

    def fields(self, headers: list[tuple[str, str]]) -> bytes:
        """Encode the other headers; the arm's own replace those of the same name."""
        own = self.personal.union(name.lower() for name, _ in self.headers)
        kept = [(name, value) for name, value in headers if name.lower() not in own]
        return encode_headers([*kept, *self.headers])


def with_body(head: bytes, body: bytes) -> bytes:
    """Join a head without its end and a body to a request."""
    return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


def exchange(
    connection: Connection,
    request: bytes,
    timeout_s: float,
    clock: Clock,
    is_answer: Callable[[bytes], bool] | None = None,
) -> Reply:
    """Send one request and wait for its reply; every failure is told by the reply.

    Of an event stream, the reply is the first event that `is_answer` accepts; without
    `is_answer`, all of its data. The clock of the call runs from the send to the answer.
    """
    reply = Reply(clock())
    reply.bytes_out = len(request)
    deadline_ns = reply.start_ns + int(timeout_s * 1e9)
    try:
        connection.send(request, timeout_s, reply.start_ns)
        reader = connection.receive(deadline_ns)
        if reader.streaming:
            reply.body = _read_stream(connection, deadline_ns, is_answer)
        else:
            reply.body = reader.body
        reply.end_ns = connection.used_ns = clock()
    except TargetError as error:
        reply.end_ns = clock()
        reply.fail(error.outcome, str(error))
    reader = connection.reader
    reply.status = reader.status
    reply.bytes_in = reader.size
    return reply


def read_on(connection: Connection, deadline_ns: int, is_answer: Callable[[bytes], bool]) -> None:
    """Read on where an exchange ran out of time, to its answer or its end. Raises TargetError."""
    if connection.go_on(deadline_ns).streaming:
        while (event := connection.next_event(deadline_ns)) is not None:
            if is_answer(event):
                return


def _read_stream(
    connection: Connection, deadline_ns: int, is_answer: Callable[[bytes], bool] | None
) -> bytes:
    if is_answer is None:
        return b"\n".join(iter(lambda: connection.next_event(deadline_ns), None))
    while (event := connection.next_event(deadline_ns)) is not None:
        if is_answer(event):
            return event
    raise ReadError("the stream ended without a reply")


@dataclass(slots=True)
class Redirects:
    """Where an endpoint has moved to: only within its origin, by 307 or 308."""

    endpoint: Endpoint
    target: str = field(init=False)

    def __post_init__(self) -> None:
        self.target = self.endpoint.target

    def follow(self, reader: ResponseReader) -> bool:
        """Take note of a redirect. False when there is none that may be followed."""
        if reader.status not in (307, 308):
            return False
        location = reader.header(b"location").decode("latin-1")
        try:
            moved = urljoin(self.endpoint.url, location)
            elsewhere = not self.endpoint.origin.same(moved)
            parts = urlsplit(moved)
        except ValueError:  # it is no address
            return False
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not location or elsewhere or target == self.target:
            return False
        self.target = target
        return True
