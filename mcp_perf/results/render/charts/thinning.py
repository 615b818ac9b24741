"""Fewer points for a drawing than were measured, without losing a peak."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Final, Generic, TypeVar

from mcp_perf.results.document.document import ResourcePoint, TimelinePoint
from mcp_perf.results.tally.usage import highest

P = TypeVar("P", TimelinePoint, ResourcePoint)
Merge = Callable[[list[P]], P]


_PAUSE: Final = 0.02
"""An arm's line is cut at a pause that is longer than this fraction of a point's width."""


@dataclass(frozen=True)
class Series(Generic[P]):
    """Points in the order of time; merged ones stand for `seconds`, which is None for others."""

    points: list[P]
    seconds: float | None

    @property
    def last_s(self) -> float:
        return max(point.at_s + point.seconds for point in self.points)

    def stretches(self, arm: str) -> list[list[P]]:
        """Cut an arm's points where it paused: a line across another's turn would be a lie."""
        own = [point for point in self.points if point.arm == arm]
        cut = [own[:1]] if own else []
        for before, point in pairwise(own):
            paused_s = point.at_s - before.at_s - before.seconds
            if paused_s > _PAUSE * min(before.seconds, point.seconds):
                cut.append([])
            cut[-1].append(point)
        return cut


def thin(points: Sequence[TimelinePoint], most: int) -> Series[TimelinePoint]:
    """Merge points into at most `most` equal stretches of time per arm.

    A merged point has the highest latencies and error rate of its stretch, so that no stall
    disappears, and the mean call rate.
    """
    return _thinned(points, most, _merge)


def thin_resources(points: Sequence[ResourcePoint], most: int) -> Series[ResourcePoint]:
    """Merge points likewise: the mean CPU use of a stretch, and the highest of all else."""
    return _thinned(points, most, _merge_resources)


def _thinned(points: Sequence[P], most: int, merge: Merge[P]) -> Series[P]:
    if len(points) <= most:
        return Series(sorted(points, key=lambda point: point.at_s), None)
    start = min(point.at_s for point in points)
    width = math.nextafter(max(point.at_s for point in points) - start, math.inf) / most
    buckets: dict[tuple[int, str], list[P]] = {}
    for point in points:
        bucket = min(most - 1, int((point.at_s - start) / width)) if width else 0
        buckets.setdefault((bucket, point.arm), []).append(point)
    merged = [
        merge(buckets[key]).model_copy(update={"at_s": start + key[0] * width, "seconds": width})
        for key in sorted(buckets)
    ]
    return Series(merged, width)


def _merge(points: list[TimelinePoint]) -> TimelinePoint:
    rate = _mean((point.calls_per_s, point.seconds) for point in points)
    return _most(points, ("errors_per_s", "p50_ms", "p95_ms"), calls_per_s=rate)


def _merge_resources(points: list[ResourcePoint]) -> ResourcePoint:
    cpu = _mean((point.cpu, point.seconds) for point in points if point.cpu is not None)
    return _most(points, ("rss_bytes", "threads", "fds"), cpu=cpu)


def _mean(known: Iterable[tuple[float, float]]) -> float | None:
    every = list(known)
    return fmean(*zip(*every, strict=True)) if every else None


def _most(points: list[P], names: Iterable[str], **means: float | None) -> P:
    """Return the first point with the highest numbers of all points, and with some means."""
    most = {name: highest(getattr(point, name) for point in points) for name in names}
    return points[0].model_copy(update={**most, **means})
