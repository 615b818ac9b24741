"""What handlers receive and return: requests, replies, streams, and deliberate misbehaviour."""

import http
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

import msgspec

JSON: Final = b"application/json"
SSE: Final = b"text/event-stream"

Headers = tuple[tuple[bytes, bytes], ...]


class Wire(Protocol):
    """What a fault may do to the connection that waits for a reply."""

    def write(self, payload: bytes) -> None:
        """Send bytes."""

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run `action` after `delay_s`, unless the connection has closed by then."""

    def done(self) -> None:
        """Report that the reply is complete; the next request gets its turn."""

    def close(self) -> None:
        """Close once everything written has been sent."""

    def reset(self) -> None:
        """Drop the connection at once with a TCP reset."""


class Reset(msgspec.Struct, frozen=True):
    """Answer with a TCP reset."""

    def send(self, wire: Wire, payload: bytes) -> None:  # noqa: ARG002 -- none of it is sent
        """Reset the connection without sending anything."""
        wire.reset()


class Cut(msgspec.Struct, frozen=True):
    """Send the first part of the reply, then close before its announced length is reached."""

    fraction: float = 0.5

    def send(self, wire: Wire, payload: bytes) -> None:
        """Send `fraction` of the body."""
        start = payload.find(b"\r\n\r\n") + 4
        wire.write(payload[: start + int((len(payload) - start) * self.fraction)])
        wire.close()


class Slow(msgspec.Struct, frozen=True):
    """Send the head at once and the body in pieces spread over a time."""

    over_s: float
    pieces: int = 10

    def send(self, wire: Wire, payload: bytes) -> None:
        """Send the head, then one piece every `over_s / pieces`."""
        start = payload.find(b"\r\n\r\n") + 4
        wire.write(payload[:start])
        step = max(1, -(-(len(payload) - start) // self.pieces))
        rest = [payload[at : at + step] for at in range(start, len(payload), step)]
        self._trickle(wire, rest, self.over_s / max(1, len(rest)))

    def _trickle(self, wire: Wire, rest: list[bytes], gap_s: float) -> None:
        def send_next() -> None:
            wire.write(rest[0])
            self._trickle(wire, rest[1:], gap_s)

        if rest:
            wire.later(gap_s, send_next)
        else:
            wire.done()


Fault = Reset | Cut | Slow
"""A way to send a reply wrongly. It ends with exactly one of `done`, `close`, `reset`."""


class Request(msgspec.Struct):
    """A complete request. Header names are lower-case; of a repeated header, the first counts."""

    method: bytes
    target: bytes
    path: bytes
    headers: dict[bytes, bytes]
    repeated: frozenset[bytes]
    """The names of the headers that occurred more than once."""
    body: bytes
    too_large: bool
    """Whether the body was longer than the server accepts; then `body` is incomplete."""
    keep_alive: bool
    tags: set[str]
    """Shared by all requests of one connection, for applications that count connections."""
    done: Callable[[], object] | None = None
    """Called once when the exchange has ended in any way; set by the application."""
    answer_now: "Callable[[Reply], object] | None" = None
    """Sends another reply at once instead of the delayed one; set by the connection."""

    def query(self) -> dict[str, str]:
        """Return the query's parameters, the last of each name, with bad bytes replaced."""
        return _pairs(self.target.partition(b"?")[2])

    def form(self) -> dict[str, str]:
        """Return the fields of a form-encoded body in the same way."""
        return _pairs(self.body)


def _pairs(encoded: bytes) -> dict[str, str]:
    text = encoded.decode("utf-8", "replace")
    return dict(urllib.parse.parse_qsl(text, keep_blank_values=True))


class Reply(msgspec.Struct):
    """One reply with a known body."""

    body: bytes = b""
    status: int = 200
    content_type: bytes = JSON
    headers: Headers = ()
    after_s: float = 0.0
    """Service time: seconds from the complete request to the first byte of the reply."""
    chunked: bool = False
    """Send the body as one chunk and the end of the stream, like a streaming server."""
    fault: Fault | None = None


class Stream(msgspec.Struct):
    """A reply whose body is written chunk by chunk as it is produced, until the iterator ends."""

    chunks: AsyncIterator[bytes]
    status: int = 200
    content_type: bytes = SSE
    headers: Headers = ()
    after_s: float = 0.0


Answer = Reply | Stream | Awaitable[Reply | Stream]
"""What a handler returns."""


_heads: dict[tuple[int, bytes, bool], bytes] = {}


def encode(reply: Reply, *, keep_alive: bool, bodiless: bool) -> bytes:
    """Return the bytes of a reply; `bodiless` for an answer to HEAD."""
    body = reply.body
    head = _head(reply.status, reply.content_type, keep_alive)
    if reply.headers:
        head += _lines(reply.headers)
    if reply.chunked:
        start = head + b"transfer-encoding: chunked\r\n\r\n"
        return start if bodiless else b"%b%x\r\n%b\r\n0\r\n\r\n" % (start, len(body), body)
    start = b"%bcontent-length: %d\r\n\r\n" % (head, len(body))
    return start if bodiless else start + body


def encode_head(stream: Stream, *, keep_alive: bool) -> bytes:
    """Return the head of a streamed reply."""
    head = _head(stream.status, stream.content_type, keep_alive)
    return head + _lines(stream.headers) + b"transfer-encoding: chunked\r\n\r\n"


def _lines(headers: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % pair for pair in headers)


def _head(status: int, content_type: bytes, keep_alive: bool) -> bytes:
    key = (status, content_type, keep_alive)
    head = _heads.get(key)
    if head is None:
        head = b"HTTP/1.1 %d %b\r\n" % (status, http.HTTPStatus(status).phrase.encode())
        if content_type:
            head += b"content-type: %b\r\n" % content_type
        if content_type == SSE:
            head += b"cache-control: no-cache, no-transform\r\n"
        if not keep_alive:
            head += b"connection: close\r\n"
        _heads[key] = head
    return head
