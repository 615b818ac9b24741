"""What is wrong with a scenario file, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Path = tuple[str | int, ...]
"""The keys and indexes that lead to a value in the file, as written there."""

EXIT_CODE: Final = 104
MOST_SHOWN: Final = 50
"""A file with more problems than this is not a scenario file with mistakes in it."""


def dotted(path: Path) -> str:
    """Write a path as a person would: `journeys.buy.mcp[0].call`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


@dataclass(frozen=True)
class Finding:
    """A problem at a path, before its line is known."""

    path: Path
    message: str
    hint: str = ""
    line: int = 0
    """Set where the path does not tell the line, as for the second of two equal keys."""
    source: str = ""
    """Set where something else than the file is to blame."""
    damaged: bool = False
    """True if the value there is lost, so that what else is said about it means nothing."""


@dataclass(frozen=True)
class Problem:
    """One thing to correct. Line 0 means that no line of the file is to blame."""

    source: str
    line: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Write `file:line: message - hint`, in one line."""
        where = f"{self.source}:{self.line}" if self.line else self.source
        text = f"{where}: {self.message}" + (f" - {self.hint}" if self.hint else "")
        return " ".join(text.split())


class ScenarioError(Exception):
    """The scenario cannot be run; nothing was sent. Carries every problem, and the exit code."""

    exit_code = EXIT_CODE

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
