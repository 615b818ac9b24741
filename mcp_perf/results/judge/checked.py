"""Results that were not held against their outputSchema: they count as those that were."""

from collections.abc import Iterator
from typing import Final

from mcp_perf.results.judge import rule
from mcp_perf.results.tally.groups import Group, Tally
from mcp_perf.results.tally.metrics import Totals

MOST_BROKEN: Final = 0.01
"""Of the results that were checked, where some were not."""


def counted(failed: float, ended: int, seen_share: float) -> tuple[int, int]:
    """Return how many calls failed, of how many, for a statement of certainty.

    If violations were found in a sample of the results, all are counted as if only as large a share
    of the calls had been made: nobody is more certain of a rate than the sample allows.
    """
    if seen_share == 1:
        return round(failed), ended
    certain = max(1, int(ended * seen_share))
    return round(failed / ended * certain), certain


def told(calls: Group) -> str:
    """Say how many results were checked, and how many broke their schema; nothing if all were."""
    return "" if calls.seen_share == 1 else f" {_sample(calls.all)}"


def broken(arm: str, totals: Totals) -> Iterator[str]:
    """Say of each step whose sample has too many violations that nothing else holds of it."""
    for name, step in totals.steps.items():
        rate = step.violation_rate or 0.0
        if step.unseen and rate > MOST_BROKEN:
            yield (
                f"{rule.show(rate, 'fraction')} of the checked results of {arm}, {name}, break "
                f"the tool's outputSchema. {_sample(step.all)}"
            )


def _sample(tally: Tally) -> str:
    results = tally.checked + tally.unchecked
    return (
        f"{tally.checked} of {results} results were held against their outputSchema, and "
        f"{tally.violations} broke it; the others count as if they had been alike."
    )
