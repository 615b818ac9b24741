"""When a target was available: calls in a row that reached nobody, and journeys by second.

Answered calls do not come through here. The recorder's counts say how many there were.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from mcp_perf.client.errors import NO_SESSION
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import TIMEOUT, TRANSPORT_ERROR
from mcp_perf.results.journal.records import SILENT, Cell, Outage
from mcp_perf.results.tally.groups import SLOT

UNREACHED: Final = frozenset((TRANSPORT_ERROR, TIMEOUT))
FEWEST: Final = 3
"""Fewer failures in a row are not an outage."""
SHORTEST_S: Final = 0.2


@dataclass(slots=True)
class Slots:
    """How many journeys ended in which class, by the second of the turn in which they began."""

    turn_ns: int = 0
    """When the turn began; outside of turns nothing is counted."""
    _counts: dict[tuple[int, str], int] = field(default_factory=dict)

    def add(self, cls: str, began_ns: int) -> None:
        """Count a journey that began then, or was meant to begin."""
        if self.turn_ns:
            slot = (max(0, began_ns - self.turn_ns) // 1_000_000_000, cls)
            self._counts[slot] = self._counts.get(slot, 0) + 1

    def take(self, arm: str) -> list[Cell]:
        counts, self._counts = self._counts, {}
        return [
            Cell(
                arm=arm,
                kind=SLOT,
                name=str(second),
                cls=cls,
                n=n,
                total_ns=0,
                min_ns=0,
                max_ns=0,
                latency=[0, n],
            )
            for (second, cls), n in counts.items()
        ]


@dataclass(slots=True)
class _Row:
    """Calls of one arm, one after the other, that reached nobody."""

    answered: int
    """Calls of this process that had been answered before it, and still at its last failure."""
    from_s: float
    first_end_ns: int
    how: str
    to_s: float = 0.0
    n: int = 0
    tried_again: bool = False
    """Whether a call that began after the first failure has failed, too."""
    told: int = 0
    """How many failures are in the journal."""

    def add(self, reply: Reply, end_s: float) -> None:
        self.n += 1
        self.to_s = max(self.to_s, end_s)
        self.tried_again |= reply.start_ns >= self.first_end_ns

    @property
    def counts(self) -> bool:
        return self.n >= FEWEST and self.tried_again


@dataclass(eq=False)
class OutageWatch:
    """The outages that one process sees."""

    node: str
    since_start_s: Callable[[int], float]
    """Turns a time of the clock into one of the run's."""
    unreached: int = 0
    """Calls that reached nobody so far."""
    _rows: dict[str, _Row] = field(default_factory=dict)
    _over: list[Outage] = field(default_factory=list)

    def failed(self, arm: str, cls: str, reply: Reply, calls: int) -> None:
        """Take in a call that reached nobody; `calls` of any class had ended before it."""
        answered = calls - self.unreached
        self.unreached += 1
        if cls == TIMEOUT and reply.detail.startswith(NO_SESSION):
            return  # a full server lets these wait, and serves the users who have a session
        self._look(arm, answered)
        row = self._rows.get(arm)
        if row is None:
            silent = cls == TIMEOUT
            from_s = self.since_start_s(reply.start_ns if silent else reply.end_ns)
            how = SILENT if silent else _how(reply.detail)
            row = self._rows[arm] = _Row(answered, max(0.0, from_s), reply.end_ns, how)
        row.add(reply, self.since_start_s(reply.end_ns))

    def begin(self, arm: str, calls: int) -> None:
        """Note that an arm's turn begins: answers to other arms do not end its outage."""
        if arm in self._rows:
            self._rows[arm].answered = calls - self.unreached

    def take(self, arm: str, calls: int, *, last: bool = False) -> list[Outage]:
        """Return the outages that are over; at the `last` look of a turn, also the one going on."""
        self._look(arm, calls - self.unreached)
        over, self._over = self._over, []
        return [*over, *(self._open(arm) if last else ())]

    def _look(self, arm: str, answered: int) -> None:
        """End the row of an arm if calls have been answered since its last failure."""
        row = self._rows.get(arm)
        if row is None or row.answered == answered:
            return
        del self._rows[arm]
        if row.told or (row.counts and row.to_s - row.from_s >= SHORTEST_S):
            self._over.append(self._outage(arm, row, is_over=True))

    def _open(self, arm: str) -> Iterator[Outage]:
        row = self._rows.get(arm)
        if row is not None and row.counts and row.n > row.told:
            row.told = row.n
            yield self._outage(arm, row, is_over=False)

    def _outage(self, arm: str, row: _Row, *, is_over: bool) -> Outage:
        return Outage(
            node=self.node,
            arm=arm,
            from_s=row.from_s,
            to_s=row.to_s,
            is_over=is_over,
            failures=row.n,
            how=row.how,
        )


def _how(detail: str) -> str:
    if "refused" in detail:
        return "refused connections"
    return "closed connections" if "closed" in detail or "reset" in detail else "was not reached"
