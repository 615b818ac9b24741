"""Does memory grow? The slope of the resident memory over the run, with an interval.

The unit is the round. Its value is the median of its samples, because samples within a round share
its garbage collections. A straight line is fitted by least squares, and its slope has an interval
by Student's t, with fewer rounds if each resembles the one before. If memory rises and falls like
the teeth of a saw, only the floors count: a rise within one tooth is not a leak.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import Final

from mcp_perf.numbers import counted, said
from mcp_perf.results.stats.effective import line

FEWEST_ROUNDS: Final = 6
SHORTEST_S: Final = 60.0
STEP_BYTES: Final = 128 * 1024
"""Processes take memory from the system in pieces of this size: glibc's M_TOP_PAD, mallopt(3). A
smaller rise of the memory in use need not show, so a short run without a rise proves little."""
ONLY_WARM: Final = (
    "This may be warm-up or garbage that is not collected yet: run "
    "longer to see whether growth stops."
)
_SWEEP: Final = 6.0
_HOUR_S: Final = 3600.0


@dataclass(frozen=True)
class Growth:
    """How fast the resident memory grows, as a fraction of its mean per hour of the run."""

    per_hour: float | None
    ci95: tuple[float, float] | None
    rounds: int
    span_s: float
    why_not: str = ""


def growth(rounds: Sequence[tuple[float, float]]) -> Growth:
    """Fit a line to (seconds since the run's start, bytes), one pair per round."""
    n = len(rounds)
    span_s = rounds[-1][0] - rounds[0][0] if rounds else 0.0
    mean = fmean(size for _, size in rounds) if rounds else 0.0
    why_not = _too_little(n, span_s)
    if n < 2 or span_s <= 0 or mean <= 0:
        return Growth(None, None, n, span_s, why_not)
    floors = _floors(rounds)
    if len(floors) > 1 and not why_not:
        why_not = _too_few_sweeps(len(floors) - 1)
    slope, half = line(rounds if why_not or len(floors) == 1 else floors)
    per_hour = slope / mean * _HOUR_S
    half_per_hour = (half + STEP_BYTES / span_s) / mean * _HOUR_S
    ci95 = None if why_not else (per_hour - half_per_hour, per_hour + half_per_hour)
    return Growth(per_hour, ci95, n, span_s, why_not)


def _floors(rounds: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the first round, and the rounds right after a sweep has freed what had piled up.

    A collector lets memory rise for a while and then frees it at once. A fall is a sweep if it is
    larger than noise: six times as large as the usual change between two rounds.
    """
    steps = [after - before for (_, before), (_, after) in pairwise(rounds)]
    swept = _SWEEP * median(map(abs, steps))
    after = [one for one, step in zip(rounds[1:], steps, strict=True) if step < -swept]
    return [rounds[0], *after]


def _too_few_sweeps(sweeps: int) -> str:
    """Say that too few sweeps were seen to tell a leak from garbage; nothing if they suffice."""
    if sweeps + 1 >= FEWEST_ROUNDS:
        return ""
    seen = "one sweep" if sweeps == 1 else f"{sweeps} sweeps"
    return (
        f"Memory rises and is swept away ({seen} seen): only the memory left after each sweep "
        f"shows a leak, which needs {FEWEST_ROUNDS - 1} sweeps. Run longer."
    )


def _too_little(rounds: int, span_s: float) -> str:
    if rounds >= FEWEST_ROUNDS and span_s >= SHORTEST_S:
        return ""
    return (
        f"{counted(rounds, 'round')} over {said(span_s, 's')} are too few to show whether memory "
        f"grows: at least {FEWEST_ROUNDS} rounds over {said(SHORTEST_S, 's')} are needed. "
        "Run longer."
    )
