"""Server-sent events without I/O: bytes in, the data of message events out.

It follows the WHATWG HTML standard, section 9.2.6 "Interpreting an event stream", as far as MCP
uses it: comments and unknown fields are skipped; a line ends with CR, LF or CRLF.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

MESSAGES: Final[Collection[bytes]] = (b"", b"message")
_END: Final = b"\r\n0\r\n\r\n"
"""The end of the last chunk with data, and the chunk without data that ends a body."""
_FORMS: Final = ((b"event: message\ndata: ", b"\n\n"), (b"event: message\r\ndata: ", b"\r\n\r\n"))
"""How servers write an event: the TypeScript SDK and our systems, and the Python SDK."""


def only_event(body: bytes) -> bytes | None:
    """Return the data of a chunked body (RFC 9112, section 7.1) that is one event in one chunk.

    None if it is anything else, or is not written as most servers write it: then it is decoded
    piece by piece.
    """
    size, _, rest = body.partition(b"\r\n")
    event = rest.removesuffix(_END)
    if len(event) == len(rest) or size.lower() != b"%x" % len(event):
        return None
    for start, end in _FORMS:
        if event.startswith(start) and event.endswith(end):
            data = event[len(start) : -len(end)]
            return None if b"\n" in data or b"\r" in data else data
    return None


@dataclass(eq=False, slots=True)
class EventDecoder:
    """Decode one stream, fed in pieces of any size; events of other names are left out."""

    names: Collection[bytes] = MESSAGES
    last_id: bytes = b""
    """The id of the last whole event, from which the stream can be resumed."""
    retry_ms: int | None = None
    """How long to wait before resuming it, if the server said so."""
    _pieces: list[bytes] = field(default_factory=list)
    """The beginning of a line whose end has not come."""
    _data: list[bytes] = field(default_factory=list)
    _name: bytes = b""
    _skip_lf: bool = False
    _started: bool = False
    _id: bytes = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of the message events that this piece completes."""
        if self._skip_lf and chunk:
            self._skip_lf = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        if self._started and b"\n" not in chunk and b"\r" not in chunk:
            # Joined only when a line ends: a long line in many pieces is copied once.
            self._pieces.append(chunk)
            return []
        buffer = b"".join((*self._pieces, chunk)) if self._pieces else chunk
        self._pieces.clear()
        if not self._started:
            buffer = self._without_bom(buffer)
        lines = buffer.splitlines(keepends=True)
        if lines and lines[-1][-1] not in b"\r\n":
            self._pieces.append(lines.pop())
        elif lines and lines[-1][-1] == 0x0D:
            self._skip_lf = True  # its LF, if there is one, comes with the next piece
        events: list[bytes] = []
        for line in lines:
            self._line(line.rstrip(b"\r\n"), events)
        return events

    def _without_bom(self, buffer: bytes) -> bytes:
        if len(buffer) >= 3:
            self._started = True
            return buffer.removeprefix(b"\xef\xbb\xbf")
        self._started = not b"\xef\xbb\xbf".startswith(buffer)
        return buffer

    def _line(self, line: bytes, events: list[bytes]) -> None:
        if not line:
            if self._data and self._name in self.names:
                events.append(b"\n".join(self._data))
            self._data = []
            self._name = b""
            self.last_id = self._id
            return
        field, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value
        elif field == b"id" and b"\0" not in value:
            self._id = value
        elif field == b"retry" and value.isdigit():
            self.retry_ms = int(value[:9])
