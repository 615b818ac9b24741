"""The generator's own health: a number measured by a busy generator is about the generator."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.journal.records import Slice


@dataclass(frozen=True, kw_only=True)
class GeneratorLimits:
    """What the generator may use at most; a scenario's `limits` have these names."""

    generator_cpu: float = 0.9
    """Of one core, for five seconds in a row."""
    loop_lag_p99_ms: float = 5.0
    late_starts: float = 0.01
    """Of all starts."""

    @classmethod
    def of(cls, limits: Mapping[str, float]) -> Self:
        """Take the limits of a run's record; what it does not name has its default."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in limits.items() if name in known})


@dataclass
class NodeHealth:
    """One process in the measured rounds."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    lag: Histogram = field(default_factory=Histogram)
    late_starts: int = 0
    starts: int = 0
    hottest_s: float = 0.0
    """The longest time in a row above the limit of CPU, in the rounds of `hottest_arm`."""
    hottest_arm: str = ""
    _hot_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def cpu(self) -> float | None:
        """Mean CPU use, a fraction of one core; None when nothing was measured."""
        return self.cpu_s / self.wall_s if self.wall_s > 0 else None

    @property
    def late(self) -> float:
        """Late starts among all, a fraction."""
        return self.late_starts / self.starts if self.starts else 0.0

    def add(self, part: Slice, arm: str, cpu_limit: float) -> None:
        """Add one slice of a round of this arm; a cool one ends the arm's time in a row.

        Arms are followed apart: with rounds shorter than five seconds, a fast target that
        saturates the generator would hide behind the pauses that a slow one gives it.
        """
        health = part.health
        self.cpu_s += health.cpu_s
        self.wall_s += health.wall_s
        self.lag.add_pairs(health.lag)
        self.late_starts += health.late_starts
        self.starts += health.starts
        hot = health.cpu_s > cpu_limit * health.wall_s
        self._hot_s[arm] = self._hot_s[arm] + health.wall_s if hot else 0.0
        if self._hot_s[arm] > self.hottest_s:
            self.hottest_s, self.hottest_arm = self._hot_s[arm], arm


@dataclass
class GeneratorHealth:
    """All processes in the measured rounds."""

    limits: GeneratorLimits = field(default_factory=GeneratorLimits)
    nodes: defaultdict[str, NodeHealth] = field(default_factory=lambda: defaultdict(NodeHealth))

    def add(self, part: Slice, arm: str) -> None:
        self.nodes[part.node].add(part, arm, self.limits.generator_cpu)

    @property
    def cpu_percent(self) -> float | None:
        """Mean CPU use of the busiest process, of one core."""
        measured = [node.cpu for node in self.nodes.values()]
        return max((100 * cpu for cpu in measured if cpu is not None), default=None)

    @property
    def cpu_s(self) -> float:
        return sum(node.cpu_s for node in self.nodes.values())

    @property
    def late_starts(self) -> int:
        return sum(node.late_starts for node in self.nodes.values())

    @property
    def loop_lag_p99_ms(self) -> float | None:
        """The 99th percentile of the lag, of the process where it is worst."""
        measured = [node.lag.percentile(0.99) for node in self.nodes.values()]
        return max((ns / 1e6 for ns in measured if ns is not None), default=None)
