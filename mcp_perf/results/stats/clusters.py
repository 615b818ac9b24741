"""Calls in rounds: how many independent ones say as much, where failures come in bursts.

Calls of a round share what befell it. By the calls alone, a rate of failures that come in bursts
seems far better known than it is.
"""

from collections.abc import Sequence
from statistics import NormalDist

from mcp_perf.results.stats.mean import ALPHA
from mcp_perf.results.stats.rounds import student_t


def certain(rounds: Sequence[tuple[float, float]]) -> float:
    """Return how many independent calls tell as much of a share, as a fraction of all calls.

    `rounds` are (count, total). The variance of the share is that between the rounds, over that of
    independent calls (the design effect: L. Kish, "Survey Sampling", 1965), but at least as large
    as that. That few rounds know their variance badly is in it as the square of Student's t (Korn
    and Graubard, "Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data", 1998). 1 if nothing can be told from the rounds.
    """
    known = [(count, total) for count, total in rounds if total]
    n, total = len(known), sum(total for _, total in known)
    share = sum(count for count, _ in known) / total if total else 0.0
    if n < 2 or not 0 < share < 1:
        return 1.0
    between = sum((count - share * of) ** 2 for count, of in known) * n / (n - 1)
    factor = student_t(n - 1) / NormalDist().inv_cdf(1 - ALPHA / 2)
    return 1 / max(1.0, between / (total * share * (1 - share)) * factor**2)
