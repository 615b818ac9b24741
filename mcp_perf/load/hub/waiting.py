"""Waiting for replies on gevent's hub, without a timer and a failed read for every call.

gevent's `recv` first tries to read, which right after a request can only fail, and then starts a
timer that is hardly ever needed: together a tenth of a call's CPU. Here a call waits for its socket
alone, and one watchdog per process looks for calls whose time is used up.
"""

import time
from collections.abc import Callable
from typing import Any, Final

import gevent

PERIOD_S: Final = 0.02
"""A timeout may come this much late; it never comes early."""
_READ: Final = 1


class Watchdog:
    """Ends waits that are overdue."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.waiting: dict[Any, float] = {}
        """Watcher -> when its wait is over, by the clock."""
        self._greenlet: gevent.Greenlet | None = None

    def wait_for(self, descriptor: int) -> "Readable":
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._watch)
        return Readable(self, descriptor)

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def _watch(self) -> None:
        hub = gevent.get_hub()
        while True:
            gevent.sleep(PERIOD_S)
            now = self.clock()
            for watcher in [watcher for watcher, end in self.waiting.items() if end <= now]:
                hub.cancel_wait(watcher, TimeoutError("timed out"))


class Readable:
    """Waits until one descriptor is readable."""

    __slots__ = ("_hub", "_watchdog", "_watcher")

    def __init__(self, watchdog: Watchdog, descriptor: int) -> None:
        self._hub = gevent.get_hub()
        self._watchdog = watchdog
        self._watcher = self._hub.loop.io(descriptor, _READ)

    def __call__(self, timeout_s: float) -> None:
        watchdog, watcher = self._watchdog, self._watcher
        watchdog.waiting[watcher] = watchdog.clock() + timeout_s
        try:
            self._hub.wait(watcher)
        finally:
            del watchdog.waiting[watcher]

    def close(self) -> None:
        self._watcher.close()
