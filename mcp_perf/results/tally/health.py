"""The generator's own health: a number measured by a busy generator is about the generator."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.journal.records import Health, Slice


@dataclass(frozen=True, kw_only=True)
class GeneratorLimits:
    """The most that the generator may use; a scenario's `limits` have these names."""

    generator_cpu: float = 0.9
    """Fraction of one core, in a round or for five seconds in a row."""
    loop_lag_p99_ms: float = 5.0
    late_starts: float = 0.01
    """Fraction of all arrivals."""
    lost_time: float = 0.01
    """Fraction of an arm's measured time in stalls; 50 times it is the limit of one stall, in s."""

    @property
    def longest_stall_s(self) -> float:
        return 50 * self.lost_time

    def is_hot(self, cpu: float) -> bool:
        """Tell whether a process used too much of a core; a whole core is not a limit."""
        return self.generator_cpu < 1 and cpu > self.generator_cpu

    @classmethod
    def of(cls, limits: Mapping[str, float]) -> Self:
        """Return the limits of a run's record; limits that it does not name have their default."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in limits.items() if name in known})


@dataclass
class RoundHealth:
    """One process in one measured round, or in several."""

    arm: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0
    stalled_s: float = 0.0
    longest_stall_s: float = 0.0
    paused_s: float = 0.0
    waited_s: float = 0.0
    machine_s: float = 0.0
    late_starts: int = 0
    starts: int = 0
    cores: int = 0
    machine_cores: int = 0
    up_to_bell_s: float = 0.0
    """The part of `wall_s` before the bell; shares leave out the time after it."""
    cpu_to_bell_s: float = 0.0
    lost_s: float = 0.0
    """The time lost in stalls before the bell."""

    @property
    def cpu(self) -> float:
        return self.cpu_to_bell_s / self.up_to_bell_s if self.up_to_bell_s else 0.0

    @property
    def lost(self) -> float:
        return self.lost_s / self.up_to_bell_s if self.up_to_bell_s else 0.0

    def add(self, part: "Health | RoundHealth") -> None:
        self.cpu_s += part.cpu_s
        self.wall_s += part.wall_s
        self.stalled_s += part.stalled_s
        self.longest_stall_s = max(self.longest_stall_s, part.longest_stall_s)
        self.paused_s += part.paused_s
        self.waited_s += part.waited_s
        self.machine_s += part.machine_s
        self.late_starts += part.late_starts
        self.starts += part.starts
        self.cores = max(self.cores, part.cores)
        self.machine_cores = max(self.machine_cores, part.machine_cores)
        if isinstance(part, RoundHealth):
            self.up_to_bell_s += part.up_to_bell_s
            self.cpu_to_bell_s += part.cpu_to_bell_s
            self.lost_s += part.lost_s

    def is_broken(self, limits: GeneratorLimits) -> bool:
        """Tell whether this process was unfit to measure: its numbers are about itself."""
        return (
            limits.is_hot(self.cpu)
            or self.lost > limits.lost_time
            or self.longest_stall_s > limits.longest_stall_s
            or self.late_starts > limits.late_starts * self.starts
        )


@dataclass
class NodeHealth:
    """One process in the measured rounds."""

    lag: Histogram = field(default_factory=Histogram)
    hottest_s: float = 0.0
    """The longest time in a row above the limit of CPU, in the rounds of `hottest_arm`."""
    hottest_arm: str = ""
    rounds: dict[int, RoundHealth] = field(default_factory=dict)
    """By the number of the turn."""
    _hot_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def total(self) -> RoundHealth:
        return together(self.rounds.values())

    @property
    def late(self) -> float:
        """The share of starts that were late, a fraction."""
        total = self.total
        return total.late_starts / total.starts if total.starts else 0.0

    def add(self, part: Slice, arm: str, limits: GeneratorLimits) -> None:
        """Add one slice of a round of this arm; a cool slice ends the arm's hot time in a row.

        Arms are followed separately: with rounds shorter than five seconds, a fast target that
        saturates the generator would hide behind the pauses that a slow one gives it. From the
        drain only the longest stall counts: idle time there does not show that the process was
        idle before.
        """
        health = part.health
        own = self.rounds.setdefault(part.turn, RoundHealth(arm))
        own.add(health)
        self.lag.add_pairs(health.lag)
        if part.draining:
            return
        own.up_to_bell_s += health.wall_s
        own.cpu_to_bell_s += health.cpu_s
        own.lost_s += health.stalled_s
        hot = health.wall_s > 0 and limits.is_hot(health.cpu_s / health.wall_s)
        self._hot_s[arm] = self._hot_s[arm] + health.wall_s if hot else 0.0
        if self._hot_s[arm] > self.hottest_s:
            self.hottest_s, self.hottest_arm = self._hot_s[arm], arm


def together(rounds: Iterable[RoundHealth]) -> RoundHealth:
    """Return the sum of rounds of one process."""
    found = RoundHealth()
    for one in rounds:
        found.add(one)
    return found


@dataclass
class GeneratorHealth:
    """All processes in the measured rounds."""

    limits: GeneratorLimits = field(default_factory=GeneratorLimits)
    nodes: defaultdict[str, NodeHealth] = field(default_factory=lambda: defaultdict(NodeHealth))
    target_cpu_s: dict[int, float] = field(default_factory=dict)
    """What the target's processes on this machine used, by the number of the turn."""

    def add(self, part: Slice, arm: str) -> None:
        self.nodes[part.node].add(part, arm, self.limits)

    @property
    def broken_turns(self) -> set[int]:
        """The measured rounds in which a process was unfit to measure."""
        return {
            turn
            for node in self.nodes.values()
            for turn, found in node.rounds.items()
            if found.is_broken(self.limits)
        }

    @property
    def lost_s(self) -> float | None:
        """The time before the bells that the worst process lost; None if none was measured."""
        return max((one.lost_s for one in self._totals() if one.wall_s), default=None)

    @property
    def cpu_percent(self) -> float | None:
        """Mean CPU use of the busiest process, in per cent of one core; None if not measured."""
        used = (100 * one.cpu_s / one.wall_s for one in self._totals() if one.wall_s)
        return max(used, default=None)

    @property
    def cpu_s(self) -> float:
        return sum(one.cpu_s for one in self._totals())

    @property
    def late_starts(self) -> int:
        return sum(one.late_starts for one in self._totals())

    def _totals(self) -> list[RoundHealth]:
        return [node.total for node in self.nodes.values()]

    @property
    def loop_lag_p99_ms(self) -> float | None:
        """The 99th percentile of the lag, of the process with the worst."""
        measured = [node.lag.percentile(0.99) for node in self.nodes.values()]
        return max((ns / 1e6 for ns in measured if ns is not None), default=None)
