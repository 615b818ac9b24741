"""Opening and closing a session: as what is measured, each one call, and again after a failure."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from mcp_perf.client.errors import NO_SESSION, TargetError
from mcp_perf.client.http.dialing import Clock
from mcp_perf.client.mcp.attempt import Client
from mcp_perf.client.mcp.handshake import Terms
from mcp_perf.client.reply import Reply

FIRST_S: Final = 0.25
LONGEST_S: Final = 5.0


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
        """Open a session within; a failure of a `passing` kind is tried again at once.

        Raises TargetError: what happens within, or what happened the last time if it is too early.
        """
        left_s = (self._not_before_ns - self.clock()) / 1e9
        if self.last is not None and left_s > 0:
            early = type(self.last)(f"{self.last}; tried again in {left_s:.2g} s")
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
    """Open a new session: connection, and handshake where the version has one.

    A session that is still open, because what used it broke off, is dropped before.
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
