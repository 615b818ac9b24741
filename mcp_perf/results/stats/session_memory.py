"""What one open session costs in memory: on the server, and in the load generator.

Memory is read when the users of a level have opened their sessions and no call is in flight. Each
step between levels gives a rise per added session. The mean of these rises is the memory of one
session, and Student's t gives its interval. A line through the levels would be wrong: whatever
raises one level raises all later ones, too, so distances from the line are not independent, and its
interval would be far too narrow. The rises are independent. If only the readings are noisy, the
rises vary against each other, which makes the interval too wide. Each rise counts once: weights by
the number of sessions could make the interval too narrow if steps are unequal.

With one level there is one step, from no sessions to all, and no interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Final

from mcp_perf.results.stats.leaks import STEP_BYTES
from mcp_perf.results.stats.rounds import half_width

FEWEST_LEVELS: Final = 6
_KIB: Final = 1024.0


@dataclass(frozen=True)
class SessionLevel:
    """The number of open sessions, and the resident memory at that time, in bytes."""

    sessions: int
    rss_bytes: int


@dataclass(frozen=True)
class PerSession:
    """Resident memory of one session, in KiB."""

    kib: float | None
    ci95: tuple[float, float] | None
    levels: int
    why_not: str = ""


def per_session(before: int | None, levels: Sequence[SessionLevel]) -> PerSession:
    """Find the memory of one session.

    `before` is the memory without sessions, in bytes. `levels` ascend, and no two are the same.
    """
    n = len(levels)
    if not n:
        return PerSession(None, None, 0, "Its memory was not read while sessions were open.")
    if n == 1:
        return _one_step(before, levels[0])
    rises = [
        (high.rss_bytes - low.rss_bytes) / (high.sessions - low.sessions)
        for low, high in pairwise(levels)
    ]
    mean = fmean(rises)
    if n < FEWEST_LEVELS:
        return PerSession(mean / _KIB, None, n, _too_few(f"{n} levels have"))
    half = half_width(rises) + STEP_BYTES / (levels[-1].sessions - levels[0].sessions)
    return PerSession(mean / _KIB, ((mean - half) / _KIB, (mean + half) / _KIB), n)


def _one_step(before: int | None, level: SessionLevel) -> PerSession:
    if before is None:
        return PerSession(None, None, 1, "Its memory before the sessions is not known.")
    kib = (level.rss_bytes - before) / level.sessions / _KIB
    return PerSession(kib, None, 1, _too_few(f"One step, from 0 to {level.sessions} sessions, has"))


def _too_few(what: str) -> str:
    return (
        f"{what} no interval: at least {FEWEST_LEVELS} levels are needed. Add users step by "
        f"step, such as load: {{shape: ramp, rounds: 10}}."
    )
