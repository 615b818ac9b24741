"""The generator watches itself: its CPU time, and how late its own timers fire."""

import time
from typing import Final

import gevent

from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.journal.records import Health

PERIOD_S: Final = 0.05


class Watch:
    """Measures this process from `start` on; `take` returns what came since the last time."""

    def __init__(self) -> None:
        self._lag = Histogram()
        self._cpu_s = time.process_time()
        self._wall_ns = time.perf_counter_ns()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._measure_lag)
        self.take()

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()

    def take(self) -> Health:
        """Return CPU, wall time and lag since the last call."""
        cpu_s, wall_ns, lag = time.process_time(), time.perf_counter_ns(), self._lag
        health = Health(
            cpu_s=cpu_s - self._cpu_s, wall_s=(wall_ns - self._wall_ns) / 1e9, lag=lag.pairs()
        )
        self._cpu_s, self._wall_ns, self._lag = cpu_s, wall_ns, Histogram()
        return health

    def _measure_lag(self) -> None:
        while True:
            due_ns = time.perf_counter_ns() + int(PERIOD_S * 1e9)
            gevent.sleep(PERIOD_S)
            self._lag.record(max(0, time.perf_counter_ns() - due_ns))
