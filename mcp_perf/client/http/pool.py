"""The connections of one client: HTTP/1.1 carries one exchange at a time on each of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from mcp_perf.client.http.connection import Connection
from mcp_perf.client.http.cookies import Cookies
from mcp_perf.client.http.dialing import Clock, WaitFactory
from mcp_perf.client.http.encodings import packed
from mcp_perf.client.http.endpoint import Origin
from mcp_perf.client.http.states import EVENTS
from mcp_perf.client.reply import ignore

_PATIENCE_S: Final = 0.005
"""How long to wait for the end of a stream before the next call begins: most servers send it right
after the reply. After one wait in vain, there are no more waits."""
_MOST_LEFT: Final = 64
"""The most connections that only wait for the end of a stream; beyond that, one is closed."""


class Pool:
    """As many connections as there were exchanges at once; the last one used goes first.

    It needs no lock: taking and giving back are one step each, for threads and for greenlets.
    """

    __slots__ = ("_another", "_patience_s", "connections", "free")

    def __init__(
        self,
        origin: Origin,
        clock: Clock,
        waits: WaitFactory | None = None,
        unasked: Callable[[bytes], None] = ignore,
        cookies: Cookies | None = None,
    ) -> None:
        self._another: Final = partial(Connection, origin, clock, waits, unasked, cookies)
        self._patience_s = _PATIENCE_S
        self.connections: list[Connection] = []
        self.free: list[Connection] = []

    def take(self) -> Connection:
        """Return a connection that nobody uses, open or not; it has to be put back into `free`."""
        try:
            last = self.free.pop()
        except IndexError:
            return self._add()
        return last if last.reader.state is not EVENTS else self._other_than(last)

    def _other_than(self, last: Connection) -> Connection:
        """Return a connection whose last stream has ended.

        A server may end a stream long after its reply. No call waits for that: the next one takes
        another connection, and this one is used again after the stream's end.
        """
        if last.has_ended(self._patience_s):
            return last
        self._patience_s = 0.0
        for _ in range(len(self.free)):  # each is taken out while it is looked at
            self.free.insert(0, last)
            try:
                last = self.free.pop()
            except IndexError:  # others have taken them
                return self._add()
            if last.has_ended(0.0):
                return last
        if len(self.free) < _MOST_LEFT - 1:
            self.free.insert(0, last)
            return self._add()
        last.close()  # by now the oldest
        return last

    def _add(self) -> Connection:
        self.connections.append(made := self._another())
        return made

    @contextmanager
    def one(self) -> Iterator[Connection]:
        taken = self.take()
        try:
            yield taken
        finally:
            self.free.append(taken)

    def widen(self, number: int) -> None:
        for _ in range(number - len(self.connections)):
            self.free.insert(0, self._add())

    def ready(self, timeout_s: float) -> None:
        """Make sure that all are open and live. Raises ConnectError."""
        for connection in self.connections:
            connection.ready(timeout_s)

    def remarks(self) -> list[str]:
        return packed(set().union(*(one.reader.encodings for one in self.connections)))

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
