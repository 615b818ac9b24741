"""The generator watches itself: its CPU time, how late its own timers fire, and why."""

import os
import time
from collections.abc import Callable
from typing import Final

import gevent

from mcp_perf.load.engine.processor import Processors, cores
from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.journal.records import Health

PERIOD_S: Final = 0.05
STALL_S: Final = 0.05
"""A timer that is so late was held up: nothing of this process ran meanwhile."""


class Watch:
    """Measures this process from `start` on; `take` returns what came since the last time."""

    def __init__(
        self,
        clock: Callable[[], int] = time.perf_counter_ns,
        processors: Callable[..., Processors] = Processors.now,
    ) -> None:
        self._clock = clock
        self._processors = processors
        self._lag = Histogram()
        self._stalled_s = self._longest_s = self._paused_s = 0.0
        self._before = processors()
        self._wall_ns = clock()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._measure_lag)
        self.take()

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()

    def take(self) -> Health:
        """Return CPU, wall time, lag and stalls since the last call."""
        now, wall_ns = self._processors(), self._clock()
        used = now.since(self._before)
        health = Health(
            cpu_s=used.own_s,
            wall_s=(wall_ns - self._wall_ns) / 1e9,
            lag=self._lag.pairs(),
            stalled_s=self._stalled_s,
            longest_stall_s=self._longest_s,
            paused_s=self._paused_s,
            waited_s=used.waited_s,
            machine_s=used.busy_s,
            cores=cores(),
            machine_cores=os.cpu_count() or 0,
        )
        self._before, self._wall_ns, self._lag = now, wall_ns, Histogram()
        self._stalled_s = self._longest_s = self._paused_s = 0.0
        return health

    def woke(self, late_ns: int, used: Processors) -> None:
        """Take in by how much a timer was late, and what the processors did since it was set.

        A stall in which this process neither ran nor waited for a processor was a pause.
        """
        self._lag.record(late_ns)
        late_s = late_ns / 1e9
        if late_s >= STALL_S:
            self._stalled_s += late_s
            self._longest_s = max(self._longest_s, late_s)
            self._paused_s += max(0.0, late_s - used.own_s - used.waited_s)

    def _measure_lag(self) -> None:
        while True:
            before = self._processors(all_of_them=False)
            due_ns = self._clock() + int(PERIOD_S * 1e9)
            gevent.sleep(PERIOD_S)
            late_ns = max(0, self._clock() - due_ns)
            self.woke(late_ns, self._processors(all_of_them=False).since(before))
