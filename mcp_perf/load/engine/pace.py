"""When a user of a closed load begins its next journey: think times, and pauses after failures.

Think times run on across the rounds of an arm: a user waits in the next round for what was left of
one when a round ended. The very first journeys are spread over a think time. Otherwise all users
would begin every round together, and a round shorter than the think time would show only that rush.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mcp_perf.outcomes import FAILED, INTERRUPTED

PATIENCE: Final = 3
"""From this many failed journeys in a row on, a user waits before its next one."""
FIRST_S: Final = 0.1
LONGEST_S: Final = 5.0


@dataclass(slots=True, eq=False)
class Pace:
    """A user's pace on one arm."""

    think: Callable[[], float] = lambda: 0.0
    told_s: Callable[[], float] = lambda: 0.0
    """How long the target has asked to be left alone (Retry-After); asking forgets it."""
    left_s: float = 0.0
    """What is left of the think time when a round begins; before the first one, a part of it."""
    failed: int = 0
    """Failed journeys in a row."""

    def after(self, outcome: str) -> tuple[float, float]:
        """Return the think time after a journey, and the pause after a failure meanwhile, in s."""
        if outcome not in FAILED:
            self.failed = self.failed if outcome == INTERRUPTED else 0
            return self.think(), 0.0
        self.failed += 1
        return self.think(), max(backoff_s(self.failed), self.told_s())


def backoff_s(failed: int) -> float:
    """Return how many seconds a user waits after this many failed journeys in a row."""
    if failed < PATIENCE:
        return 0.0
    doublings = min(failed - PATIENCE, 10)  # 5 s are reached long before
    return float(min(FIRST_S * 2**doublings, LONGEST_S))
