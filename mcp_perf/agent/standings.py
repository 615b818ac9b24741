"""How agents did, group by group, such as by model and server, or by task."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, median
from typing import Any

from mcp_perf.agent.records import Number, TaskRecord
from mcp_perf.results.document.part import DocumentPart
from mcp_perf.results.stats.runs import wilson


class GroupOfRuns(DocumentPart):
    """Runs that have something in common. Each number leaves out the runs that do not have it."""

    of: dict[str, Any]
    """What they have in common: fields of a record, and their values."""
    sessions: int
    success_rate: float | None
    success_ci95: tuple[float, float] | None
    """Wilson's interval."""
    duration_s: float | None
    """The median."""
    tokens: float | None
    """The mean of a run."""
    cost: float | None
    """The mean of a run, in dollars."""


def standings(records: Iterable[TaskRecord], *fields: str) -> list[GroupOfRuns]:
    """Group runs by fields of their records; the most successful groups come first."""
    groups: defaultdict[tuple[Any, ...], list[TaskRecord]] = defaultdict(list)
    for one in records:
        groups[tuple(getattr(one, name) or "" for name in fields)].append(one)
    found = [_standing(dict(zip(fields, key, strict=True)), rows) for key, rows in groups.items()]
    return sorted(found, key=lambda one: (-(one.success_rate or 0.0), *map(str, one.of.values())))


def _standing(of: dict[str, Any], rows: Sequence[TaskRecord]) -> GroupOfRuns:
    judged = [one.success for one in rows if one.success is not None]
    duration_ms = _of(median, [one.duration for one in rows])
    return GroupOfRuns(
        of=of,
        sessions=len(rows),
        success_rate=sum(judged) / len(judged) if judged else None,
        success_ci95=wilson(sum(judged), len(judged)) if judged else None,
        duration_s=None if duration_ms is None else duration_ms / 1000,
        tokens=_of(fmean, [one.total_tokens for one in rows]),
        cost=_of(fmean, [one.cost for one in rows]),
    )


def _of(mean: Callable[[Sequence[float]], float], values: Iterable[Number | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return mean(known) if known else None
