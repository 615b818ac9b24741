"""What one arm did in the rounds of a run that is not over."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.document.document import Report, StepNumbers
from mcp_perf.results.report.failures import FailedPart, failed
from mcp_perf.results.tally.groups import CALL, JOURNEY, Group, Tally
from mcp_perf.results.tally.metrics import Totals

T = TypeVar("T")
Groups = Mapping[str, Group]


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
    failed: Sequence[FailedPart]

    @classmethod
    def of(cls, arm: str, found: Sequence[Totals], judged: Report | None) -> "ArmSoFar":
        """Add up `found`; each of the arm's rounds is in one of its totals."""
        numbers = judged.arms.get(arm) if judged is not None else None
        every = judged.comparisons if judged is not None else ()
        whole = next((one for one in every if (one.arm, one.metric) == (arm, "p50")), None)
        seconds = sum(totals.seconds for totals in found)

        def part(group: Group, kind: str, name: str | None, ratio: Comparison | None) -> PartSoFar:
            p50_ms, p95_ms = group.ok.percentiles_ms([0.5, 0.95])
            done = sum((totals.per_second(kind, name) or 0.0) * totals.seconds for totals in found)
            rate = done / seconds if seconds else None
            return PartSoFar(arm, group.all.n, rate, p50_ms, p95_ms, group.error_rate, ratio)

        def parts(groups: Groups, kind: str, of: Mapping[str, StepNumbers]) -> dict[str, PartSoFar]:
            ratios = {name: of[name].compared if name in of else None for name in groups}
            return {name: part(one, kind, name, ratios[name]) for name, one in groups.items()}

        steps = _groups(totals.steps for totals in found)
        journeys = _groups(totals.journeys for totals in found)
        return cls(
            part(Group(_parts(totals.call for totals in found)), CALL, None, whole),
            parts(steps, CALL, numbers.steps if numbers else {}),
            parts(journeys, JOURNEY, numbers.journeys if numbers else {}),
            list(failed(arm, steps)),
        )


def by_name(arms: Iterable[Mapping[str, T]]) -> dict[str, list[T]]:
    """Put parts of the same name together."""
    found: dict[str, list[T]] = {}
    for parts in arms:
        for name, part in parts.items():
            found.setdefault(name, []).append(part)
    return found


def _parts(groups: Iterable[Group]) -> Iterator[tuple[str, Tally]]:
    return (part for group in groups for part in group.by_class.items())


def _groups(found: Iterable[Groups]) -> dict[str, Group]:
    return {name: Group(_parts(groups)) for name, groups in by_name(found).items()}
