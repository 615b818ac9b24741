"""A histogram of durations: every sample kept, percentiles within 0.05 % of the exact ones.

Log-linear, after HdrHistogram (Gil Tene, https://hdrhistogram.github.io/HdrHistogram/): 1024
buckets per power of two, exact below 2048 ns. Merging adds bucket by bucket, so merged histograms
equal the pooled one, in any order.

This is our own code because the `hdrhistogram` package returns False for a value out of its range
and the caller loses the sample, takes 188 KiB for every histogram (we keep one per step, class and
second), and records three to four times slower. It serves as an oracle in the tests.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from typing import Final, Self

HOUR_NS: Final = 3_600_000_000_000
"""The longest distinct duration; longer ones share one bucket, just above an hour."""
_SUB_BITS: Final = 10
_EXACT: Final = 2 << _SUB_BITS
_ROUNDING: Final = 1e-12
"""0.07 * 100 is a little above 7 in floating point, and must still mean the 7th sample."""


def bucket(ns: int) -> int:
    """Return the bucket of a duration; a negative one counts as zero."""
    if not 0 <= ns <= HOUR_NS:
        return 0 if ns < 0 else OVERFLOW
    shift = ns.bit_length() - _SUB_BITS - 1
    return ns if shift <= 0 else (shift << _SUB_BITS) + (ns >> shift)


def midpoint_ns(key: int) -> float:
    """Return the middle of the values that a bucket holds: at most 0.05 % from each of them."""
    if key < _EXACT:
        return float(key)
    shift = (key >> _SUB_BITS) - 1
    lowest = (key - (shift << _SUB_BITS)) << shift
    return lowest + ((1 << shift) - 1) / 2


class Histogram:
    """Counts of integer nanoseconds, sparse: its size depends on the spread, not on the count."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: defaultdict[int, int] = defaultdict(int)

    def record(self, ns: int, count: int = 1) -> None:
        self._counts[bucket(ns)] += count

    def merge(self, other: Self) -> None:
        for key, count in other._counts.items():
            self._counts[key] += count

    def add_pairs(self, pairs: Sequence[int]) -> None:
        """Add the result of `pairs`; a bucket beyond one hour is counted as overflow."""
        keys: Iterable[int] = pairs[::2]
        if max(keys, default=0) > OVERFLOW:
            keys = (min(key, OVERFLOW) for key in keys)
        counts = self._counts
        for key, count in zip(keys, pairs[1::2], strict=True):
            counts[key] += count

    def pairs(self) -> list[int]:
        """Return bucket, count, bucket, count, …: the form of the journal's cells."""
        return list(chain.from_iterable(sorted(self._counts.items())))

    @property
    def count(self) -> int:
        return sum(self._counts.values())

    @property
    def overflow(self) -> int:
        """How many samples were longer than an hour."""
        return self._counts.get(OVERFLOW, 0)

    def percentile(self, fraction: float) -> float | None:
        """Return the smallest ns with at least `fraction` of the samples at or below it.

        This is the order statistic, without interpolation: 0 is the smallest sample, 1 the largest.
        None if there is no sample.
        """
        return self.percentiles([fraction])[0]

    def percentiles(self, fractions: Sequence[float]) -> list[float | None]:
        total = self.count
        return self.at_ranks([rank(fraction, total) for fraction in fractions])

    def at_ranks(self, ranks: Sequence[int]) -> list[float | None]:
        """Return the samples (ns) at these ranks, counted from 1; None beyond the last."""
        keys = sorted(self._counts)
        cumulated = list(accumulate(self._counts[key] for key in keys))
        indexes = [bisect_left(cumulated, rank_) for rank_ in ranks]
        return [midpoint_ns(keys[index]) if index < len(keys) else None for index in indexes]

    def up_to(self, ns: float) -> int:
        """Return how many samples lie in the bucket of a duration, or in one before it."""
        last = bucket(round(ns))
        return sum(n for key, n in self._counts.items() if key <= last)

    def variance(self) -> float:
        """Return the variance in ns², as exact as the buckets are; 0 without samples."""
        total = self.count
        if not total:
            return 0.0
        values = [(midpoint_ns(key), n) for key, n in self._counts.items()]
        mean = sum(ns * n for ns, n in values) / total
        return sum((ns - mean) ** 2 * n for ns, n in values) / total

    def curve(self) -> list[tuple[float, float]]:
        """Return points (fraction, ns) from 0 to 1: ten for each factor of ten towards 1."""
        total = self.count
        if not total:
            return []
        fractions = []
        tail = 1.0
        while tail * total > 1:
            fractions += [round(1 - tail * (10 - tenth) / 10, 12) for tenth in range(9)]
            tail /= 10
        fractions.append(1.0)
        values = self.at_ranks([rank(fraction, total) for fraction in fractions])
        return [(f, ns) for f, ns in zip(fractions, values, strict=True) if ns is not None]


def rank(fraction: float, total: int) -> int:
    """Return the rank, from 1, of a percentile among `total` sorted samples."""
    return max(1, math.ceil(fraction * total * (1 - _ROUNDING)))


OVERFLOW: Final = bucket(HOUR_NS) + 1
"""The bucket of everything longer than an hour."""
