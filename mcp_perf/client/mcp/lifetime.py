"""Opening and closing a session: each measured as one call, and tried again after a failure."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from mcp_perf.client.errors import NO_SESSION, TargetError
from mcp_perf.client.http.dialing import Clock
from mcp_perf.client.mcp.attempt import Client
from mcp_perf.client.mcp.handshake import Terms
from mcp_perf.client.reply import Reply, ignore

FIRST_S: Final = 0.25
LONGEST_S: Final = 5.0
_LEAST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 30.0
_OF_USE_S: Final = 10.0
"""A stream that lived longer was of use, even if nothing came: many proxies cut silent ones."""
OPENED: Final = "opened"
LIVED: Final = "lived"
GAP: Final = "gap"

StreamObserver = Callable[[str, int], None]
"""Hears of each stream: that it was `opened`, how long it `lived`, and the `gap` before it was
opened again, in ns; or the status by which it was refused."""


def pause_s(retry_s: float, barren: int) -> float:
    """Return how long to wait before a stream is opened again.

    Never less than the server asked for (`retry:`, Retry-After), and never less than a tenth of a
    second. `barren` is how many openings in a row brought nothing: from the second on the pause
    doubles, from a second up to half a minute.
    """
    backed_off_s = min(_LONGEST_PAUSE_S, 2.0 ** min(barren - 1, 9)) if barren else 0.0
    return max(retry_s, _LEAST_PAUSE_S, backed_off_s)


@dataclass(eq=False, slots=True)
class StreamOpenings:
    """When the next stream of a client may be opened, by how the ones before it fared.

    A stream is what the server sends unasked: the session's own, or that of a subscription.
    """

    clock: Clock
    observe: StreamObserver = ignore
    barren: int = 0
    """Openings in a row that brought nothing."""
    _ended_ns: int = 0
    _not_before_ns: int = 0

    @property
    def left_s(self) -> float:
        """How long the next one has to wait; 0 if it may be opened now."""
        return max(0.0, (self._not_before_ns - self.clock()) / 1e9)

    def opened(self) -> int:
        """Report a stream that is open, and the gap before it. Returns when it was opened."""
        now_ns = self.clock()
        self.observe(OPENED, 0)
        if self._ended_ns:
            self.observe(GAP, now_ns - self._ended_ns)
            self._ended_ns = 0
        return now_ns

    def ended(self, opened_ns: int, *, of_use: bool) -> bool:
        """Report a stream that the server ended; tell whether it was of use."""
        self._ended_ns = self.clock()
        self.observe(LIVED, self._ended_ns - opened_ns)
        return of_use or self._ended_ns - opened_ns > _OF_USE_S * 1e9

    def refused(self, status: int) -> None:
        self.observe(f"HTTP {status}", 0)

    def put_off(self, retry_s: float, *, of_use: bool = False) -> None:
        """Make the next one wait, at least as long as the server asked for."""
        self.barren = 0 if of_use else self.barren + 1
        self._not_before_ns = self.clock() + int(pause_s(retry_s, self.barren) * 1e9)


@dataclass(eq=False, slots=True)
class Openings:
    """When one client may try again to open a session.

    After the first failure at once, then after twice as long each time, up to 5 s; never before the
    target's own Retry-After. Until then calls fail with the last reason, and nothing is sent.
    """

    clock: Clock
    failed: int = 0
    """In a row."""
    last: TargetError | None = None
    _not_before_ns: int = 0

    @contextmanager
    def again(self, *passing: type[TargetError]) -> Iterator[None]:
        """Open a session within; after a failure of a `passing` kind, the next try need not wait.

        Raises TargetError: what happens within, or what happened the last time if it is too early.
        """
        left_s = (self._not_before_ns - self.clock()) / 1e9
        if self.last is not None and left_s > 0:
            early = type(self.last)(f"{self.last}; the next attempt is in {left_s:.2g} s")
            early.outcome, early.retry_after_s = self.last.outcome, left_s
            raise early
        try:
            yield
        except TargetError as error:
            if not isinstance(error, passing):
                self._put_off(error)
            raise
        self.forget()

    def forget(self) -> None:
        self.failed, self.last = 0, None

    def _put_off(self, error: TargetError) -> None:
        doublings = min(self.failed - 1, 10)
        pause_s = min(FIRST_S * 2**doublings, LONGEST_S) if self.failed else 0.0
        self.failed, self.last = self.failed + 1, error
        self._not_before_ns = self.clock() + int(max(pause_s, error.retry_after_s) * 1e9)


def open_session(client: Client) -> Reply:
    """Open a new session: connection, and handshake if the version has one.

    A session that is still open, because what used it broke off, is dropped first.
    """
    client.drop()
    return _timed(client.terms, client.begin, NO_SESSION)


def close_session(client: Client) -> Reply:
    """End the session."""
    return _timed(client.terms, client.leave, "not closed")


def _timed(terms: Terms, act: Callable[[], None], otherwise: str) -> Reply:
    received, sent = terms.setup_bytes
    reply = Reply(terms.clock())
    try:
        act()
    except TargetError as error:
        error.fail(reply, f"{otherwise}: {error}")
    reply.end_ns = terms.clock()
    reply.bytes_in = terms.setup_bytes[0] - received
    reply.bytes_out = terms.setup_bytes[1] - sent
    return reply
