"""What one open session costs in memory: on the server, and in the load generator.

Memory is read when the users of a level have opened their sessions and no call is in flight. With
several levels a straight line is laid through them by least squares, and its slope is the memory of
one more session: what a process takes only once, such as its caches, is not in it. The slope has
Student's t interval (Draper and Smith, "Applied Regression Analysis", section 1.4). With one level
there is one step, from no sessions to all, which has no interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reports.leaks import STEP_BYTES, line
from reports.statistics import student_t

FEWEST_LEVELS: Final = 6
_KIB: Final = 1024.0


@dataclass(frozen=True)
class Level:
    """How many sessions were open, and the resident memory then, in bytes."""

    sessions: int
    rss_bytes: int


@dataclass(frozen=True)
class PerSession:
    """Resident memory of one session, in KiB."""

    kib: float | None
    ci95: tuple[float, float] | None
    levels: int
    why_not: str = ""
    """Why there is no number, or no interval, and what to do."""


def per_session(before: int | None, levels: Sequence[Level]) -> PerSession:
    """Find the memory of one session.

    `before` is the memory without sessions, in bytes; `levels` are ascending, and no two alike.
    """
    n = len(levels)
    if not n:
        return PerSession(None, None, 0, "No reading of its memory while sessions were open.")
    if n == 1:
        return _one_step(before, levels[0])
    slope, error = line([(level.sessions, level.rss_bytes) for level in levels])
    if n < FEWEST_LEVELS:
        return PerSession(slope / _KIB, None, n, _too_few(f"{n} levels have"))
    more = levels[-1].sessions - levels[0].sessions
    half = student_t(n - 2) * error + STEP_BYTES / more
    return PerSession(slope / _KIB, ((slope - half) / _KIB, (slope + half) / _KIB), n)


def _one_step(before: int | None, level: Level) -> PerSession:
    if before is None:
        return PerSession(None, None, 1, "Its memory before the sessions is not known.")
    kib = (level.rss_bytes - before) / level.sessions / _KIB
    return PerSession(kib, None, 1, _too_few(f"One step, from 0 to {level.sessions} sessions, has"))


def _too_few(what: str) -> str:
    return (
        f"{what} no interval: at least {FEWEST_LEVELS} levels are needed. Let the users come step "
        f"by step, such as load: {{shape: ramp, rounds: 10}}."
    )
