"""Fewer points for a drawing than were measured, without losing a peak."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Final, Generic, TypeVar

from mcp_perf.results.document.document import ResourcePoint, TimelinePoint
from mcp_perf.results.tally.usage import highest

P = TypeVar("P", TimelinePoint, ResourcePoint)
_MERGED: Final[Mapping[type, tuple[str, tuple[str, ...]]]] = {
    TimelinePoint: ("calls_per_s", ("errors_per_s", "p50_ms", "p95_ms")),
    ResourcePoint: ("cpu", ("rss_bytes", "threads", "fds")),
}
"""A merged point has the mean of the first number, and the highest of each of the others."""
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


def thin(points: Sequence[P], most: int) -> Series[P]:
    """Merge points into at most `most` equal stretches of time per arm.

    A merged point has the highest latencies, error rate and memory of its stretch, so that no stall
    disappears, and the mean call rate or CPU use.
    """
    if len(points) <= most:
        return Series(sorted(points, key=lambda point: point.at_s), None)
    start = min(point.at_s for point in points)
    width = math.nextafter(max(point.at_s for point in points) - start, math.inf) / most
    buckets: dict[tuple[int, str], list[P]] = {}
    for point in points:
        bucket = min(most - 1, int((point.at_s - start) / width)) if width else 0
        buckets.setdefault((bucket, point.arm), []).append(point)
    merged = [
        _merge(buckets[key], at_s=start + key[0] * width, seconds=width) for key in sorted(buckets)
    ]
    return Series(merged, width)


def _merge(points: list[P], **when: float) -> P:
    """Return a point with the mean of one number of the points, and the highest of others."""
    averaged, others = _MERGED[type(points[0])]
    weighed = [(getattr(point, averaged), point.seconds) for point in points]
    known = [(value, seconds) for value, seconds in weighed if value is not None]
    mean = fmean(*zip(*known, strict=True)) if known else None
    most = {name: highest(getattr(point, name) for point in points) for name in others}
    return points[0].model_copy(update={**most, averaged: mean, **when})
