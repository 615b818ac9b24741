"""What each layer costs: how much longer a journey takes than through the layer below.

The arms are layers because the scenario says so. The cost of a layer is the difference between its
median journey time and that of the layer below, round by round; the differences have a mean and,
by Student's t, its 95 % interval. Differences, unlike ratios, add up from rung to rung.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Final

from mcp_perf.results.document.comparison import Layer
from mcp_perf.results.judge.drops import dropped
from mcp_perf.results.stats.rounds import RoundValues, difference
from mcp_perf.results.tally.metrics import Evidence

METRIC: Final = "journey_p50"


def layers(names: Sequence[str], evidence: Mapping[str, Evidence]) -> list[Layer]:
    """Return the cost of each layer above the first, in the order of `names`.

    Only rounds count that every layer has finished, so that the costs add up to the whole. With
    fewer than six of them there is no interval; if a layer has no journey that was
    ok in one of them, its cost is not known.
    """
    finished = [set(evidence[name].rounds) for name in names]
    shared = sorted(set.intersection(*finished)) if finished else []
    medians = {name: [evidence[name].rounds[one].value(METRIC) for one in shared] for name in names}
    return [
        _layer(lower, upper, medians, dropped(evidence[lower], evidence[upper]))
        for lower, upper in pairwise(names)
    ]


def _layer(
    lower: str, upper: str, medians: Mapping[str, RoundValues], warnings: Sequence[str]
) -> Layer:
    below, above = medians[lower], medians[upper]
    pairs = zip(below, above, strict=True)
    apart = [high - low for low, high in pairs if low is not None and high is not None]
    cost = fmean(apart) if apart and len(apart) == len(below) else None
    found = difference(cost, METRIC, upper, lower, above, below)
    why = found.warning if below else "There is no round that every layer has finished."
    return Layer(
        from_=lower,
        to=upper,
        from_ms=_mean(below),
        to_ms=_mean(above),
        cost_ms=cost,
        ci95=found.ci95,
        warnings=[*filter(None, [why]), *warnings],
    )


def _mean(values: RoundValues) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
