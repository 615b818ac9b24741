"""Does memory grow? The slope of the resident memory over the run, with an interval.

The unit is the round: one value each, the median of its samples, because samples within a round
share its garbage collections. A straight line is laid through them by least squares; its slope has
Student's t interval, by as many rounds as count where each resembles the one before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from mcp_perf.results.stats.effective import line

FEWEST_ROUNDS: Final = 6
SHORTEST_S: Final = 60.0
STEP_BYTES: Final = 128 * 1024
"""Memory is taken from the system in pieces: glibc's M_TOP_PAD, mallopt(3). A smaller rise of what
is in use need not show, so that a short run without any rise proves little."""
ONLY_WARM: Final = "Memory that only warms up stops growing: a longer run would tell."
_HOUR_S: Final = 3600.0


@dataclass(frozen=True)
class Growth:
    """How fast the resident memory grows, as a fraction of its mean per hour of the run."""

    per_hour: float | None
    ci95: tuple[float, float] | None
    rounds: int
    span_s: float
    why_not: str = ""
    """Why there is no interval, and what to do."""


def growth(rounds: Sequence[tuple[float, float]]) -> Growth:
    """Fit a line to (seconds since the run's start, bytes), one pair per round."""
    n = len(rounds)
    span_s = rounds[-1][0] - rounds[0][0] if rounds else 0.0
    mean = fmean(size for _, size in rounds) if rounds else 0.0
    why_not = _too_little(n, span_s)
    if n < 2 or span_s <= 0 or mean <= 0:
        return Growth(None, None, n, span_s, why_not)
    slope, half = line(rounds)
    per_hour = slope / mean * _HOUR_S
    if why_not:
        return Growth(per_hour, None, n, span_s, why_not)
    half_per_hour = (half + STEP_BYTES / span_s) / mean * _HOUR_S
    return Growth(per_hour, (per_hour - half_per_hour, per_hour + half_per_hour), n, span_s)


def _too_little(rounds: int, span_s: float) -> str:
    if rounds >= FEWEST_ROUNDS and span_s >= SHORTEST_S:
        return ""
    return (
        f"{rounds} rounds over {span_s:.0f} s do not show whether memory grows: at least "
        f"{FEWEST_ROUNDS} rounds over {SHORTEST_S:.0f} s are needed. Run longer."
    )
