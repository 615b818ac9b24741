"""The connections of one client: HTTP/1.1 carries one exchange at a time on each of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from mcp_perf.client.http.connection import Connection
from mcp_perf.client.http.dialing import Clock, WaitFactory
from mcp_perf.client.http.endpoint import Origin


class Pool:
    """As many connections as there were exchanges at once; the last one that was used goes first.

    No lock: taking and giving back are one step each, for threads as for greenlets.
    """

    __slots__ = ("_another", "connections", "free")

    def __init__(self, origin: Origin, clock: Clock, waits: WaitFactory | None = None) -> None:
        self._another: Final = partial(Connection, origin, clock, waits)
        self.connections: list[Connection] = []
        self.free: list[Connection] = []

    def take(self) -> Connection:
        """Return a connection that nobody uses, open or not; it has to be put back into `free`."""
        try:
            return self.free.pop()
        except IndexError:
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
            self.connections.append(made := self._another())
            self.free.insert(0, made)

    def ready(self, timeout_s: float) -> None:
        """Make sure that all are open and live. Raises ConnectError."""
        for connection in self.connections:
            connection.ready(timeout_s)

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
