"""Arms compared step by step, and journey by journey: the same name, the same rounds."""

from collections.abc import Mapping
from typing import Final

from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.judge.drops import with_drops
from mcp_perf.results.stats.rounds import Paired, holm, pair
from mcp_perf.results.tally.groups import Group
from mcp_perf.results.tally.metrics import Evidence, Totals, shared_rounds

METRICS: Final[Mapping[str, str]] = {"steps": "p50", "journeys": "journey_p50"}
"""The metric in which parts are compared; a failed call ranks above all that were ok."""
PartKey = tuple[str, str, str]
"""Arm, `steps` or `journeys`, and name."""


def compared_parts(
    evidence: Mapping[str, Evidence], bases: Mapping[str, str]
) -> dict[PartKey, Comparison]:
    """Compare what an arm and its base both have; all comparisons are one family of tests."""
    keys: list[PartKey] = []
    pairs: list[Paired] = []
    for arm, base in bases.items():
        for kind, metric in METRICS.items():
            own, others = (_parts(evidence[name].totals, kind) for name in (arm, base))
            rounds = shared_rounds(evidence[arm], evidence[base])
            for name in sorted(own.keys() & others.keys()):
                values, base_values = (
                    [_median_ms(_parts(part, kind).get(name)) for part in parts] for parts in rounds
                )
                keys.append((arm, kind, name))
                pairs.append(pair(metric, arm, base, values, base_values))
    return {
        key: with_drops(found, evidence[found.arm], evidence[found.versus])
        for key, found in zip(keys, holm(pairs), strict=True)
    }


def _parts(totals: Totals, kind: str) -> Mapping[str, Group]:
    return totals.steps if kind == "steps" else totals.journeys


def _median_ms(group: Group | None) -> float | None:
    return None if group is None else group.ranked().percentile_ms(0.5)
