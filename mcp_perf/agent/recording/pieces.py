"""Cuts bytes into messages within bounded memory: of a larger message, it keeps both edges."""

from collections.abc import Iterator
from typing import Final, NamedTuple

MOST: Final = 1 << 20
"""The most bytes of a message that is kept whole."""
_EDGE: Final = 4096


class Piece(NamedTuple):
    """A message, or the edges of one that is too large."""

    body: bytes
    size: int

    @property
    def whole(self) -> bool:
        return len(self.body) == self.size


class Gathered:
    """One message as it comes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._edges = b""
        self.size = 0

    def add(self, data: bytes, size: int | None = None) -> None:
        """Take more of it; `size` is how large that was, if its middle is missing."""
        self.size += len(data) if size is None else size
        if self.size <= MOST:
            self._parts.append(data)
            return
        known = (self._edges or b"".join(self._parts)) + data
        self._parts.clear()
        self._edges = known[:_EDGE] + known[_EDGE:][-_EDGE:]

    def take(self) -> Piece:
        """Return the message, and begin the next one."""
        piece = Piece(self._edges or b"".join(self._parts), self.size)
        self._parts, self._edges, self.size = [], b"", 0
        return piece


class LineCutter:
    """Cuts bytes into lines; each line is a message."""

    def __init__(self) -> None:
        self._line = Gathered()

    def feed(self, data: bytes) -> Iterator[Piece]:
        *ended, last = data.split(b"\n")
        for line in ended:
            self._line.add(line)
            yield self._line.take()
        if last:
            self._line.add(last)


class EventCutter:
    """Cuts bytes into the data of server-sent events, whatever the events are called.

    `client/http/sse.py` follows the standard more closely, but without a bound, as a client may.
    """

    def __init__(self) -> None:
        self._lines = LineCutter()
        self._data = Gathered()

    def feed(self, data: bytes) -> Iterator[Piece]:
        for line in self._lines.feed(data):
            body = line.body.removesuffix(b"\r")
            if body.startswith(b"data:"):
                kept = body[5:].removeprefix(b" ")
                size = line.size - len(line.body) + len(kept)
                self._data.add(b"\n" + kept if self._data.size else kept, size)
            elif not body and self._data.size:
                yield self._data.take()
