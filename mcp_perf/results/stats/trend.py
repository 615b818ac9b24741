"""Many runs in a line: where a metric goes, and which runs stand out.

Runs are the unit. A run stands out if it lies outside the 95 % prediction interval of the runs
before it, and differs from their mean by more than a trifle. The slope, per run, is that of a
straight line through the logarithms; if each run resembles the one before, fewer runs count.
`changes.py` finds where a new level begins.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Final

from mcp_perf.results.document.run_numbers import RunIdentity
from mcp_perf.results.stats.changes import SMALLEST, changes
from mcp_perf.results.stats.effective import line as straight
from mcp_perf.results.stats.rounds import student_t

FEWEST_BEFORE: Final = 5
"""Runs that are needed before the next one can be compared with them."""
MOST_BEFORE: Final = 20
"""Runs from longer ago say little about today."""
FEWEST_FOR_SLOPE: Final = 5


@dataclass(frozen=True, kw_only=True)
class Point:
    """One metric of one arm in one run."""

    run_id: str
    started: str
    scenario: str
    verdict: str
    complete: bool
    identity: RunIdentity
    arm: str
    metric: str
    group: str
    """Equal for runs that can be compared."""
    value: float
    low: float | None
    high: float | None
    """The 95 % interval from how much the rounds differ; null with too few rounds."""

    @property
    def sound(self) -> bool:
        """Whether it is evidence: neither INVALID nor cut off."""
        return self.complete and self.verdict != "INVALID"


@dataclass(frozen=True)
class Mark:
    """A run, and why it is worth a look."""

    point: Point
    change: float | None
    """The ratio to the sound run before it; null for the first run and for unsound runs."""
    stands_out: bool
    level: float | None = None
    """If a new level begins here: its ratio to the level before."""


@dataclass(frozen=True)
class Line:
    """Runs that can be compared, in one metric of one arm, the oldest first."""

    scenario: str
    arm: str
    metric: str
    group: str
    marks: list[Mark]
    slope: float | None
    """The factor from run to run; null with fewer than five runs."""
    slope95: tuple[float, float] | None


def lines(points: Iterable[Point]) -> list[Line]:
    """Put runs that can be compared into one line; INVALID runs are shown but do not count."""
    grouped: dict[tuple[str, str, str, str], list[Point]] = {}
    for point in points:
        key = (point.scenario, point.arm, point.metric, point.group)
        grouped.setdefault(key, []).append(point)
    return [_line(key, found) for key, found in grouped.items()]


def _line(key: tuple[str, str, str, str], points: Sequence[Point]) -> Line:
    marks = [_mark([p for p in points[:i] if p.sound], p) for i, p in enumerate(points)]
    sound = [i for i, point in enumerate(points) if point.sound]
    values = [points[i].value for i in sound]
    for at, factor in changes(values).items() if min(values, default=0) > 0 else ():
        marks[sound[at]] = replace(marks[sound[at]], level=factor)
    return Line(*key, marks, *_slope(values))


def _mark(before: Sequence[Point], point: Point) -> Mark:
    if not point.sound:
        return Mark(point, None, False)
    change = point.value / before[-1].value if before and before[-1].value else None
    return Mark(point, change, _stands_out([one.value for one in before], point.value))


def _stands_out(before: Sequence[float], value: float) -> bool:
    recent = before[-MOST_BEFORE:]
    if len(recent) < FEWEST_BEFORE or min(*recent, value) <= 0:
        return False
    logs, n = [math.log(one) for one in recent], len(recent)
    beyond = max(SMALLEST, student_t(n - 1) * stdev(logs) * math.sqrt(1 + 1 / n))
    return abs(math.log(value) - fmean(logs)) > beyond


def _slope(values: Sequence[float]) -> tuple[float | None, tuple[float, float] | None]:
    """Return the factor per run and its 95 % interval, by least squares.

    The interval contains 1 if nobody cares about the change over all runs together.
    """
    n = len(values)
    if n < FEWEST_FOR_SLOPE or min(values) <= 0:
        return None, None
    slope, half = straight([(i, math.log(value)) for i, value in enumerate(values)])
    half = max(half, abs(slope)) if abs(slope) * (n - 1) < SMALLEST else half
    return math.exp(slope), (math.exp(slope - half), math.exp(slope + half))
