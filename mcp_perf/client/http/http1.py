"""HTTP/1.1 without I/O: request heads out, response bytes in.

`ResponseReader` wraps llhttp (through httptools). One reader serves one connection: it notes when a
request was sent (`happened`), and is then fed until it is `complete`.
"""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

import httptools

from mcp_perf.client.errors import EncodingError, NoRoom, ProtocolError, ReadError
from mcp_perf.client.http import states
from mcp_perf.client.http.budget import SMALL, Portion
from mcp_perf.client.http.encodings import Unpack, codings, unpacker
from mcp_perf.client.http.sse import MESSAGES, EventDecoder, only_event

MAX_REPLY_BYTES: Final = 64 * 1024 * 1024
"""A reply larger than this is cut off and counted as a transport error: 64 MiB is sixteen times
the largest request the official servers take, and a thousand users cannot fill our memory."""
MAX_HEAD_BYTES: Final = 256 * 1024
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_MOST_KNOWN: Final = 256
_STREAM: Final = -1
_OF_ONE_EVENT: Final = EventDecoder()
"""For a stream of one event, which was not decoded: it has no id, and is never resumed."""
_TRIES: Final = 16
"""How many responses of one connection are looked up in vain before that stops: if every head
differs, as with a request's id in it, looking costs time and finds nothing."""


