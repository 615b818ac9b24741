"""Rows that belong together: failures of one message, steps and turns of all arms, warnings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.document.document import ArmNumbers, Failure, RoundNumbers, StepNumbers
from mcp_perf.results.document.text import clip, one_line, wording

_MESSAGE_LIMIT: Final = 200


@dataclass(frozen=True)
class FailureGroup:
    """Failures of one class that say the same, in any step and arm."""

    cls: str
    message: str
    """The message of the first."""
    count: int
    where: list[tuple[str, str]]
    """Arm and step."""


def failures(every: Iterable[Failure]) -> list[FailureGroup]:
    """Group failures by class and message, ignoring its numbers; the most frequent first."""
    groups: dict[tuple[str, str], list[Failure]] = {}
    for one in every:
        groups.setdefault((one.cls, wording(one.example)), []).append(one)
    found = [
        FailureGroup(
            of[0].cls,
            clip(one_line(of[0].example), _MESSAGE_LIMIT),
            sum(one.count for one in of),
            [(one.arm, one.step) for one in of],
        )
        for of in groups.values()
    ]
    return sorted(found, key=lambda group: -group.count)


def steps(arms: Mapping[str, ArmNumbers]) -> list[tuple[str, str, StepNumbers]]:
    """List step, arm and numbers: what failed most or took longest first, one name together."""
    every = [(step, arm, one) for arm, of in arms.items() for step, one in of.steps.items()]
    worst: dict[str, tuple[float, float]] = {}
    for step, _, one in every:
        now = ((one.error_rate or 0.0), one.latency_ms.p95 or 0.0)
        worst[step] = max(worst.get(step, now), now)
    order = sorted(worst, key=worst.__getitem__, reverse=True)
    return sorted(every, key=lambda row: order.index(row[0]))


def rounds(arms: Mapping[str, ArmNumbers]) -> list[tuple[str, RoundNumbers]]:
    """List all turns in the recorded order, each with its arm."""
    every = ((name, turn) for name, arm in arms.items() for turn in arm.rounds)
    return sorted(every, key=lambda pair: pair[1].order)


def footnotes(rows: Sequence[Comparison]) -> list[str]:
    """List the warnings of all rows, each once, in the order in which they come."""
    return list(dict.fromkeys(text for row in rows for text in row.warnings))
