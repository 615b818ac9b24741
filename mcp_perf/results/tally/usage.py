"""What the target used: in one turn, and over all turns of an arm."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Generic, TypeVar

from mcp_perf.results.journal.records import ResourceSample
from mcp_perf.results.stats.leaks import Growth, growth

N = TypeVar("N", int, float)
T = TypeVar("T")
KEPT: Final = 64
"""Memory readings of a turn that its median is taken from; a longer turn is thinned evenly."""


class Thinned(Generic[T]):
    """Evenly spaced values from a stream of any length: the longer it is, the wider the spacing."""

    def __init__(self, most: int) -> None:
        self.values: list[T] = []
        self._most = most
        self._stride = 1
        self._seen = 0

    def add(self, value: T) -> None:
        if self._seen % self._stride == 0:
            self.values.append(value)
            if len(self.values) > self._most:
                self.values = self.values[::2]
                self._stride *= 2
        self._seen += 1


@dataclass
class TurnUsage:
    """The readings of one turn; memory does not grow with their number."""

    first: ResourceSample | None = None
    last: ResourceSample | None = None
    max_rss: int | None = None
    max_threads: int | None = None
    max_fds: int | None = None
    max_processes: int | None = None
    _rss: Thinned[float] = field(default_factory=lambda: Thinned(KEPT))

    def add(self, sample: ResourceSample) -> None:
        self.first = self.first or sample
        self.last = sample
        self.max_rss = highest((self.max_rss, sample.rss_bytes))
        self.max_threads = highest((self.max_threads, sample.threads))
        self.max_fds = highest((self.max_fds, sample.fds))
        self.max_processes = highest((self.max_processes, sample.processes))
        if sample.rss_bytes is not None:
            self._rss.add(sample.rss_bytes)

    @property
    def seconds(self) -> float:
        return self.last.at_s - self.first.at_s if self.first and self.last else 0.0

    @property
    def cpu_s(self) -> float | None:
        """CPU time between the first reading and the last; None without two readings."""
        return used_s(self.first, self.last) if self.seconds > 0 else None

    @property
    def rss(self) -> float | None:
        """The median of the resident memory, in bytes."""
        return median(self._rss.values) if self._rss.values else None

    @property
    def middle_s(self) -> float:
        """The middle of the turn, in seconds since the run's start."""
        return self.first.at_s + self.seconds / 2 if self.first else 0.0


def highest(numbers: Iterable[N | None]) -> N | None:
    """Return the highest of the numbers that are known; None if none is."""
    return max((number for number in numbers if number is not None), default=None)


def used_s(before: ResourceSample | None, after: ResourceSample | None) -> float | None:
    """Return the CPU seconds between two readings; None if the counter began again."""
    if before is None or after is None or before.cpu_s is None or after.cpu_s is None:
        return None
    return after.cpu_s - before.cpu_s if after.cpu_s >= before.cpu_s else None


READ: Final[Mapping[str, Callable[[TurnUsage], float | None]]] = {
    "cpu": lambda turn: turn.cpu_s,
    "cpu_per_journey": lambda turn: turn.cpu_s,
    "rss": lambda turn: turn.max_rss,
    "rss_growth_per_hour": lambda turn: turn.rss,
    "threads": lambda turn: turn.max_threads,
    "fds": lambda turn: turn.max_fds,
}
"""The reading that a metric of the gates needs from each turn."""


@dataclass(frozen=True)
class Usage:
    """What an arm's target used over some of its turns."""

    turns: Sequence[TurnUsage]

    @property
    def sampled(self) -> bool:
        return any(turn.first is not None for turn in self.turns)

    @property
    def cpu(self) -> float | None:
        """CPU seconds per second, from the start to the end of each turn: 1 is one core."""
        known = [(turn.cpu_s, turn.seconds) for turn in self.turns if turn.cpu_s is not None]
        return sum(cpu_s for cpu_s, _ in known) / sum(s for _, s in known) if known else None

    @property
    def busiest(self) -> float | None:
        """How much of a core the busiest process used or waited for, if known."""
        used_s: defaultdict[str, float] = defaultdict(float)
        for first, last in ((turn.first, turn.last) for turn in self.turns):
            if first is not None and last is not None:
                for pid, cpu_s in last.by_process.items():
                    used_s[pid] += cpu_s - first.by_process.get(pid, 0.0)
        seconds = sum(turn.seconds for turn in self.turns)
        return max(used_s.values()) / seconds if used_s and seconds else None

    @property
    def cpu_s(self) -> float | None:
        """CPU seconds of all turns; None if they are not known for one of them."""
        known = [turn.cpu_s for turn in self.turns if turn.cpu_s is not None]
        return sum(known) if known and len(known) == len(self.turns) else None

    @property
    def growth(self) -> Growth:
        return growth([(turn.middle_s, turn.rss) for turn in self.turns if turn.rss is not None])

    @property
    def start_rss(self) -> int | None:
        """The first reading of the resident memory, in bytes."""
        return next((t.first.rss_bytes for t in self.turns if t.first is not None), None)

    @property
    def end_rss(self) -> int | None:
        """The last reading of the resident memory, in bytes."""
        return next((t.last.rss_bytes for t in reversed(self.turns) if t.last is not None), None)

    def unknown(self, metric: str) -> int:
        return sum(READ[metric](turn) is None for turn in self.turns)

    def most(self, read: Callable[[TurnUsage], int | None]) -> int | None:
        return highest(map(read, self.turns))