class _Head(NamedTuple):
    """What llhttp read from a head: the same bytes mean the same on any connection."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body_bytes: int
    """Or `_STREAM`: the body is chunked, and is events."""


_known: Final[dict[bytes, _Head]] = {}
"""Heads of whole responses after which the connection stayed open."""


@dataclass(eq=False, slots=True)
class ResponseReader:
    """Reads the responses of one connection, one after the other; `states` lists its states."""

    limit: int = MAX_REPLY_BYTES
    event_names: Collection[bytes] = MESSAGES
    """Which events of a stream count; set before it begins."""
    state: str = states.CLOSED
    status: int = 0
    size: int = 0
    """Bytes of this response so far, head included."""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    unasked: bytes = b""
    """The body of what followed the response unasked."""
    encoding: str = ""
    """The Content-Encoding of a body that was packed unasked."""
    encodings: set[str] = field(default_factory=set)
    """All that were unpacked; a reader that replaces this one goes on with the same set."""
    set_cookies: list[bytes] = field(default_factory=list)
    """The values of Set-Cookie in this response."""
    _unpack: Unpack | None = None
    _unpacked: int = 0
    _fault: ReadError | None = None
    """Why the body cannot be read; the parser does not let our errors through."""
    _portion: Portion = field(default_factory=Portion)
    _room: int = SMALL
    """How large the response may become before it has to hold more of the budget."""
    _decoder: EventDecoder | None = None
    _framed: bool = False
    """Whether the head says where the body ends; otherwise it ends with the connection."""
    _tries: int = _TRIES
    _parser: Any = None

    def __post_init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._room = min(SMALL, self.limit)

    def happened(self, event: str) -> None:
        """Note what happened to the connection; `SEND` forgets the last response."""
        self.state = states.NEXT[self.state][event]
        if event is not states.SEND:
            if event is states.CLOSE:
                self._portion.hold(0)
            return
        if self.size > SMALL or self.encoding:
            self.restart()
        self.status = self.size = 0
        self.headers, self.chunks, self.events = [], [], []
        if self.set_cookies:
            self.set_cookies = []
        self._decoder = None
        self._framed = False

    def let_go(self) -> None:
        """Release what came, because the caller has taken it out."""
        self.chunks = []
        self._portion.hold(0)
        self._room = min(self.size + SMALL, self.limit)

    def restart(self) -> None:
        """Begin to count anew: a stream without end is limited by event, not as a whole."""
        self.size = self._unpacked = 0
        self.let_go()

    def _make_room(self) -> None:
        if self.size > self.limit:
            raise ReadError(f"the reply is larger than {self.limit} bytes")
        self._portion.hold(self.size + self._unpacked)
        self._room = min(self.size + SMALL, self.limit)

    def feed(self, data: bytes) -> None:
        """Take bytes from the target. Raises `ProtocolError` and `ReadError` (too large)."""
        self.size += len(data)
        if self.size > self._room:
            self._make_room()
        if self.size > MAX_HEAD_BYTES and self.state in (states.SENT, states.HEAD):
            raise ProtocolError(f"the reply's headers are larger than {MAX_HEAD_BYTES} bytes")
        tried = b""
        if self._tries and self.state is states.SENT:
            tried = data[: data.find(b"\r\n\r\n") + 4]
            head = _known.get(tried)
            if head is not None:
                body = data[len(tried) :]
                known = len(body) == head.body_bytes
                if known:
                    self.chunks.append(body)
                elif head.body_bytes == _STREAM:  # `message` is among the names of all streams
                    event = only_event(body)
                    if event is not None:
                        known, self._decoder = True, _OF_ONE_EVENT
                        self.events.append(event)
                if known:
                    self.status, self.headers = head.status, head.headers
                    self.state = states.NEXT[states.SENT][states.KNOWN]
                    self._tries = _TRIES
                    return
            self._tries -= 1
        self._parse(data)
        if tried and self.state is states.IDLE:
            self._get_to_know(tried, data)

    def _get_to_know(self, head: bytes, data: bytes) -> None:
        """Remember the head of a response that came at once, if its body is all that follows."""
        body = data[len(head) :]
        if len(head) <= 4 or self.set_cookies:
            return
        if self._decoder is None:
            length = len(body) if body == self.body else None
        else:
            length = _STREAM if self.events == [only_event(body)] else None
        if length is not None:
            if len(_known) >= _MOST_KNOWN:
                _known.clear()
            _known[head] = _Head(self.status, self.headers, length)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            raise ProtocolError("the target switched to another protocol") from error
        except httptools.HttpParserError as error:
            raise ProtocolError(f"the reply is not HTTP/1.1: {error}") from error
        if self._fault is not None:
            raise self._fault

    def feed_eof(self) -> None:
        """Take the end of the connection. Raises `ReadError` if a reply was still awaited."""
        if self.state in (states.BODY, states.EVENTS) and not self._framed:
            self.happened(states.LAST)
        elif self.state in states.STARTED:
            came = f"{self.size} B{self.packed}"
            raise ReadError(f"the connection was closed in the middle of the reply ({came})")
        else:
            raise ReadError("the connection was closed before a reply came")

    @property
    def packed(self) -> str:
        """Say how the body is packed, if it is."""
        return f", Content-Encoding: {self.encoding}" if self.encoding else ""

    @property
    def late(self) -> str:
        """Say what had not come at the timeout."""
        if self.state in states.STARTED:
            came = f"{self.size} bytes came{self.packed}"
            return f"the reply was not complete before the timeout ({came})"
        return "no reply in time"

    @property
    def complete(self) -> bool:
        return self.state in states.COMPLETE

    @property
    def streaming(self) -> bool:
        """Whether the body is a stream of events; it may have ended."""
        return self._decoder is not None

    @property
    def body(self) -> bytes:
        """The body so far, without its transfer encoding."""
        chunks = self.chunks
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    @property
    def last_event(self) -> str:
        """The id by which an event stream can be resumed; empty if there is none."""
        return "" if self._decoder is None else self._decoder.last_id.decode("latin-1")

    @property
    def retry_s(self) -> float:
        """How long to wait before an event stream is resumed: what it said, or a second."""
        retry_ms = None if self._decoder is None else self._decoder.retry_ms
        return 1.0 if retry_ms is None else retry_ms / 1e3

    @property
    def retry_after_s(self) -> float:
        """How long the target asks to be left alone; 0 if it does not."""
        return retry_after_s(self.header(b"retry-after"))

    @property
    def is_polled(self) -> bool:
        """Whether the server said when to resume the stream: then its end is intended."""
        return self._decoder is not None and self._decoder.retry_ms is not None

    def header(self, name: bytes) -> bytes:
        """Return the value of a header, by its lower-case name, or nothing."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return b""

    def redirected(self, request: bytes) -> str:
        """Say where a request is redirected to; empty if it is not."""
        if self.status not in _REDIRECTS:
            return ""
        asked = request[: request.find(b" HTTP/1.1")].partition(b"?")[0].decode()
        location = self.header(b"location").decode("latin-1")
        to = f"to {location}" if location else "without a Location header"
        return f"{asked} is redirected {to}"

    # What httptools calls. The head of an unasked message is ignored.

    def on_message_begin(self) -> None:
        self.state = states.NEXT[self.state][states.BEGIN]

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, but not one of a trailer."""
        if self.state is states.HEAD:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.state is states.STRAY:
            return
        self.status = self._parser.get_status_code()
        if self.status < 200:
            return
        self._framed = self.status in (204, 304)
        self.encoding = ""
        self._unpack, self._unpacked, self._fault = None, 0, None
        kind = states.PLAIN
        for key, value in self.headers:
            lowered = key.lower()
            if lowered == b"content-type":
                if value[:17].lower() == b"text/event-stream":
                    kind = states.STREAM
                    self._decoder = EventDecoder(self.event_names)
            elif lowered in (b"content-length", b"transfer-encoding"):
                self._framed = True
            elif lowered == b"content-encoding" and (names := codings(value)):
                self.encoding = ", ".join(names)
                self._unpack = unpacker(names)
                if self._unpack is not None:
                    self.encodings.add(self.encoding)
            elif lowered == b"set-cookie":
                self.set_cookies.append(value)
        self.state = states.NEXT[self.state][kind]

    def on_body(self, data: bytes) -> None:
        if self.encoding:
            data = self._unpacked_of(data)
        if self.state is states.EVENTS and self._decoder is not None:
            self.events.extend(self._decoder.feed(data))
        elif self.state is states.BODY:
            self.chunks.append(data)
        elif self.state is states.STRAY:
            self.unasked += data

    def _unpacked_of(self, data: bytes) -> bytes:
        """Unpack a piece of the body; after a fault, return nothing."""
        if self._unpack is None or self._fault is not None:
            unasked = f"Content-Encoding {self.encoding}, which mcp-perf did not ask for"
            self._fault = self._fault or EncodingError(f"{unasked} and cannot decode")
            return b""
        try:
            found = self._unpack(data, self.limit - self._unpacked + 1)
        except Exception as error:  # noqa: BLE001 -- each library raises other errors
            fault = f"Content-Encoding {self.encoding}: the body cannot be decoded ({error})"
            self._fault = EncodingError(fault)
            return b""
        self._unpacked += len(found)
        try:
            if self._unpacked > self.limit:
                self._fault = ReadError(f"the reply is larger than {self.limit} bytes{self.packed}")
            elif self._unpacked > SMALL:
                self._portion.hold(self.size + self._unpacked)
        except NoRoom as error:
            self._fault = error
        return b"" if self._fault is not None else found

    def on_message_complete(self) -> None:
        """Finish the response; after an interim one (1xx), another follows."""
        if self.state is states.STRAY:
            return
        if self.status < 200:
            self.headers = []
            self.state = states.NEXT[self.state][states.INTERIM]
        else:
            kept = self._parser.should_keep_alive()
            self.state = states.NEXT[self.state][states.WHOLE if kept else states.LAST]


def encode_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    """Encode header lines, each ended by CRLF.

    Raises ValueError on a header that could break out of its line, or is not Latin-1.
    """
    lines = []
    for name, value in headers:
        text = name + value
        if not name or "\r" in text or "\n" in text or "\0" in text or ":" in name or " " in name:
            raise ValueError(f"header {name!r} holds a character that HTTP does not allow")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("latin-1")


def retry_after_s(value: bytes, now_s: Callable[[], float] = time.time) -> float:
    """Return the seconds that Retry-After asks for (RFC 9110, section 10.2.3): a number, or a date.

    A date that has passed, a missing header and anything else count as 0. `now_s` is the time of
    day, because a date is one.
    """
    text = value.decode("latin-1").strip()
    if not text:
        return 0.0
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
        # Without a zone, as asctime writes it, a date is GMT (RFC 9110, section 5.6.7).
        return max(0.0, date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now_s())
    except (ValueError, OverflowError):
        return 0.0
