"""A loop whose clock jumps to the next event: hours of waiting pass at once."""

import asyncio
import selectors
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
START = 1_800_000_000.0


class _Jumping(selectors.DefaultSelector):
    """Do not wait; return how long the wait would have been."""

    now = START

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:  # a thread is at work
            return super().select(0.05)
        ready = super().select(0)
        if not ready:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time starts at START, in seconds."""

    def __init__(self) -> None:
        self.clock = _Jumping()
        super().__init__(self.clock)
        self._clock_resolution = 1e-6  # the resolution of a float of this size

    def time(self) -> float:
        return self.clock.now


def run(main: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function in virtual time, which also applies to `time.time` and the like."""
    loop = VirtualLoop()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("time", "monotonic", "perf_counter"):
                patch.setattr(time, name, loop.time)
            return loop.run_until_complete(main())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
