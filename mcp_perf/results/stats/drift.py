"""Change within a run: values that drift over the rounds, or that jump at some round.

All values are logarithms, one per round, in the order of the rounds.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import fmean, stdev
from typing import Final

from mcp_perf.results.stats.distributions import student_above
from mcp_perf.results.stats.effective import free, line
from mcp_perf.results.stats.mean import ALPHA
from mcp_perf.results.stats.rounds import student_t

FEWEST_ROUNDS: Final = 6


@dataclass(frozen=True)
class Shift:
    """By how much logarithms changed."""

    mean: float
    half: float
    """Half of its 95 % interval."""
    after: int = 0
    """The number of rounds before a step; 0 for a change from the first round to the last."""

    @property
    def shown(self) -> bool:
        """Whether its interval excludes a change of zero."""
        return abs(self.mean) > self.half


def drift(logs: Sequence[float]) -> Shift:
    """Return the change from the first round to the last: of a line, or of a walk that shows more.

    A walk also shows a change that does not follow a straight line. It hardly ever shows a change
    that is not there: its interval is wider than a line's unless rounds are as alike as they can
    be.
    """
    slope, half = line([*enumerate(logs)])
    straight = Shift(slope * (len(logs) - 1), half * (len(logs) - 1))
    walked = _walk(logs)
    shows_more = abs(walked.mean) - walked.half > max(0.0, abs(straight.mean) - straight.half)
    return walked if shows_more else straight


def _walk(logs: Sequence[float]) -> Shift:
    """Return the sum of the changes from round to round.

    If each round begins where the one before it ended, the changes are independent (a random walk
    with drift), and Student's t holds for their mean.
    """
    changes = [after - before for before, after in pairwise(logs)]
    n = len(changes)
    return Shift(logs[-1] - logs[0], student_t(n - 1) * stdev(changes) * math.sqrt(n))


def step(logs: Sequence[float]) -> Shift:
    """Return the change from the first rounds to the others, at the round where it explains most.

    Student's t takes the number of rounds that count. Because the step was searched for, its
    interval is corrected for one try per round at which it can be (Bonferroni).
    """
    n = len(logs)
    sums = [*accumulate(logs)]
    rises = [(sums[-1] - low) / (n - at) - low / at for at, low in enumerate(sums[:-1], 1)]
    after = max(range(1, n), key=lambda at: at * (n - at) * rises[at - 1] ** 2)
    means = [fmean(logs[:after])] * after + [fmean(logs[after:])] * (n - after)
    left = [log - mean for log, mean in zip(logs, means, strict=True)]
    count = free(left)
    factor = student_above(ALPHA / 2 / (n - 1), count)
    error = math.sqrt(sum(one * one for one in left) / count * (1 / after + 1 / (n - after)))
    return Shift(rises[after - 1], factor * error, after)


def farthest(low: Sequence[float], high: Sequence[float]) -> float:
    """Return the largest change, up or down, of rounds that are known only by two bounds each."""
    found = 0.0
    for weights in _weights(len(low)):
        parts = [sorted((w * down, w * up)) for w, down, up in zip(weights, low, high, strict=True)]
        found = max(found, -sum(least for least, _ in parts), sum(most for _, most in parts))
    return found


def _weights(n: int) -> Iterator[list[float]]:
    """Yield the weights of the rounds in each change that a run of n rounds can show."""
    middle = (n - 1) / 2
    spread = sum((at - middle) ** 2 for at in range(n))
    yield [(at - middle) / spread * (n - 1) for at in range(n)]
    yield [-1.0, *[0.0] * (n - 2), 1.0]
    for after in range(1, n):
        yield [-1 / after if at < after else 1 / (n - after) for at in range(n)]
