"""One turn: what each node recorded while one arm ran alone."""

from collections import Counter
from dataclasses import dataclass, field

from mcp_perf.outcomes import ENDED, OK
from mcp_perf.results.journal.records import Slice, TurnEnded, TurnStarted, UpstreamUse
from mcp_perf.results.tally.groups import CALL, JOURNEY, Tally
from mcp_perf.results.tally.health import GeneratorLimits
from mcp_perf.results.tally.usage import TurnUsage


@dataclass
class Share:
    """A node's part of a turn."""

    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Ended calls, and journeys with every step ok, by kind and name: the numerators of rates.

    In an open load without those that ended in the drain: their turn's time was over."""
    journey_ns: int = 0
    active: bool = False
    observed_s: float = 0.0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    starts: int = 0
    late_starts: int = 0
    ended: TurnEnded | None = None

    @property
    def busy_s(self) -> float:
        """The denominator of rates; what was observed if the turn was cut off."""
        return self.observed_s if self.ended is None else self.ended.busy_s

    def overtaxed(self, limits: GeneratorLimits) -> bool:
        late = self.late_starts > limits.late_starts * self.starts
        return late or self.cpu_s > limits.generator_cpu * self.wall_s


@dataclass
class RecordedTurn:
    """What all nodes recorded in one turn."""

    started: TurnStarted
    parts: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    """By kind, name and class."""
    shares: dict[str, Share] = field(default_factory=dict)
    usage: TurnUsage = field(default_factory=TurnUsage)
    upstream: UpstreamUse | None = None

    @property
    def measured(self) -> bool:
        """Whether it counts: a round, not the warm-up."""
        return self.started.phase == "round"

    @property
    def finished(self) -> bool:
        """Whether the calls of every node that made some have drained."""
        ended = [share.ended is not None for share in self.shares.values() if share.active]
        return bool(ended) and all(ended)

    @property
    def missing_users(self) -> int:
        """How many of the planned users took no part, in a turn that ended on every node."""
        present = sum(share.ended.users for share in self.shares.values() if share.ended)
        return max(0, self.started.users - present) if self.finished else 0

    @property
    def seconds(self) -> float:
        """Mean busy time of a user; of a node where it is not known how many users there were."""
        ends = [share.ended for share in self.shares.values() if share.ended]
        users = sum(end.users for end in ends)
        if users:
            return sum(end.users * end.busy_s for end in ends) / users
        return max((share.busy_s for share in self.shares.values()), default=0.0)

    def share(self, node: str) -> Share:
        return self.shares.setdefault(node, Share())

    def add(self, part: Slice) -> None:
        share = self.share(part.node)
        share.observed_s += part.seconds
        share.starts += part.health.starts
        share.late_starts += part.health.late_starts
        if not part.draining:
            share.cpu_s += part.health.cpu_s
            share.wall_s += part.health.wall_s
        for cell in part.cells:
            share.active = True
            self.parts.setdefault((cell.kind, cell.name, cell.cls), Tally()).add(cell)
            if cell.kind == JOURNEY:
                share.journey_ns += cell.total_ns
            if not part.draining and cell.cls in (ENDED if cell.kind == CALL else (OK,)):
                share.done[cell.kind, cell.name] += cell.n

    def end(self, record: TurnEnded) -> None:
        share = self.share(record.node)
        share.active = True
        share.ended = record
