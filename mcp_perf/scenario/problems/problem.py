"""What is wrong with a scenario file, by its line, and the error that carries it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

EXIT_CODE: Final = 104
MOST_SHOWN: Final = 50
"""A file with more problems than this is not a scenario file with mistakes in it."""


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
