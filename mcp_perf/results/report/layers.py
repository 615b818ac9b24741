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
from mcp_perf.results.stats.rounds import difference
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
    found = []
    for lower, upper in pairwise(names):
        layer, warnings = _layer(lower, upper, medians), dropped(evidence[lower], evidence[upper])
        found.append(layer.model_copy(update={"warnings": [*layer.warnings, *warnings]}))
    return found


def _layer(lower: str, upper: str, medians: Mapping[str, Sequence[float | None]]) -> Layer:
    below, above = ([ms for ms in medians[name] if ms is not None] for name in (lower, upper))
    result = Layer(
        from_=lower, to=upper, from_ms=_mean(below), to_ms=_mean(above), cost_ms=None, ci95=None
    )
    broken = _broken(lower, medians[lower]) or _broken(upper, medians[upper])
    if broken:
        return result.model_copy(update={"warnings": [broken]})
    cost = fmean(high - low for low, high in zip(below, above, strict=True))
    found = difference(cost, METRIC, upper, lower, above, below)
    warnings = [found.warning] if found.warning else []
    return result.model_copy(update={"cost_ms": cost, "ci95": found.ci95, "warnings": warnings})


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _broken(name: str, medians: Sequence[float | None]) -> str:
    if not medians:
        return "There is no round that every layer has finished."
    missing = sum(ms is None for ms in medians)
    if missing:
        rounds = f"{missing} of {len(medians)} rounds"
        return f"The median journey of {name} failed, or there is none, in {rounds}."
    return ""
