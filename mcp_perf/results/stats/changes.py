"""Where a line of runs moves to another level and stays there."""

import math
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Final

from mcp_perf.results.stats.distributions import student_above
from mcp_perf.results.stats.effective import free as free_of

FEWEST: Final = 3
"""Runs at one level; fewer of them only stand out, which is another mark."""
SMALLEST: Final = 0.01
"""As a logarithm: nobody cares about a smaller change."""
_FALSE: Final = 0.01
"""How often a line without a change may get a mark."""


def changes(values: Sequence[float]) -> dict[int, float]:
    """Return the indexes at which another level begins, each with its ratio to the level before.

    Values are positive.

    Binary segmentation (Scott and Knott, "A cluster analysis method for grouping means in the
    analysis of variance", Biometrics 30, 1974) of the logarithms, by Student's t with Bonferroni's
    correction over all cuts (Sen and Srivastava, "On tests for detecting change in mean", Annals of
    Statistics 3, 1975). Cuts that are weak between their neighbours are then removed, the weakest
    first. In this step, runs that resemble each other count as fewer runs.
    """
    logs = [math.log(value) for value in values]
    cuts = sorted(_cuts(logs, 0, len(logs)))
    while cuts:
        edges = zip([0, *cuts[:-1]], cuts, [*cuts[1:], len(logs)], strict=True)
        near = [(logs[low:at], logs[at:high]) for low, at, high in edges]
        weakest = min(range(len(cuts)), key=lambda index: _evidence(*near[index], free_of))
        if _evidence(*near[weakest], free_of) > 1:
            steps = [fmean(after) - fmean(before) for before, after in near]
            marks = zip(cuts, steps, strict=True)
            return {at: math.exp(step) for at, step in marks if abs(step) >= SMALLEST}
        del cuts[weakest]
    return {}


def _cuts(logs: Sequence[float], low: int, high: int) -> list[int]:
    possible = range(low + FEWEST, high - FEWEST + 1)
    if not possible:
        return []
    at = max(possible, key=lambda cut: _between(logs[low:cut], logs[cut:high]))
    if _evidence(logs[low:at], logs[at:high], lambda left: len(left) - 2) <= 1:
        return []
    return [*_cuts(logs, low, at), at, *_cuts(logs, at, high)]


def _evidence(
    before: Sequence[float], after: Sequence[float], free: Callable[[Sequence[float]], float]
) -> float:
    """Return t² over the t² that is significant; `free` returns the degrees of freedom."""
    left = [one - fmean(part) for part in (before, after) for one in part]
    count, between = free(left), _between(before, after)
    needed = student_above(_FALSE / 2 / (len(left) - 2 * FEWEST + 1), count) ** 2
    squares = sum(one * one for one in left)
    if not squares:
        return math.inf if between else 0.0
    return between * count / squares / needed


def _between(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the sum of squares that two levels explain."""
    n, m = len(before), len(after)
    return n * m / (n + m) * (fmean(after) - fmean(before)) ** 2
