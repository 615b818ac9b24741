"""What came of the comparisons of one session, in lines for the terminal and as a page of links."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from reports.benchmarks.comparison import file_name
from reports.benchmarks.gate_file import Entry
from reports.document import GateResult, Report
from reports.judge import show

INDEX: Final = "index.md"


def lines(report: Report) -> Iterator[str]:
    """Yield a line for each gate of a comparison."""
    for gate in report.gates:
        yield f"{gate.verdict:<12}  {report.scenario}: {_found(gate)}"


def not_judged(entry: Entry, why: str) -> str:
    """Say why the gates of a benchmark say nothing this time."""
    return f"not judged    {entry.benchmark}: {why}"


def write_index(folder: Path, reports: Sequence[Report]) -> None:
    """Write a page that leads to the report of each comparison.

    Raises OSError when the folder cannot be written.
    """
    head = ["# Benchmarks, side by side", "", "| benchmark | verdict | gates |", "|---|---|---|"]
    rows = [
        f"| [{_cell(report.title)}]({file_name(report.scenario)}/report.html) | {report.verdict} "
        f"| {_cell('; '.join(map(_found, report.gates))) or 'none'} |"
        for report in reports
    ]
    (folder / INDEX).write_text("\n".join([*head, *rows, ""]), encoding="utf-8")


def _found(gate: GateResult) -> str:
    if gate.measured is None:
        return f"{gate.gate}: not measured"
    found = f"{gate.gate}: {show(gate.measured, gate.unit)}"
    if gate.ci95 is None:
        return found
    low, high = (show(end, gate.unit) for end in gate.ci95)
    return f"{found}, between {low} and {high} (95 %)"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("[", "\\[").replace("]", "\\]")
