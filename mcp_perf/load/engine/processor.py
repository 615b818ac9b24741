"""What the machine's processors did: this process, the time that it waited for one, all of them.

Only Linux tells more than the CPU time of this process.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_SCHEDULED: Final = Path("/proc/self/schedstat")
"""Of the main thread, in ns: on a processor, and waiting for one (Documentation/scheduler)."""
_ALL: Final = Path("/proc/stat")
_IDLE: Final = (3, 4)
"""Of the first line of /proc/stat: idle, and idle while waiting for a disk."""


@dataclass(frozen=True, slots=True)
class Processors:
    """Seconds since some moment before; 0 where the system does not tell."""

    own_s: float
    """CPU time of this process."""
    waited_s: float
    """In which the main thread was ready to run, and no processor was free for it."""
    busy_s: float
    """In which processors were busy, for whomever; all of the machine's together."""

    @classmethod
    def now(cls, *, all_of_them: bool = True) -> Self:
        return cls(time.process_time(), _waited_s(), _busy_s() if all_of_them else 0.0)

    def since(self, before: "Processors") -> "Processors":
        return Processors(
            self.own_s - before.own_s,
            max(0.0, self.waited_s - before.waited_s),
            max(0.0, self.busy_s - before.busy_s),
        )


def cores() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return os.cpu_count() or 1


def waited_ns(schedstat: str) -> int:
    """Read the second number of a schedstat; 0 where there is none."""
    numbers = schedstat.split()
    return int(numbers[1]) if len(numbers) > 1 else 0


def busy_ticks(stat: str) -> int:
    """Read how long all processors have been busy, from /proc/stat, in clock ticks.

    Time as a guest is in that of the user already.
    """
    first = stat.partition("\n")[0].split()[1:9]
    return sum(int(ticks) for number, ticks in enumerate(first) if number not in _IDLE)


def _waited_s() -> float:
    try:
        return waited_ns(_SCHEDULED.read_text("ascii")) / 1e9
    except OSError:
        return 0.0


def _busy_s() -> float:
    try:
        return busy_ticks(_ALL.read_text("ascii")) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0
