"""Over how long a time journeys of an open load were served, told by when they began and ended.

A round begins with nothing in flight. What is still on its way at its bell was asked for within the
round, too; leaving it out would take the rate of a server with long calls for a lower one. But if a
queue grows, the journeys that began later take longer, and were not served within the round.

Both are told apart by the line of the ends over the starts. Its slope is 1 if how long a journey
takes does not depend on when it began. It is the offered rate over the served one if a queue grows.
"""

import math
from dataclasses import dataclass
from typing import Final

_SURE: Final = 2.0
"""Standard errors by which the slope has to be above 1."""


@dataclass
class Moments:
    """Moments in time, known by the slice in which they lie: how many, and how spread out."""

    n: int = 0
    total_s: float = 0.0
    squares_s2: float = 0.0

    def add(self, n: int, from_s: float, seconds: float) -> None:
        """Add moments that are spread evenly over a slice."""
        middle_s = from_s + seconds / 2
        self.n += n
        self.total_s += n * middle_s
        self.squares_s2 += n * (middle_s**2 + seconds**2 / 12)

    @property
    def variance_s2(self) -> float:
        return self.squares_s2 / self.n - (self.total_s / self.n) ** 2


def stretch(starts: Moments, ends: Moments, duration_variance_s2: float) -> float | None:
    """Return the factor, at least 1, by which serving took longer than asking.

    The slope is 1 + cov(start, duration) / var(start), and the covariance follows from the three
    variances, because an end is a start and a duration. None where they do not tell.
    """
    if starts.n < 2 or starts.n != ends.n or starts.variance_s2 <= 0:
        return None
    spread = ends.variance_s2 - starts.variance_s2 - duration_variance_s2
    growth = spread / 2 / starts.variance_s2
    error = math.sqrt(duration_variance_s2 / starts.variance_s2 / starts.n)
    return 1 + growth if growth > _SURE * error else 1.0
