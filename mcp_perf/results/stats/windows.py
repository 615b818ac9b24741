"""How long it took to serve the journeys of an open load, from when they began and ended.

A round begins with nothing in flight. Journeys that are still in flight at its end were asked for
within the round, too; without them, the rate of a server with long calls would look too low. But if
a queue grows, the journeys that began later take longer, and were not served within the round.

The line of the ends over the starts distinguishes the two cases. Its slope is 1 if the time of a
journey does not depend on when it began. If a queue grows, it is the offered rate over the served.
"""

import math
from dataclasses import dataclass
from typing import Final

_SURE: Final = 2.0
"""The slope must be above 1 by this many standard errors."""


@dataclass
class Moments:
    """How many moments in time there were, and how spread out; only their slices are known."""

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

    The slope is 1 + cov(start, duration) / var(start). The covariance follows from the three
    variances, because an end is a start plus a duration. None if they do not show it.
    """
    if starts.n < 2 or starts.n != ends.n or starts.variance_s2 <= 0:
        return None
    spread = ends.variance_s2 - starts.variance_s2 - duration_variance_s2
    growth = spread / 2 / starts.variance_s2
    error = math.sqrt(duration_variance_s2 / starts.variance_s2 / starts.n)
    return 1 + growth if growth > _SURE * error else 1.0
