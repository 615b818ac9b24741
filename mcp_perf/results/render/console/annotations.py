"""Annotations of a GitHub job: `::error title=...::...`, one for each thing that did not hold.

Names and reasons come from scenario files and from servers' replies. A command is one line,
so a text without line ends can neither begin a second command nor leave its own;
what a runner reads back (per cent, line ends, and in titles colon and comma) is escaped.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from mcp_perf.results.compare.report import CompareReport
from mcp_perf.results.document.comparison import Regression
from mcp_perf.results.document.document import Report
from mcp_perf.results.document.part import VerdictName
from mcp_perf.results.document.text import clip, one_line, visible
from mcp_perf.results.render.words import wording

LEVELS: Final[dict[VerdictName, str]] = {
    "PASS": "notice",
    "INCONCLUSIVE": "warning",
    "FAIL": "error",
    "INVALID": "error",
}
MOST: Final = 10
"""Of one level; GitHub shows no more of one step and drops the rest without a word."""
_TITLE_LIMIT: Final = 200
_MESSAGE_LIMIT: Final = 4000
_DATA: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY: Final = _DATA | str.maketrans({":": "%3A", ",": "%2C"})


class Annotation(NamedTuple):
    """One remark on a job: its level is `error`, `warning` or `notice`."""

    level: str
    title: str
    message: str

    def __str__(self) -> str:
        title = clip(one_line(self.title), _TITLE_LIMIT).translate(_PROPERTY)
        message = clip(visible(self.message).strip(), _MESSAGE_LIMIT).translate(_DATA)
        return f"::{self.level} title={title}::{message}"


def of_report(report: Report) -> list[Annotation]:
    """Annotate a run: its verdict, then each gate and each comparison that did not pass."""
    gates = [
        Annotation(LEVELS[gate.verdict], f"{gate.verdict}: {gate.gate}", gate.reason)
        for gate in report.gates
        if gate.verdict != "PASS"
    ]
    found = [*gates, *_regressions(report.regressions)]
    summary = [wording.summary(report), *([] if report.complete else [wording.INCOMPLETE])]
    return _with_verdict(report, summary, {one.text: one.line for one in report.reasons}, found)


def of_comparison(report: CompareReport) -> list[Annotation]:
    """Annotate a comparison of runs: its verdict, then each metric that is or may be worse."""
    found = [row for run in report.runs for row in _regressions(run.regressions)]
    reasons = {reason: reason for run in report.runs for reason in run.reasons}
    return _with_verdict(report, [wording.TEXTS["comparisons"][report.verdict]], reasons, found)


def of_refusal(exit_code: int, lines: Sequence[str]) -> Annotation:
    """Annotate a run that has no report."""
    return Annotation("error", f"mcp-perf: no report (exit code {exit_code})", "\n".join(lines))


def _with_verdict(
    report: Report | CompareReport,
    summary: Sequence[str],
    reasons: Mapping[str, str],
    found: Sequence[Annotation],
) -> list[Annotation]:
    """Put the verdict first, with the reasons that no other annotation gives."""
    told = tuple(one.message for one in found if one.message)
    rest = [line for text, line in reasons.items() if not text.endswith(told)]
    title = f"mcp-perf {report.scenario}: {report.verdict} (exit code {report.exit_code})"
    verdict = Annotation(LEVELS[report.verdict], title, "\n".join([*summary, *rest]))
    return _at_most([verdict, *found])


def _regressions(rows: Iterable[Regression]) -> list[Annotation]:
    return [
        Annotation(LEVELS[row.verdict], f"{row.verdict}: {row.arm}.{row.metric}", row.reason)
        for row in rows
        if row.verdict not in (None, "PASS")
    ]


def _at_most(found: Sequence[Annotation]) -> list[Annotation]:
    """Leave out what GitHub would leave out, and say how many; the gravest level first."""
    kept: list[Annotation] = []
    for level in ("error", "warning", "notice"):
        of_level = [one for one in found if one.level == level]
        if len(of_level) > MOST:
            more = f"{len(of_level) - MOST + 1} more are in the report."
            of_level[MOST - 1 :] = [Annotation(level, "mcp-perf: more of these", more)]
        kept += of_level
    return kept
