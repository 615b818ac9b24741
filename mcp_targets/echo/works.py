"""Calls whose tool takes time: counting, cancelling and queueing them."""

import asyncio
import heapq
import time
from collections.abc import Callable

from mcp_targets.echo.rpc import Id
from mcp_targets.serving.httpd import Reply, Request, Timer

Key = tuple[bytes, Id]
"""Identifies a request: its session and its id."""


class Work:
    """One such call, from its request to its end; it also ends when its client disconnects."""

    def __init__(self, request: Request, *, streams: bool) -> None:
        self.stopped = False
        self._request = request
        self._streams = streams
        self._alarm: asyncio.Future[None] | None = None

    def stop(self, refusal: Reply) -> None:
        """End the call with an error. A stream ends after its current pause, which ends now."""
        self.stopped = True
        if not self._streams:
            if self._request.answer_now is not None:
                self._request.answer_now(refusal)
        elif self._alarm is not None:
            _ring(self._alarm)

    async def pause(self, timer: Timer, seconds: float) -> None:
        """Wait, unless the call is stopped."""
        if seconds and not self.stopped:
            self._alarm = asyncio.get_running_loop().create_future()
            timer.call_later(seconds, _ring, self._alarm)
            await self._alarm


class Works:
    """All such calls of a server."""

    def __init__(self) -> None:
        self.running = 0
        self.cancelled = 0
        self._open: dict[Key, Work] = {}

    def begin(self, request: Request, key: Key, lasts_s: float, *, streams: bool) -> Work:
        """Add a call. If it ends before its time, it counts as cancelled."""
        work = Work(request, streams=streams)
        if key[0]:  # without a session, nobody can refer to it
            self._open[key] = work
        due_s = time.monotonic() + lasts_s
        self.running += 1

        def done() -> None:
            self.running -= 1
            self.cancelled += time.monotonic() < due_s
            if self._open.get(key) is work:
                del self._open[key]

        request.done = done
        return work

    def cancel(self, key: Key, refusal: Reply) -> None:
        """Stop the work on a request. If it is unknown, it has ended: do nothing."""
        work = self._open.get(key)
        if work is not None:
            work.stop(refusal)


def _ring(alarm: "asyncio.Future[None]") -> None:
    if not alarm.done():
        alarm.set_result(None)


class Slots:
    """Slots with one call at a time each; the capacity is number of slots / service time.

    Service times are known when a call arrives, and so is the moment at which each slot becomes
    free. These moments are kept, not a queue. A call keeps its slot when its client disconnects, as
    in a server that does not notice.
    """

    def __init__(self, number: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._free_at_s = [0.0] * number
        self._clock = clock

    def take(self, service_s: float) -> float:
        """Take the slot that is free first; return the seconds until the call is done."""
        now_s = self._clock()
        end_s = max(now_s, self._free_at_s[0]) + service_s
        heapq.heapreplace(self._free_at_s, end_s)
        return end_s - now_s
