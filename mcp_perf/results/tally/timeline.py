"""The run over time: about one point a second for each arm, of its calls and of its target."""

from dataclasses import dataclass, field, replace
from typing import Final

from mcp_perf.outcomes import ENDED, FAILED, OK
from mcp_perf.results.document.document import ResourcePoint, TimelinePoint
from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.journal.records import ResourceSample, Slice, TurnStarted
from mcp_perf.results.tally.groups import CALL
from mcp_perf.results.tally.usage import highest, used_s

LATE_S: Final = 60
"""How far a node's slices may lag behind another's and still meet in one point."""

MOST_POINTS: Final = 4_000
"""Points over time; a longer run has wider points, but at least one for each turn."""
SHORTEST_S: Final = 0.5
"""The rest of a turn may be a millisecond with one call, which does not make a rate, and CPU time
comes in steps of 10 ms. A shorter stretch is joined to its neighbour in the same turn."""


@dataclass
class _Share:
    seconds: float = 0.0
    ended: int = 0
    failed: int = 0


@dataclass(eq=False)
class _Second:
    turn: TurnStarted
    at_s: float
    shares: dict[str, _Share] = field(default_factory=dict)
    latency: Histogram = field(default_factory=Histogram)

    @property
    def seconds(self) -> float:
        return max((share.seconds for share in self.shares.values()), default=0.0)

    def add(self, part: Slice) -> None:
        self.at_s = min(self.at_s, part.at_s)
        share = self.shares.setdefault(part.node, _Share())
        share.seconds += part.seconds
        for cell in part.cells:
            if cell.kind == CALL:
                share.ended += cell.n if cell.cls in ENDED else 0
                share.failed += cell.n if cell.cls in FAILED else 0
                if cell.cls == OK:
                    self.latency.add_pairs(cell.latency)

    def point(self) -> TimelinePoint:
        shares = [share for share in self.shares.values() if share.seconds > 0]
        p50_ns, p95_ns = self.latency.percentiles([0.5, 0.95])
        return TimelinePoint(
            at_s=self.at_s,
            seconds=self.seconds,
            arm=self.turn.arm,
            phase=self.turn.phase,
            calls_per_s=sum(share.ended / share.seconds for share in shares),
            errors_per_s=sum(share.failed / share.seconds for share in shares),
            p50_ms=None if p50_ns is None else p50_ns / 1e6,
            p95_ms=None if p95_ns is None else p95_ns / 1e6,
        )


class Timeline:
    """Points from slices. A long run keeps histograms only for its last minute."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], _Second] = {}
        self._closed: list[TimelinePoint] = []

    def add(self, part: Slice, turn: TurnStarted) -> None:
        second = int(part.at_s)
        key = (turn.turn, second)
        if key not in self._open:
            self._close(before=second - LATE_S)
            self._open[key] = self._neighbour(part, *key) or _Second(turn, part.at_s)
        self._open[key].add(part)

    def _neighbour(self, part: Slice, turn: int, second: int) -> _Second | None:
        """Return the second before in the same turn, if one of the two is too short for a rate."""
        before = self._open.get((turn, second - 1))
        short = before is not None and min(part.seconds, before.seconds) < SHORTEST_S
        return before if short else None

    def points(self) -> list[TimelinePoint]:
        still_open = [second.point() for second in dict.fromkeys(self._open.values())]
        return sorted([*self._closed, *still_open], key=lambda point: point.at_s)

    def since(self, at_s: float) -> list[TimelinePoint]:
        """Return the points after a moment, but none that are older than a minute."""
        every = dict.fromkeys(self._open.values())
        found = (second.point() for second in every if second.at_s > at_s)
        return sorted(found, key=lambda point: point.at_s)

    def _close(self, before: int) -> None:
        old = [self._open.pop(key) for key in [key for key in self._open if key[1] < before]]
        joined = set(self._open.values())
        self._closed += [one.point() for one in dict.fromkeys(old) if one not in joined]


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
    """Points from readings. In a long run, neighbours in one turn are merged."""

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
        """Make each point at least twice as wide as the points are on average."""
        every, self._stretches = self._stretches, []
        self._grain_s = 2 * sum(stretch.seconds for stretch in every) / len(every)
        for stretch in every:
            self._append(stretch)
        # If each turn is one point, nothing more can be merged, so do not try each time.
        self._most = max(MOST_POINTS, 2 * len(self._stretches))
