"""The run over time: about one point a second for each arm, closed as soon as it is old."""

from dataclasses import dataclass, field
from typing import Final

from mcp_perf.outcomes import ENDED, FAILED, OK
from mcp_perf.results.document.document import TimelinePoint
from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.journal.records import Slice, TurnStarted
from mcp_perf.results.tally.groups import CALL

LATE_S: Final = 60
"""How far a node's slices may lag behind another's and still meet in one point."""


@dataclass
class _Share:
    seconds: float = 0.0
    ended: int = 0
    failed: int = 0


@dataclass
class _Second:
    turn: TurnStarted
    at_s: float
    shares: dict[str, _Share] = field(default_factory=dict)
    latency: Histogram = field(default_factory=Histogram)

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
            self._open[key] = _Second(turn, part.at_s)
        self._open[key].add(part)

    def points(self) -> list[TimelinePoint]:
        still_open = [second.point() for second in self._open.values()]
        return sorted([*self._closed, *still_open], key=lambda point: point.at_s)

    def _close(self, before: int) -> None:
        for key in [key for key in self._open if key[1] < before]:
            self._closed.append(self._open.pop(key).point())
