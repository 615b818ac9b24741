"""Fewer points for a drawing than were measured, without losing a peak."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import Generic, TypeVar

from mcp_perf.results.document.document import ResourcePoint, TimelinePoint
from mcp_perf.results.tally.usage import highest

P = TypeVar("P", TimelinePoint, ResourcePoint)
Merge = Callable[[float, list[P]], P]


@dataclass(frozen=True)
class Series(Generic[P]):
    """Points in the order of time; each stands for `seconds`, or for itself where that is None."""

    points: list[P]
    seconds: float | None

    @property
    def last_s(self) -> float:
        return max(point.at_s for point in self.points)

    def stretches(self, arm: str) -> list[list[P]]:
        """Cut an arm's points where it paused: a line across another's turn would be a lie."""
        own = [(i, point) for i, point in enumerate(self.points) if point.arm == arm]
        gaps = [after.at_s - before.at_s for (_, before), (_, after) in pairwise(own)]
        longest_s = 1.75 * median(gaps) if gaps else 0.0
        cut = [[point] for _, point in own[:1]]
        for (before, _), (i, point), gap_s in zip(own, own[1:], gaps, strict=False):
            # A merged point may span turns of several arms: only the pause can tell there.
            interrupted = self.seconds is None and i != before + 1
            if interrupted or gap_s > longest_s:
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
    """Merge points likewise: the mean CPU use of a stretch, and the most of all else."""
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
    merged = [merge(start + key[0] * width, buckets[key]) for key in sorted(buckets)]
    return Series(merged, width)


def _merge(at_s: float, points: list[TimelinePoint]) -> TimelinePoint:
    rate = fmean(point.calls_per_s for point in points)
    return _most(points, at_s, ("errors_per_s", "p50_ms", "p95_ms"), calls_per_s=rate)


def _merge_resources(at_s: float, points: list[ResourcePoint]) -> ResourcePoint:
    known = [(point.cpu, point.seconds) for point in points if point.cpu is not None]
    seconds = sum(seconds for _, seconds in known)
    cpu = sum(cpu * seconds for cpu, seconds in known) / seconds if known else None
    whole_s = sum(point.seconds for point in points)
    return _most(points, at_s, ("rss_bytes", "threads", "fds"), cpu=cpu, seconds=whole_s)


def _most(points: list[P], at_s: float, names: Iterable[str], **means: float | None) -> P:
    """Return the first point with the highest numbers of all, and some that are no maximum."""
    most = {name: highest(getattr(point, name) for point in points) for name in names}
    return points[0].model_copy(update={"at_s": at_s, **most, **means})
