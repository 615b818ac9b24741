"""Sleeping until an exact moment, within tens of microseconds instead of a millisecond.

libev waits with epoll, whose timeouts are whole milliseconds. A timerfd (Linux) wakes the hub as a
socket does, but by the kernel's fine timer.
"""

import ctypes
import os
import struct
import sys
import time
from typing import Any, Final

import gevent

_MONOTONIC: Final = 1
_NONBLOCK: Final = 0o4000
_ABSOLUTE: Final = 1
_READ: Final = 1


class Alarm:
    """Wakes one greenlet at moments of `time.perf_counter_ns`."""

    def __init__(self) -> None:
        self._hub = gevent.get_hub()
        self._libc: Any = None
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._descriptor = self._libc.timerfd_create(_MONOTONIC, _NONBLOCK)
            if self._descriptor < 0:
                self._libc = None
            else:
                self._watcher = self._hub.loop.io(self._descriptor, _READ)

    def wait_until(self, at_ns: int) -> None:
        """Return at this moment, or at once if it has passed."""
        left_ns = at_ns - time.perf_counter_ns()
        if left_ns <= 0:
            return
        if self._libc is None:
            gevent.sleep(left_ns / 1e9)
            return
        # perf_counter is CLOCK_MONOTONIC on Linux, so the moment itself can be set.
        when = struct.pack("qqqq", 0, 0, *divmod(at_ns, 1_000_000_000))
        self._libc.timerfd_settime(self._descriptor, _ABSOLUTE, when, None)
        self._hub.wait(self._watcher)
        os.read(self._descriptor, 8)

    def close(self) -> None:
        if self._libc is not None:
            self._watcher.close()
            os.close(self._descriptor)
            self._libc = None
