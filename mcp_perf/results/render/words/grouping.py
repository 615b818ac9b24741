"""What is the same in many rows, said once: failures by their message, warnings as footnotes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.document.document import Failure
from mcp_perf.results.document.text import clip, one_line

_MESSAGE_LIMIT: Final = 200
_NUMBER: Final = re.compile(r"(?<![\w.])(?![45]\d\d\b)\d[\w.-]*")
"""What differs from call to call in one message; a status of HTTP does not."""


@dataclass(frozen=True)
class FailureGroup:
    """Failures of one class that say the same, of whatever step and arm."""

    cls: str
    message: str
    """That of the first."""
    count: int
    where: list[tuple[str, str]]
    """Arm and step."""


def failures(every: Iterable[Failure]) -> list[FailureGroup]:
    """Group failures by class and by message, numbers in it aside; the most frequent first."""
    groups: dict[tuple[str, str], list[Failure]] = {}
    for one in every:
        groups.setdefault((one.cls, _NUMBER.sub("#", one.example)), []).append(one)
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


def footnotes(rows: Sequence[Comparison]) -> list[str]:
    """List the warnings of all rows, each once, in the order in which they come."""
    return list(dict.fromkeys(text for row in rows for text in row.warnings))
