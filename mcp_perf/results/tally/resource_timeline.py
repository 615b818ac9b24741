"""What the targets used over the run: about one point a second, on the clock of the journal."""

from dataclasses import dataclass, replace
from typing import Final

from mcp_perf.results.document.document import ResourcePoint
from mcp_perf.results.journal.records import ResourceSample, TurnStarted
from mcp_perf.results.tally.usage import highest, used_s

MOST_POINTS: Final = 4_000
"""Points over time; a longer run has wider ones, but at least one for each turn."""
SHORTEST_S: Final = 0.5
"""CPU time is told in steps of 10 ms: what is left at a turn's end is too short for a rate."""


@dataclass
class _Stretch:
    turn: TurnStarted
    before: ResourceSample
    after: ResourceSample
    rss: int | None
    threads: int | None
    fds: int | None

    @property
    def seconds(self) -> float:
        return self.after.at_s - self.before.at_s

    def merged(self, later: "_Stretch") -> "_Stretch":
        return replace(
            self,
            after=later.after,
            rss=highest((self.rss, later.rss)),
            threads=highest((self.threads, later.threads)),
            fds=highest((self.fds, later.fds)),
        )

    def point(self) -> ResourcePoint:
        cpu_s = used_s(self.before, self.after)
        return ResourcePoint(
            at_s=self.before.at_s,
            seconds=self.seconds,
            arm=self.turn.arm,
            phase=self.turn.phase,
            cpu=None if cpu_s is None else cpu_s / self.seconds,
            rss_bytes=self.rss,
            threads=self.threads,
            fds=self.fds,
        )


class ResourceTimeline:
    """Points from readings. In a long run neighbours of one turn are merged."""

    def __init__(self) -> None:
        self._stretches: list[_Stretch] = []
        self._grain_s = SHORTEST_S
        self._most = MOST_POINTS

    def add(self, before: ResourceSample, after: ResourceSample, turn: TurnStarted) -> None:
        if after.at_s <= before.at_s:
            return
        self._append(_Stretch(turn, before, after, after.rss_bytes, after.threads, after.fds))
        if len(self._stretches) > self._most:
            self._coarsen()

    def points(self) -> list[ResourcePoint]:
        return [stretch.point() for stretch in self._stretches]

    def _append(self, stretch: _Stretch) -> None:
        last = self._stretches[-1] if self._stretches else None
        if (
            last is not None
            and last.after is stretch.before
            and (last.seconds < self._grain_s or stretch.seconds < SHORTEST_S)
        ):
            self._stretches[-1] = last.merged(stretch)
        else:
            self._stretches.append(stretch)

    def _coarsen(self) -> None:
        """Make the points at least twice as wide as they are on average."""
        every, self._stretches = self._stretches, []
        self._grain_s = 2 * sum(stretch.seconds for stretch in every) / len(every)
        for stretch in every:
            self._append(stretch)
        # Turns that are one point each cannot be merged, and need not be tried each time.
        self._most = max(MOST_POINTS, 2 * len(self._stretches))
