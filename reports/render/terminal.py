"""The end of a run in the terminal: verdict first, then what it rests on. Fits 80 columns."""

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reports.document import Report
from reports.render import capacity, numbers
from reports.render.text import one_line
from reports.render.wording import simulated

_STYLES: Final = {
    "PASS": "bold green",
    "FAIL": "bold red",
    "INCONCLUSIVE": "bold yellow",
    "INVALID": "bold magenta",
}


def summary(report: Report, folder: Path, console: Console) -> None:
    """Print a finished report."""
    console.print()
    _arms(report, console)
    if capacity.of_arms(report.arms):
        _capacity(report, console)
    if report.comparisons:
        _comparisons(report, console)
    if report.gates:
        _gates(report, console)
    for failure in report.failures[:5]:
        line = (
            f"{failure.arm}: {numbers.count(failure.count)} x {failure.cls} in "
            f"{failure.step}: {one_line(failure.example)}"
        )
        console.print(Text(_plain(line), style="red"), soft_wrap=True)
    if report.failures:
        console.print()
    for line in simulated(report):
        console.print(Text(f"simulated: {line}", style="dim"), soft_wrap=True)
    verdict = Text(report.verdict, style=_STYLES[report.verdict])
    console.print(Text.assemble(verdict, f" (exit code {report.exit_code})"))
    for reason in report.reasons:
        console.print(Padding(Text(_plain(reason)), (0, 0, 0, 2)))
    console.print(Text(f"Report: {folder / 'report.html'}"), soft_wrap=True)


def _arms(report: Report, console: Console) -> None:
    table = _table("arm", "journeys/s", "calls/s", "p50", "p95", "p99", "errors")
    for name, arm in report.arms.items():
        latency = arm.latency_ms
        table.add_row(
            Text(name),
            _plain(numbers.significant(arm.throughput_per_s)),
            _plain(numbers.significant(arm.calls_per_s)),
            *(_plain(numbers.ms(value)) for value in (latency.p50, latency.p95, latency.p99)),
            _plain(numbers.percent(arm.error_rate)),
        )
    console.print(table)
    console.print()


def _capacity(report: Report, console: Console) -> None:
    table = _table("capacity of", "holds", "between", "what broke beyond")
    for one in capacity.found(report.arms):
        table.add_row(Text(one.arm), one.rate, one.interval, Text(_plain(one.beyond)))
    console.print(table)
    console.print()


def _comparisons(report: Report, console: Console) -> None:
    table = _table("metric", "arm", "ratio", "95 % interval", "p")
    for entry in report.comparisons:
        if entry.ratio is None:
            continue
        table.add_row(
            Text(entry.metric),
            Text(f"{entry.arm} / {entry.versus}"),
            _plain(numbers.ratio(entry.ratio)),
            _plain(numbers.interval(entry.ci95, "x")),
            _plain(numbers.p_value(entry.p_value)),
        )
    if table.row_count:
        console.print(table)
        console.print()


def _gates(report: Report, console: Console) -> None:
    table = _table("gate", "measured", "verdict")
    for gate in report.gates:
        table.add_row(
            Text(gate.gate),
            _plain(numbers.measured(gate.measured, gate.unit)),
            Text(gate.verdict, style=_STYLES[gate.verdict]),
        )
    console.print(table)
    console.print()


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        words = number == 0 or name in ("arm", "verdict", "what broke beyond")
        table.add_column(name, justify="left" if words else "right", overflow="fold")
    return table


def _plain(text: str) -> str:
    """Write the narrow spaces of the HTML report as ordinary ones: terminals differ in them."""
    return text.replace(numbers.THIN, " ")
