"""The generator watches itself: its CPU time, how late its own timers fire, and why.

Only Linux says what the processors did, and how long this process waited for one.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Self

import gevent

from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.journal.records import Health

PERIOD_S: Final = 0.05
STALL_S: Final = 0.05
"""A timer that is this late was held up: nothing of this process ran meanwhile."""
_SCHEDULED: Final = Path("/proc/self/schedstat")
"""The main thread's ns on a processor, and waiting for one (Documentation/scheduler)."""
_ALL: Final = Path("/proc/stat")
_IDLE: Final = (3, 4)
"""Fields in the first line of /proc/stat: idle, and idle while waiting for a disk."""


class Processors(NamedTuple):
    """Seconds since some earlier moment; 0 if the system does not say."""

    own_s: float
    """CPU time of this process."""
    waited_s: float
    """Time in which the main thread was ready to run, but no processor was free for it."""
    busy_s: float
    """Time in which processors were busy, for any process; the sum over the whole machine."""

    @classmethod
    def now(cls, *, all_of_them: bool = True) -> Self:
        return cls(time.process_time(), waited_s(), busy_s() if all_of_them else 0.0)

    def since(self, before: "Processors") -> "Processors":
        return Processors(*(max(0.0, new - old) for new, old in zip(self, before, strict=True)))


def cores() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return os.cpu_count() or 1


def waited_s(schedstat: Path = _SCHEDULED) -> float:
    """Return how long the main thread waited for a processor; 0 if the system does not say."""
    try:
        return int(schedstat.read_text("ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def busy_s(stat: Path = _ALL) -> float:
    """Return how long all processors were busy, guests included; 0 if the system does not say."""
    try:
        first = stat.read_text("ascii").partition("\n")[0].split()[1:9]
    except OSError:
        return 0.0
    ticks = (int(ticks) for number, ticks in enumerate(first) if number not in _IDLE)
    return sum(ticks) / os.sysconf("SC_CLK_TCK")


class Watch:
    """Measures this process from `start` on; `take` returns what is new since the last call."""

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
        """Count how late a timer was, and what the processors did since it was set.

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
