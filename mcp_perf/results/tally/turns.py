"""One turn: what each node recorded while one arm ran alone."""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from mcp_perf.outcomes import ENDED, OK
from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.journal.records import Slice, TurnEnded, TurnStarted, UpstreamUse
from mcp_perf.results.stats.windows import Moments, stretch
from mcp_perf.results.tally.groups import CALL, JOURNEY, START, Tally
from mcp_perf.results.tally.usage import TurnUsage
from mcp_perf.scenario.model.gates import Focus

MOST_DROPPED: Final = 0.01
"""Share of the planned arrivals; with more, the target did not take the load that it should."""


class CellKey(NamedTuple):
    """The key under which calls of a turn are counted together."""

    kind: str
    name: str
    cls: str
    journey: str
    tool: str

    def within(self, focus: Focus) -> bool:
        if self.kind in (JOURNEY, START):
            return focus.has("", self.name, "")
        return focus.has(self.name, self.journey, self.tool)


@dataclass
class Share:
    """A node's part of a turn."""

    done: Counter[CellKey] = field(default_factory=Counter)
    """Ended calls."""
    active: bool = False
    observed_s: float = 0.0
    ended: TurnEnded | None = None

    @property
    def busy_s(self) -> float:
        """The denominator of rates before the stretch; the observed time if it was cut off."""
        return self.observed_s if self.ended is None else self.ended.busy_s


@dataclass
class RecordedTurn:
    """What all nodes recorded in one turn."""

    started: TurnStarted
    parts: dict[CellKey, Tally] = field(default_factory=lambda: defaultdict(Tally))
    shares: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    usage: TurnUsage = field(default_factory=TurnUsage)
    upstream: UpstreamUse | None = None
    begun_at: Moments = field(default_factory=Moments)
    """When journeys of an open load began, from the start of the turn."""
    ended_at: Moments = field(default_factory=Moments)
    """When journeys ended, likewise."""
    done: int = 0
    """Journeys with every step ok."""
    in_time: int = 0
    """Those journeys that did not end in the drain of an open load."""
    whole: "RecordedTurn | None" = None
    """The whole turn, if this is the part of one tool, step or journey."""

    def within(self, focus: Focus) -> "RecordedTurn":
        """Return the part of one tool, step or journey; its time is that of the whole turn."""
        if not focus.kind or focus.arm != self.started.arm:
            return self
        parts = {what: part for what, part in self.parts.items() if what.within(focus)}
        return replace(self, parts=parts, whole=self)

    @property
    def measured(self) -> bool:
        """Whether it counts: a round, not the warm-up."""
        return self.started.phase == "round"

    @property
    def ends(self) -> list[TurnEnded]:
        """The records of all nodes that ended the turn."""
        return [share.ended for share in self.shares.values() if share.ended]

    @property
    def finished(self) -> bool:
        """Whether the calls of every node that made calls have drained."""
        ended = [share.ended is not None for share in self.shares.values() if share.active]
        return bool(ended) and all(ended)

    @property
    def missing_users(self) -> int:
        """How many of the planned users took no part, in a turn that ended on every node."""
        present = sum(end.users for end in self.ends)
        return max(0, self.started.users - present) if self.finished else 0

    @property
    def seconds(self) -> float:
        """Mean busy time of a user; if the number of users is not known, the longest of a node."""
        users = sum(end.users for end in self.ends)
        if users:
            one_s = self.ends[0].busy_s  # keeps equal times exact
            return one_s + sum(end.users * (end.busy_s - one_s) for end in self.ends) / users
        return max((share.busy_s for share in self.shares.values()), default=0.0)

    @property
    def observed_s(self) -> float:
        """The longest time that a node recorded."""
        return max((share.observed_s for share in self.shares.values()), default=0.0)

    @property
    def stretch(self) -> float:
        """The time in which the target served its journeys, over the turn's length.

        1 in a closed load, because the time of its users is known. In an open load it is at most
        the value that gives the rate of the journeys that ended in time. That value is also used
        if arrivals were dropped or the stretch is not known: then the last journeys get as much
        time as the first one took.
        """
        if self.whole is not None:
            return self.whole.stretch
        if not self.started.rate or self.in_time == self.done:
            return 1.0
        most = self.done / self.in_time if self.in_time else math.inf
        planned = sum(end.planned for end in self.ends)
        dropped = sum(end.dropped for end in self.ends) > MOST_DROPPED * planned
        found = None if dropped else stretch(self.begun_at, self.ended_at, self._variance_s2)
        return most if found is None else min(found, most)

    @property
    def _variance_s2(self) -> float:
        """The variance of the times of all journeys from their actual start, in s²."""
        every = Histogram()
        for what, part in self.parts.items():
            if what.kind == JOURNEY:
                every.merge(part.service)
        return every.variance() / 1e18

    def add(self, part: Slice) -> None:
        share, from_s = self.shares[part.node], part.at_s - self.started.at_s
        share.observed_s += part.seconds
        for cell in part.cells:
            share.active = True
            what = CellKey(cell.kind, cell.name, cell.cls, cell.journey, cell.tool)
            self.parts[what].add(cell)
            if cell.kind == START:
                # No journey begins after the bell, but a slice may end after it.
                within_s = min(part.seconds, self.started.planned_s - from_s)
                self.begun_at.add(cell.n, from_s, max(0.0, within_s))
            if cell.kind == JOURNEY:
                self.ended_at.add(cell.n, from_s, part.seconds)
                if cell.cls == OK:
                    self.done += cell.n
                    self.in_time += 0 if part.draining else cell.n
            if cell.kind == CALL and cell.cls in ENDED:
                share.done[what] += cell.n

    def end(self, record: TurnEnded) -> None:
        share = self.shares[record.node]
        share.active = True
        share.ended = record
