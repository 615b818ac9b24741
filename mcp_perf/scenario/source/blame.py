"""From mistakes to problems: which line is to blame, and which mistakes are worth reporting."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from mcp_perf.scenario.problems.mistake import Mistake, Path, dotted
from mcp_perf.scenario.problems.problem import MOST_SHOWN, Problem

_LONGEST: Final = 240


@dataclass(frozen=True)
class Blame:
    """Where the values of one file were written."""

    source: str
    lines: Mapping[Path, int] = field(default_factory=dict)
    owners: Mapping[Path, str] = field(default_factory=dict)
    """What was set by an override: path -> the override."""

    def problem(self, mistake: Mistake) -> Problem:
        """Name the override or the line that a mistake is about, or else its path."""
        source, line, message = self._found(mistake)
        # Keys and names come from the file, and may be as long as the file.
        return Problem(source, line, _cut(message), _cut(mistake.hint))

    def _found(self, mistake: Mistake) -> tuple[str, int, str]:
        if mistake.source:
            return mistake.source, 0, mistake.message
        if mistake.line:
            return self.source, mistake.line, mistake.message
        path = mistake.path
        for length in range(len(path), 0, -1):
            if owner := self.owners.get(path[:length]):
                path_again = owner.removeprefix("--set ") + ": "
                return owner, 0, mistake.message.removeprefix(path_again)
            if line := self.lines.get(path[:length]):
                return self.source, line, mistake.message
        where = "" if self.lines or not path else f"{dotted(path)}: "
        return self.source, self.lines.get((), 0), where + mistake.message

    def problems(self, mistakes: Iterable[Mistake]) -> list[Problem]:
        """Return the problems by line, each once, without what only follows from another."""
        mistakes = list(mistakes)
        lost = {mistake.path: mistake for mistake in reversed(mistakes) if mistake.damaged}
        told = [
            self.problem(mistake)
            for mistake in mistakes
            if mistake.line or mistake.source or _blamed(mistake, lost) is mistake
        ]
        told = sorted(dict.fromkeys(told), key=lambda problem: problem.line)
        if len(told) > MOST_SHOWN:
            hint = "correct these first, then run it again"
            more = Problem(self.source, 0, "there are more problems", hint)
            return [*told[:MOST_SHOWN], more]
        return told


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _blamed(mistake: Mistake, lost: Mapping[Path, Mistake]) -> Mistake:
    """Return the mistake about the outermost lost value around this one, or the mistake itself."""
    around = (mistake.path[:length] for length in range(len(mistake.path) + 1))
    return next((lost[path] for path in around if path in lost), mistake)
