"""HTTP/1.1 without I/O: request heads out, response bytes in.

`ResponseReader` wraps llhttp (through httptools). One reader serves one connection: it is told
when a request was sent, and then fed until it says `complete`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import httptools

from mcp_perf.client.errors import ProtocolError, ReadError
from mcp_perf.client.http.sse import MESSAGES, EventDecoder

MAX_REPLY_BYTES: Final = 64 * 1024 * 1024
"""A reply larger than this is cut off and counted as a transport error: 64 MiB is sixteen times
the largest request the official servers take, and a thousand users cannot fill our memory."""
MAX_HEAD_BYTES: Final = 256 * 1024


@dataclass(eq=False, slots=True)
class ResponseReader:
    """Read the responses of one connection, one after the other."""

    limit: int = MAX_REPLY_BYTES
    event_names: Collection[bytes] = MESSAGES
    """Which events of a stream count; set before it begins."""
    surplus: bool = False
    awaited: bool = False
    complete: bool = True
    started: bool = False
    has_head: bool = False
    streaming: bool = False
    keep_alive: bool = False
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    _decoder: EventDecoder | None = None
    _size: int = 0
    _until_close: bool = False
    _parser: Any = None

    def __post_init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)

    def expect(self) -> None:
        """Forget the last response: a request goes out, and one response is awaited."""
        self.awaited = True
        self.complete = False
        self.started = False
        self.has_head = False
        self.streaming = False
        self.keep_alive = False
        self.status = 0
        self.headers = []
        self.chunks = []
        self.events = []
        self._decoder = None
        self._size = 0
        self._until_close = False

    def feed(self, data: bytes) -> None:
        """Take bytes from the target. Raises `ProtocolError` and `ReadError` (too large)."""
        self._size += len(data)
        if self._size > self.limit:
            raise ReadError(f"the reply is larger than {self.limit} bytes")
        if not self.has_head and self._size > MAX_HEAD_BYTES:
            raise ProtocolError(f"the reply's headers are larger than {MAX_HEAD_BYTES} bytes")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            raise ProtocolError("the target switched to another protocol") from error
        except httptools.HttpParserError as error:
            raise ProtocolError(f"the reply is not HTTP/1.1: {error}") from error

    def feed_eof(self) -> None:
        """Take the end of the connection. Raises `ReadError` when a reply was still awaited."""
        self.keep_alive = False
        if self.has_head and self._until_close:
            self.complete = True
            return
        if not self.started:
            raise ReadError("the connection was closed before a reply came")
        raise ReadError(f"the connection was closed in the middle of the reply ({self._size} B)")

    def forget_size(self) -> None:
        """Count bytes anew: a stream without end is limited by event, not as a whole."""
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes of this response so far, head included."""
        return self._size

    @property
    def body(self) -> bytes:
        """The body so far, without its transfer encoding."""
        chunks = self.chunks
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    @property
    def last_event(self) -> str:
        """The id by which an event stream can be resumed; empty where there is none."""
        return "" if self._decoder is None else self._decoder.last_id.decode("latin-1")

    @property
    def retry_s(self) -> float:
        """How long to wait before an event stream is resumed: what it said, or a second."""
        retry_ms = None if self._decoder is None else self._decoder.retry_ms
        return 1.0 if retry_ms is None else retry_ms / 1e3

    def header(self, name: bytes) -> bytes:
        """Return the value of a header, by its lower-case name, or nothing."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return b""

    # What httptools calls.

    def on_message_begin(self) -> None:
        if self.awaited:
            self.started = True
            self.awaited = False
        else:
            self.surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; of a trailer or an unasked response, nothing."""
        if not self.has_head:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.surplus:
            return
        self.status = self._parser.get_status_code()
        if self.status < 200:
            return
        self.has_head = True
        framed = False
        for key, value in self.headers:
            lowered = key.lower()
            if lowered == b"content-type":
                self.streaming = value[:17].lower() == b"text/event-stream"
            elif lowered in (b"content-length", b"transfer-encoding"):
                framed = True
        self._until_close = not framed and self.status not in (204, 304)
        if self.streaming:
            self._decoder = EventDecoder(self.event_names)

    def on_body(self, data: bytes) -> None:
        if self.surplus:
            return
        if self._decoder is not None:
            self.events.extend(self._decoder.feed(data))
        else:
            self.chunks.append(data)

    def on_message_complete(self) -> None:
        """Finish the response; an interim one (1xx) is only the overture."""
        if self.surplus:
            return
        if self.status < 200:
            self.headers = []
            self.awaited = True
            return
        self.keep_alive = self._parser.should_keep_alive()
        self.complete = True


def check_header(name: str, value: str) -> None:
    """Raise ValueError when a header could break out of its line or is not Latin-1."""
    text = name + value
    if not name or "\r" in text or "\n" in text or "\0" in text or ":" in name or " " in name:
        raise ValueError(f"header {name!r} holds a character that HTTP does not allow")
    text.encode("latin-1")


def encode_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    """Encode header lines, each ended by CRLF. Raises ValueError on a header that is not one."""
    lines = []
    for name, value in headers:
        check_header(name, value)
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("latin-1")
