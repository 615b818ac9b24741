"""Sessions over the run: how many were open, and how much memory both sides used meanwhile."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from mcp_perf.results.document.document import SessionPoint
from mcp_perf.results.document.target_numbers import SessionNumbers
from mcp_perf.results.journal.records import ResourceSample, SessionCount
from mcp_perf.results.stats.session_memory import PerSession, SessionLevel, per_session
from mcp_perf.results.tally.usage import Thinned

MOST_MOMENTS: Final = 2_000
"""Moments with a point for each arm; a longer run keeps every second one, or every fourth, …"""


@dataclass
class Held:
    """The memory of one side at each number of sessions, in bytes."""

    before: int | None = None
    after: int | None = None
    _cold: list[SessionLevel] = field(default_factory=list)
    """Read before the calls of a warm-up."""
    _warm: list[SessionLevel] = field(default_factory=list)
    """Read before the calls of a round."""

    def at(self, sessions: int, rss_bytes: int, *, measured: bool) -> None:
        """Take a reading before a turn; only more sessions than before make a new level."""
        levels = self._warm if measured else self._cold
        if sessions > (levels[-1].sessions if levels else 0):
            levels.append(SessionLevel(sessions, rss_bytes))

    @property
    def levels(self) -> list[SessionLevel]:
        """The levels that count: normally the levels of the rounds.

        The memory that the first calls take once is in each of these, so it cancels out. If all
        rounds have one level, the warm-up's counts: no call has left memory behind yet.
        """
        return self._warm if len(self._warm) > 1 else self._cold or self._warm

    @property
    def per_session(self) -> PerSession:
        return per_session(self.before, self.levels)

    @property
    def open(self) -> int | None:
        """The memory with the most sessions open, in bytes."""
        return self.levels[-1].rss_bytes if self.levels else None


@dataclass
class SessionTally:
    """All sessions of a run. Records must come in the order of the journal."""

    generator: Held = field(default_factory=Held)
    targets: dict[str, Held] = field(default_factory=lambda: defaultdict(Held))
    most: dict[str, int] = field(default_factory=dict)
    """By arm, for arms that have sessions at all."""
    streams: dict[str, int] = field(default_factory=dict)
    most_together: int = 0
    _first: dict[str, int] = field(default_factory=dict)
    """The memory of each node before it had users."""
    _nodes: dict[str, SessionCount] = field(default_factory=dict)
    _moments: Thinned[list[SessionPoint]] = field(default_factory=lambda: Thinned(MOST_MOMENTS))

    def count(self, record: SessionCount, *, begun: bool) -> None:
        """Take one node's count. The first count of a node comes before it has users."""
        self._nodes[record.node] = record
        for arm in record.open:
            self.most[arm] = max(self.most.get(arm, 0), self._open(arm))
            self.streams[arm] = max(self.streams.get(arm, 0), self._streams(arm))
        together = self._together()
        self.most_together = max(self.most_together, together)
        self._first.setdefault(record.node, record.rss_bytes)
        self.generator.before = sum(self._first.values())
        if begun and not together:
            self.generator.after = self._memory()
        at_s = record.at_s
        points = [
            SessionPoint(at_s=at_s, arm=arm, open=self._open(arm), streams=self._streams(arm))
            for arm in self.most
        ]
        self._moments.add(points)

    def read(self, sample: ResourceSample, *, begun: bool) -> None:
        held = self.targets[sample.arm]
        if not begun:
            held.before = sample.rss_bytes
        else:
            held.after = sample.rss_bytes

    def begin_turn(self, sample: ResourceSample, *, measured: bool) -> None:
        """Take the first reading of a turn: all sessions of its level are open and idle."""
        if sample.rss_bytes is not None:
            open_ = self._open(sample.arm)
            self.targets[sample.arm].at(open_, sample.rss_bytes, measured=measured)

    def settle(self, *, measured: bool) -> None:
        if self._nodes:
            self.generator.at(self._together(), self._memory(), measured=measured)

    def facts(self, arm: str, shared: Iterable[str]) -> dict[str, float]:
        numbers = self.of_arm(arm, shared)
        named = {"sessions": numbers.most, "session_kib": numbers.kib}
        return {name: float(value) for name, value in named.items() if value is not None}

    def of_arm(self, arm: str, shared: Iterable[str]) -> SessionNumbers:
        """Return the numbers of an arm; `shared` are other arms that its processes work for."""
        if arm not in self.most:
            return SessionNumbers(why_not="It has no sessions.")
        held = self.targets[arm]
        found = held.per_session if self.most[arm] else PerSession(None, None, 0, _NONE_OPEN)
        others = [other for other in shared if self.most.get(other)]
        if others and found.kib is not None:
            found = PerSession(None, None, 0, _SHARED.format(" and ".join(others)))
        return _numbers(self.most[arm], self.streams.get(arm, 0), self._open(arm), held, found)

    def of_generator(self) -> SessionNumbers:
        """Return the numbers of all arms together, with the memory of the load generator."""
        if not self.most_together:
            return SessionNumbers(why_not=_NONE_OPEN)
        streams, held = sum(self.streams.values()), self.generator
        return _numbers(self.most_together, streams, self._together(), held, held.per_session)

    def points(self) -> list[SessionPoint]:
        return [point for points in self._moments.values for point in points]

    def _open(self, arm: str) -> int:
        return sum(node.open.get(arm, 0) for node in self._nodes.values())

    def _streams(self, arm: str) -> int:
        return sum(node.streams.get(arm, 0) for node in self._nodes.values())

    def _together(self) -> int:
        return sum(sum(node.open.values()) for node in self._nodes.values())

    def _memory(self) -> int:
        return sum(node.rss_bytes for node in self._nodes.values())


_NONE_OPEN: Final = "No session was open."
_SHARED: Final = "Its processes also serve {}, so the memory of its sessions cannot be separated."


def _numbers(most: int, streams: int, left: int, held: Held, found: PerSession) -> SessionNumbers:
    return SessionNumbers(
        most=most,
        streams=streams,
        left=left,
        kib=found.kib,
        kib_ci95=found.ci95,
        levels=found.levels,
        why_not=found.why_not,
        rss_before=held.before,
        rss_open=held.open,
        rss_after=held.after,
    )
