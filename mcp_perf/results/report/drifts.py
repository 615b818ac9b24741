"""Notes on change within a run: metrics that drifted, and warm-ups that were too short."""

from collections.abc import Iterator, Sequence
from typing import Final

from mcp_perf.numbers import said
from mcp_perf.results.document.comparison import Drift

SMALLEST: Final = 0.05
"""A smaller change is not worth a note, even if it is certain."""
COLD: Final = "The warm-up was too short: make it longer (load: warmup)."


def drift_notes(arm: str, found: Sequence[Drift]) -> Iterator[str]:
    """Say once for each metric how it changed, by a step if one is shown."""
    clear = (one for one in found if not one.ci95[0] <= 0 <= one.ci95[1])
    shown = {one.metric: one for one in clear if abs(one.change) >= SMALLEST}
    for one in shown.values():
        yield f"{_told(arm, one)} {COLD}" if _cold(one) else _told(arm, one)


def _told(arm: str, one: Drift) -> str:
    way = "rose" if one.change > 0 else "fell"
    low, high = (said(end, "fraction") for end in sorted(map(abs, one.ci95)))
    much = f"{arm}.{one.metric} {way} by {said(abs(one.change), 'fraction')} ({low} to {high})"
    if one.after_round is None:
        return f"{much} from the first of {one.rounds} rounds to the last: it drifts."
    return f"{much} after round {one.after_round} of {one.rounds}."


def _cold(one: Drift) -> bool:
    """Tell whether an arm got better early on, like one that had not been warm."""
    better = (one.change > 0) is (one.metric == "throughput")
    return better and (one.after_round or 0) <= one.rounds / 2
