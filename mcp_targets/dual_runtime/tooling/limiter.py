"""A limit on concurrent calls; of the waiting ones, the highest priority goes next."""

import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


class PriorityLimiter:
    """Slots on one event loop; 0 slots means no limit."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._free = slots
        self._waiting: list[tuple[int, int, anyio.Event]] = []
        self._order = itertools.count()

    @asynccontextmanager
    async def slot(self, priority: int) -> AsyncIterator[None]:
        """Hold a slot; calls of equal priority are served in order of arrival."""
        if self._slots:
            await self._take(priority)
        try:
            yield
        finally:
            if self._slots:
                self._give()

    async def _take(self, priority: int) -> None:
        if self._free:
            self._free -= 1
            return
        granted = anyio.Event()
        entry = (-priority, next(self._order), granted)
        heapq.heappush(self._waiting, entry)
        try:
            await granted.wait()
        except BaseException:
            if granted.is_set():
                self._give()
            else:
                self._waiting.remove(entry)
                heapq.heapify(self._waiting)
            raise

    def _give(self) -> None:
        if self._waiting:
            heapq.heappop(self._waiting)[2].set()
        else:
            self._free += 1
