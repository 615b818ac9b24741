"""What one arm did in the rounds of a run that is not over."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.document.document import Report, StepNumbers
from mcp_perf.results.report.failures import failed
from mcp_perf.results.tally.groups import CALL, JOURNEY, Group, Tally
from mcp_perf.results.tally.metrics import Totals

T = TypeVar("T")


@dataclass(frozen=True)
class PartSoFar:
    """A journey, a step, or all calls of one arm, in all rounds and in the one in progress."""

    arm: str
    count: int
    per_second: float | None
    p50_ms: float | None
    p95_ms: float | None
    error_rate: float | None
    compared: Comparison | None = None
    """Its median divided by the control's, over the rounds that were judged."""


@dataclass(frozen=True)
class ArmSoFar:
    """What one arm did."""

    calls: PartSoFar
    steps: Mapping[str, PartSoFar]
    journeys: Mapping[str, PartSoFar]
    failed: Sequence[tuple[str, str, str, int]]
    """Arm, step, class and count."""

    @classmethod
    def of(cls, arm: str, found: Sequence[Totals], judged: Report | None) -> "ArmSoFar":
        """Add up `found`; each of the arm's rounds is in one of its totals."""
        numbers = judged.arms.get(arm) if judged is not None else None
        every = judged.comparisons if judged is not None else ()
        whole = next((one for one in every if (one.arm, one.metric) == (arm, "p50")), None)
        steps = _groups(totals.steps for totals in found)
        journeys = _groups(totals.journeys for totals in found)
        calls = _part(arm, found, Group(_parts(t.call for t in found)), (CALL, None), whole)
        of_steps = _named(arm, found, CALL, steps, numbers.steps if numbers else {})
        of_journeys = _named(arm, found, JOURNEY, journeys, numbers.journeys if numbers else {})
        return cls(calls, of_steps, of_journeys, list(failed(arm, steps)))


def by_name(arms: Iterable[Mapping[str, T]]) -> dict[str, list[T]]:
    """Put parts of the same name together."""
    found: dict[str, list[T]] = {}
    for parts in arms:
        for name, part in parts.items():
            found.setdefault(name, []).append(part)
    return found


def _parts(groups: Iterable[Group]) -> Iterator[tuple[str, Tally]]:
    return (part for group in groups for part in group.by_class.items())


def _groups(found: Iterable[Mapping[str, Group]]) -> dict[str, Group]:
    return {name: Group(_parts(groups)) for name, groups in by_name(found).items()}


def _named(
    arm: str,
    found: Sequence[Totals],
    kind: str,
    groups: Mapping[str, Group],
    judged: Mapping[str, StepNumbers],
) -> dict[str, PartSoFar]:
    compared = {name: judged[name].compared if name in judged else None for name in groups}
    return {
        name: _part(arm, found, group, (kind, name), compared[name])
        for name, group in groups.items()
    }


def _part(
    arm: str,
    found: Sequence[Totals],
    group: Group,
    what: tuple[str, str | None],
    compared: Comparison | None,
) -> PartSoFar:
    p50_ms, p95_ms = group.ok.percentiles_ms([0.5, 0.95])
    seconds = sum(totals.seconds for totals in found)
    done = sum((totals.per_second(*what) or 0.0) * totals.seconds for totals in found)
    rate = done / seconds if seconds else None
    return PartSoFar(arm, group.all.n, rate, p50_ms, p95_ms, group.error_rate, compared)
