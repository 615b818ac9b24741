"""Waiting for replies on gevent's hub, without a timer and a failed read for every call.

gevent's `recv` first tries to read, which can only fail right after a request, and then starts a
timer that is hardly ever needed: together a tenth of a call's CPU. Here a call only waits for its
socket, with one switch, and one watchdog per process looks for calls whose time is up.
"""

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import gevent

PERIOD_S: Final = 0.02
"""A timeout may come this much late; it never comes early."""
_READ: Final = 1
_NEVER: Final = 1 << 63
T = TypeVar("T")


class Watchdog:
    """Ends overdue waits."""

    def __init__(self, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self.readables: set[Readable] = set()
        self._clock = clock
        self._greenlet: gevent.Greenlet | None = None

    def wait_for(self, descriptor: int) -> "Readable":
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._watch)
        readable = Readable(self, descriptor)
        self.readables.add(readable)
        return readable

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def _watch(self) -> None:
        while True:
            gevent.sleep(PERIOD_S)
            now_ns = self._clock()
            for readable in list(self.readables):
                if readable.deadline_ns <= now_ns:
                    readable.expire(now_ns)


class Readable:
    """Waits until one descriptor is readable; for one greenlet at a time."""

    __slots__ = ("_greenlet", "_hub", "_watchdog", "_watcher", "deadline_ns")

    def __init__(self, watchdog: Watchdog, descriptor: int) -> None:
        self.deadline_ns = _NEVER
        """When the current wait times out, by the watchdog's clock."""
        self._hub = gevent.get_hub()
        self._watchdog = watchdog
        self._watcher = self._hub.loop.io(descriptor, _READ)
        self._greenlet: Any = None

    def __call__(self, deadline_ns: int) -> None:
        self._greenlet = greenlet = gevent.getcurrent()
        self.deadline_ns = deadline_ns
        # The hub switches to this greenlet directly, and only while this wait goes on.
        self._watcher.start(greenlet.switch)
        try:
            self._hub.switch()
        finally:
            self.deadline_ns = _NEVER
            self._watcher.stop()

    def expire(self, now_ns: int) -> None:
        """End the wait from the hub, unless it has ended by then."""
        self._hub.loop.run_callback(self._expire, now_ns)

    def close(self) -> None:
        self._watchdog.readables.discard(self)
        self._watcher.close()

    def _expire(self, now_ns: int) -> None:
        if self.deadline_ns <= now_ns:
            self._greenlet.throw(TimeoutError("timed out"))


def in_a_thread(act: Callable[[], T]) -> T:
    """Do something off the hub; raise what it raises.

    If an exception leaves a thread of gevent's pool, gevent prints its traceback as well.
    """
    done, error = gevent.get_hub().threadpool.apply(caught, (act,))
    if error is not None:
        raise error
    result: T = done
    return result


def caught(act: Callable[..., Any], *given: Any) -> tuple[Any, Exception | None]:
    """Return what an act returns, and what it raises: if it left here, gevent would print it."""
    try:
        return act(*given), None
    except Exception as error:  # noqa: BLE001 -- the greenlet that waits raises it again
        return None, error
