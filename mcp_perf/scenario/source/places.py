"""From findings to problems: which line is to blame, and which findings are worth telling."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from mcp_perf.scenario.problems.finding import Finding, Path, dotted
from mcp_perf.scenario.problems.problem import MOST_SHOWN, Problem

_LONGEST: Final = 240


@dataclass(frozen=True)
class Places:
    """Where the values of one file were written."""

    source: str
    lines: Mapping[Path, int] = field(default_factory=dict)
    owners: Mapping[Path, str] = field(default_factory=dict)
    """What was set by an override: path -> the override."""

    def problem(self, finding: Finding) -> Problem:
        """Name the override or the line that a finding is about, else its path."""
        problem = self._placed(finding)
        # Keys and names come from the file, and may be as long as the file.
        return replace(problem, message=_cut(problem.message), hint=_cut(problem.hint))

    def _placed(self, finding: Finding) -> Problem:
        if finding.source:
            return Problem(finding.source, 0, finding.message, finding.hint)
        if finding.line:
            return Problem(self.source, finding.line, finding.message, finding.hint)
        path = finding.path
        for length in range(len(path), 0, -1):
            if owner := self.owners.get(path[:length]):
                path_again = owner.removeprefix("--set ") + ": "
                return Problem(owner, 0, finding.message.removeprefix(path_again), finding.hint)
            if line := self.lines.get(path[:length]):
                return Problem(self.source, line, finding.message, finding.hint)
        where = "" if self.lines or not path else f"{dotted(path)}: "
        return Problem(self.source, self.lines.get((), 0), where + finding.message, finding.hint)

    def problems(self, findings: Iterable[Finding]) -> list[Problem]:
        """Return the problems by line, each once, without what only follows from another."""
        findings = list(findings)
        lost = {finding.path: finding for finding in reversed(findings) if finding.damaged}
        told = [
            self.problem(finding)
            for finding in findings
            if finding.line or finding.source or _blamed(finding, lost) is finding
        ]
        told = sorted(dict.fromkeys(told), key=lambda problem: problem.line)
        if len(told) > MOST_SHOWN:
            more = Problem(self.source, 0, "there are more problems", "correct these first")
            return [*told[:MOST_SHOWN], more]
        return told


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _blamed(finding: Finding, lost: Mapping[Path, Finding]) -> Finding:
    """Return the finding about the outermost value around this one that is lost, else itself."""
    around = (finding.path[:length] for length in range(len(finding.path) + 1))
    return next((lost[path] for path in around if path in lost), finding)
