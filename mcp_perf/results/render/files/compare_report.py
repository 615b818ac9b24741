"""`compare.html`, `compare.md` and `compare.json`: runs against a base."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from mcp_perf.results.compare.report import CompareReport
from mcp_perf.results.document.document import Report
from mcp_perf.results.render.charts import charts, percentiles
from mcp_perf.results.render.files import html, markdown, pdf
from mcp_perf.results.render.words import wording


def as_html(report: CompareReport, measured: Sequence[Report] = ()) -> str:
    """Write the comparison as one HTML page, with the curves of the reports given."""
    arms = dict.fromkeys(row.arm for run in report.runs for row in run.regressions)
    runs: list[dict[str, Any]] = [
        {"run": run, "regressions": html.regressions(run.regressions)} for run in report.runs
    ]
    words = wording.TEXTS["comparisons"]
    return html.page(
        "compare.html.j2",
        arms,
        report=report,
        runs=runs,
        words=words,
        curves=[(arm, *_curves(measured, arm)) for arm in arms],
    )


def _curves(measured: Sequence[Report], arm: str) -> tuple[str, dict[str, charts.Look]]:
    """Draw one arm's latency by percentile in all runs, and say how each run looks there."""
    runs = {one.run_id: one.arms[arm] for one in measured if arm in one.arms}
    return percentiles.draw(runs), charts.looks(runs)


def sections(report: CompareReport) -> list[str]:
    """Write the comparison part by part, the head first."""
    return markdown.page("compare.md.j2", report=report)


def as_markdown(report: CompareReport) -> str:
    """Write the comparison as GitHub-flavoured Markdown."""
    return "\n\n".join(sections(report)) + "\n"


RENDERINGS: Final[dict[str, Callable[[CompareReport], str | bytes]]] = {
    "html": as_html,
    "json": CompareReport.as_json,
    "md": as_markdown,
    "pdf": lambda report: pdf.render(as_html(report)),
}
"""By what the file's name ends with."""
