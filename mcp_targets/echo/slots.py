"""A server that works on so many calls at once: the others queue, first come, first served."""

import heapq
import time
from collections.abc import Callable


class Slots:
    """So many slots, each with one call at a time; the capacity is their number / service time.

    Service times are known when a call comes, and so is the moment at which each slot is free: no
    queue is kept, only these moments. A call whose client has left keeps its slot, as in a server
    that does not notice.
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
