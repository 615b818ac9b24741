"""Timers precise to some microseconds.

Event loops keep time in whole milliseconds (epoll's unit): under concurrency, asyncio wakes up to
1 ms late, uvloop up to 1 ms early or late. A server that promises a service time needs better. On
Linux, one timerfd that is armed for the earliest deadline wakes the loop.
"""

import asyncio
import contextlib
import ctypes
import heapq
import itertools
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

_NS_PER_S: Final = 1_000_000_000
_CLOCK_MONOTONIC: Final = 1
_TFD_NONBLOCK: Final = os.O_NONBLOCK
_TFD_TIMER_ABSTIME: Final = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Timer:
    """Call functions after a delay. Belongs to one running event loop; close it there."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._due: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = itertools.count()
        self._armed_ns = 0
        self._libc = ctypes.CDLL(None) if sys.platform == "linux" else None
        self._fd = -1
        if self._libc is not None:
            self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK)
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._woken)

    def call_later(self, delay_s: float, callback: Callable[..., object], *args: Any) -> None:
        if self._fd < 0:
            self._loop.call_later(delay_s, callback, *args)
            return
        due_ns = time.monotonic_ns() + int(delay_s * _NS_PER_S)
        heapq.heappush(self._due, (due_ns, next(self._order), callback, args))
        self._arm()

    async def sleep(self, delay_s: float) -> None:
        """Wait for `delay_s` seconds."""
        done = self._loop.create_future()
        self.call_later(delay_s, _resolve, done)
        await done

    def close(self) -> None:
        """Forget all pending calls and release the descriptor."""
        self._due.clear()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _arm(self) -> None:
        first_ns = self._due[0][0]
        if self._libc is None or first_ns == self._armed_ns:
            return
        self._armed_ns = first_ns
        at = _Timespec(first_ns // _NS_PER_S, first_ns % _NS_PER_S)
        setting = ctypes.byref(_Itimerspec(_Timespec(0, 0), at))
        self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, setting, None)

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._fd, 8)
        now_ns = time.monotonic_ns()
        while self._due and self._due[0][0] <= now_ns:
            _, _, callback, args = heapq.heappop(self._due)
            callback(*args)
        self._armed_ns = 0
        if self._due:
            self._arm()


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
