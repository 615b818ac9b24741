"""The results of a session's comparisons, as lines for the terminal and as a page of links."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

from mcp_perf.numbers import said
from mcp_perf.pytest_plugin.gate_file import Entry
from mcp_perf.results.document.document import GateResult, Report
from mcp_perf.results.render.files.markdown import text

INDEX: Final = "index.md"
_LONGEST: Final = 10_000
"""Characters of what was found in a comparison."""


def lines(report: Report) -> Iterator[str]:
    """Yield a line for each gate of a comparison; without gates, for each pair of sides."""
    for gate in report.gates:
        yield f"{gate.verdict:<12}  {report.scenario}: {_found(gate)}"
    for found in _ratios(report):
        yield f"no gate       {report.scenario}: {found}"


def fail_unless_pass(report: Report) -> None:
    """Fail the test with the verdict and its reasons, unless it is PASS."""
    if report.verdict != "PASS":
        reasons = [reason.line for reason in report.reasons]
        pytest.fail("\n".join([report.verdict, *reasons]), pytrace=False)


def not_judged(entry: Entry, why: str) -> str:
    """Say why the gates of a benchmark were not judged."""
    return f"not judged    {entry.benchmark}: {why}"


def write_index(folder: Path, reports: Iterable[tuple[Report, Path | None]]) -> None:
    """Write a page that leads to the report of each comparison. Raises OSError."""
    head = ["# Benchmarks, side by side", "", "| benchmark | verdict | found |", "|---|---|---|"]
    rows = [
        f"| [{text(report.title)}]({own.name}/report.html) | {report.verdict} "
        f"| {text('; '.join([*map(_found, report.gates), *_ratios(report)]), _LONGEST)} |"
        for report, own in reports
        if own is not None
    ]
    (folder / INDEX).write_text("\n".join([*head, *rows, ""]), encoding="utf-8")


def _found(gate: GateResult) -> str:
    if gate.measured is None:
        return f"{gate.gate}: not measured"
    return f"{gate.gate}: {said(gate.measured, gate.unit)}" + _between(gate.ci95, gate.unit)


def _ratios(report: Report) -> list[str]:
    return [
        f"{one.arm}.throughput is {said(one.ratio, 'x')} {one.versus}{_between(one.ci95, 'x')}"
        for one in ([] if report.gates else report.comparisons)
        if one.metric == "throughput" and one.ratio is not None
    ]


def _between(ci95: tuple[float, float] | None, unit: str) -> str:
    if ci95 is None:
        return ""
    low, high = (said(end, unit) for end in ci95)
    return f", between {low} and {high} (95 %)"
