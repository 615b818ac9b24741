"""What failed, by arm, step, class and message."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mcp_perf.outcomes import FAILED, HARNESS_ERROR
from mcp_perf.results.document.document import Failure
from mcp_perf.results.document.text import wording
from mcp_perf.results.tally.groups import Group
from mcp_perf.results.tally.tally import RunTally

_OTHERS: Final = "(other messages)"


@dataclass(frozen=True)
class FailedPart:
    """The calls of one arm, step and class, which all failed."""

    arm: str
    step: str
    cls: str
    count: int
    messages: Mapping[str, int]
    """How many of them said the same, numbers left out."""


def failed(arm: str, steps: Mapping[str, Group]) -> Iterator[FailedPart]:
    """Yield all failures of an arm's steps."""
    for step, group in steps.items():
        for cls, tally in group.by_class.items():
            if cls in FAILED or cls == HARNESS_ERROR:
                yield FailedPart(arm, step, cls, tally.n, tally.messages)


def failures(tally: RunTally, parts: Iterable[FailedPart]) -> list[Failure]:
    """Return the kinds of failure, the most frequent first."""
    found = [
        Failure(arm=part.arm, step=part.step, cls=part.cls, count=count, example=example)
        for part in parts
        for example, count in _counted(part, tally)
    ]
    return sorted(found, key=lambda failure: -failure.count)


def _counted(part: FailedPart, tally: RunTally) -> Iterator[tuple[str, int]]:
    """Yield the first message of each wording, and how many calls said so.

    Calls whose message was not counted have the example of their class if there is no other row.
    """
    first: dict[str, str] = {}
    counts: dict[str, int] = {}
    for message, count in part.messages.items():
        example = first.setdefault(wording(message), message)
        counts[example] = counts.get(example, 0) + count
    yield from counts.items()
    if rest := part.count - sum(counts.values()):
        known = tally.examples.get((part.arm, part.step, part.cls), "")
        yield (_OTHERS if counts else known), rest
