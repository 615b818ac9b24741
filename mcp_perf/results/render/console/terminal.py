"""The end of a run in the terminal: verdict first, then what it rests on. Fits 80 columns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mcp_perf.outcomes import CHECK_FAILED
from mcp_perf.results.compare.report import CompareReport
from mcp_perf.results.document.comparison import Regression
from mcp_perf.results.document.document import Report, RoundNumbers, StepNumbers
from mcp_perf.results.document.part import VerdictName
from mcp_perf.results.document.text import clip, one_line
from mcp_perf.results.render.charts import capacity, layers
from mcp_perf.results.render.words import numbers
from mcp_perf.results.render.words.arm_rows import per_session, tells_memory
from mcp_perf.results.render.words.wording import simulated, upstreams
from mcp_perf.results.report.notes import STRAY

STYLES: Final = {
    "PASS": "bold green",
    "FAIL": "bold red",
    "INCONCLUSIVE": "bold yellow",
    "INVALID": "bold magenta",
}
_HEADLINES: Final = ("throughput", "journey_p50", "journey_p95", "cpu_per_journey")
_REPLY_LIMIT: Final = 400
_MOST_PAIRS: Final = 2
"""Pairs of arms that are compared in every metric; of more, only in the headlines."""


def summary(report: Report, folder: Path, console: Console) -> None:
    """Print a finished report."""
    console.print()
    if capacity.of_arms(report.arms):
        _capacity(report, console)  # numbers of an arm mix rates that held and rates that broke
    elif report.environment.get("load", {}).get("shape") == "doubling":
        _levels(report, console)
        _steps(report, console)
    else:
        _arms(report, console)
    _blemishes(report, console)
    _sessions(report, console)
    if report.layers:
        _layers(report, console)
    if report.comparisons:
        _comparisons(report, console)
    if report.regressions:
        console.print("Against the baseline", style="bold")
        _regressions(report.regressions, console)
    if report.gates:
        _gates(report, console)
    _failures(report, console)
    _replies(report, console)
    for line in simulated(report):
        console.print(Text(f"simulated: {line}", style="dim"), soft_wrap=True)
    for line in upstreams(report):
        console.print(Text(plain(line)), soft_wrap=True)
    _verdict(
        report.verdict,
        f" (exit code {report.exit_code})",
        [reason.line for reason in report.reasons],
        console,
    )
    console.print(Text(f"Report: {folder / 'report.html'}"), soft_wrap=True)


def _failures(report: Report, console: Console) -> None:
    said = {(one.arm, one.step): one.first for one in report.replies}
    for failure in report.failures[:5]:
        line = (
            f"{failure.arm}: {numbers.count(failure.count)} x {failure.cls} in "
            f"{failure.step}: {one_line(failure.example)}"
        )
        console.print(Text(plain(line), style="red"), soft_wrap=True)
        reply = said.get((failure.arm, failure.step), {}).get(failure.cls, "")
        if reply and failure.cls == CHECK_FAILED:
            shown = clip(one_line(reply), _REPLY_LIMIT)
            console.print(Padding(Text(f"the reply: {shown}", style="dim"), (0, 0, 0, 2)))
    if report.failures:
        console.print()


def _replies(report: Report, console: Console) -> None:
    """Print what is odd in replies that were ok."""
    odd = [remark for one in report.replies for remark in one.remarks]
    for remark in odd:
        console.print(Text(plain(one_line(remark)), style="yellow"), soft_wrap=True)
    if odd:
        console.print()


def comparison(report: CompareReport, console: Console) -> None:
    """Print runs against a base."""
    for run in report.runs:
        console.print(Text(f"{run.run_id} against {', '.join(report.base)}", style="bold"))
        if run.regressions:
            _regressions(run.regressions, console)
        _verdict(run.verdict, "", run.reasons, console)
        for note in run.notes:
            console.print(Padding(Text(plain(note), style="dim"), (0, 0, 0, 2)))
        console.print()
    console.print(Text(f"{report.verdict} (exit code {report.exit_code})", style="bold"))


def _verdict(verdict: VerdictName, code: str, reasons: Sequence[str], console: Console) -> None:
    console.print(Text.assemble(Text(verdict, style=STYLES[verdict]), code))
    for reason in reasons:
        console.print(Padding(Text(plain(reason)), (0, 0, 0, 2)))


def _arms(report: Report, console: Console) -> None:
    shown = table("arm", "journeys/s", "calls/s", "p50", "p95", "p99", "errors")
    for name, arm in report.arms.items():
        latency = arm.latency_ms
        shown.add_row(
            Text(name),
            plain(numbers.significant(arm.throughput_per_s)),
            plain(numbers.significant(arm.calls_per_s)),
            *(plain(numbers.ms(value)) for value in (latency.p50, latency.p95, latency.p99)),
            plain(numbers.percent(arm.error_rate)),
        )
    console.print(shown)
    console.print()


def _levels(report: Report, console: Console) -> None:
    """Print what each level of users was served with."""
    shown = table("arm", "users", "calls/s", "p50", "p95", "errors")
    for name, arm in report.arms.items():
        for one in (turn for turn in arm.rounds if turn.phase == "round"):
            row = (numbers.count(one.users), numbers.significant(one.calls_per_s))
            shown.add_row(Text(name), *map(plain, (*row, *_times(one))))
    console.print(shown)
    console.print()


def _steps(report: Report, console: Console) -> None:
    """Print what each step took, at all levels together."""
    shown = table("step", "calls", "p50", "p95", "errors")
    for arm in report.arms.values():
        for name, one in arm.steps.items():
            shown.add_row(Text(plain(name)), *map(plain, (numbers.count(one.count), *_times(one))))
    console.print(shown)
    console.print()


def _times(one: RoundNumbers | StepNumbers) -> tuple[str, str, str]:
    latency = one.latency_ms
    return (numbers.ms(latency.p50), numbers.ms(latency.p95), numbers.percent(one.error_rate))


def _blemishes(report: Report, console: Console) -> None:
    """Print which share of the calls had something to mend, and what came for no call."""
    lines = [
        f"{name}: session_loss_rate {numbers.percent(arm.session_loss_rate)}, "
        f"healed_rate {numbers.percent(arm.healed_rate)}"
        for name, arm in report.arms.items()
        if arm.healed_rate
    ]
    lines += [one_line(note) for note in report.notes if note.startswith(STRAY)]
    for line in lines:
        console.print(Text(plain(line), style="yellow"), soft_wrap=True)
    if lines:
        console.print()


def _capacity(report: Report, console: Console) -> None:
    shown = table("capacity of", "holds", "between", "what broke beyond")
    for one in capacity.found(report.arms):
        shown.add_row(Text(one.arm), one.rate, one.interval, Text(plain(one.beyond)))
    console.print(shown)
    console.print()


def _sessions(report: Report, console: Console) -> None:
    arms = {name: arm.sessions for name, arm in report.arms.items()}
    held = {**arms, "load generator": report.generator.sessions}
    shown = table("memory of", "sessions", "streams", "KiB of each", "before", "open", "closed")
    for name, one in held.items():
        if tells_memory(one):
            row = (numbers.count(one.most), numbers.count(one.streams), per_session(one))
            sizes = (one.rss_before, one.rss_open, one.rss_after)
            cells = (*row, *map(numbers.byte_size, sizes))
            shown.add_row(Text(name), *(plain(cell) for cell in cells))
    if shown.row_count:
        console.print(shown)
        console.print()


def _layers(report: Report, console: Console) -> None:
    shown = table("layer", "journey p50", "own cost", "95 % interval")
    for rung in layers.rungs(report.layers):
        shown.add_row(Text(rung.arm), *map(plain, (rung.journey, rung.cost, rung.interval)))
    console.print(shown)
    for rung in layers.rungs(report.layers):
        if rung.remark:
            console.print(Text(plain(f"{rung.arm}: {rung.remark}"), style="dim"), soft_wrap=True)
    console.print()


def _comparisons(report: Report, console: Console) -> None:
    shown = table("metric", "arm", "ratio", "95 % interval", "p")
    pairs = {(entry.arm, entry.versus) for entry in report.comparisons}
    chosen = _HEADLINES if len(pairs) > _MOST_PAIRS else ()
    for entry in report.comparisons:
        if entry.ratio is None or (chosen and entry.metric not in chosen):
            continue
        shown.add_row(
            Text(entry.metric),
            Text(f"{entry.arm} / {entry.versus}"),
            plain(numbers.ratio(entry.ratio)),
            plain(numbers.interval(entry.ci95, "x")),
            plain(numbers.p_value(entry.p_value)),
        )
    if shown.row_count:
        console.print(shown)
        if chosen:
            console.print("The other metrics are in the report.", style="dim")
        console.print()


def _regressions(rows: Sequence[Regression], console: Console) -> None:
    shown = table("arm", "metric", "base", "now", "ratio", "95 % interval", "verdict")
    for row in rows:
        by = "/c" if row.versus else ""
        unit = "fraction" if row.ratio is None else "x"
        shown.add_row(
            Text(row.arm),
            Text(row.metric + by),
            *(plain(_short(value, row.unit)) for value in (row.base, row.new)),
            plain(numbers.ratio(row.ratio)),
            plain(numbers.interval(row.ci95, unit)),
            Text(row.verdict or "shown", style=STYLES[row.verdict] if row.verdict else "dim"),
        )
    console.print(shown)
    if any(row.versus for row in rows):
        console.print("/c: the ratio to control is compared, not the value itself", style="dim")
    console.print()


def _short(value: float | None, unit: str) -> str:
    """Write a number without its unit where the metric tells it: the table has 80 columns."""
    if unit == "fraction":
        return numbers.percent(value)
    return numbers.ms(value) if unit == "ms" else numbers.significant(value)


def _gates(report: Report, console: Console) -> None:
    shown = table("gate", "measured", "verdict")
    for gate in report.gates:
        shown.add_row(
            Text(gate.gate),
            plain(numbers.measured(gate.measured, gate.unit)),
            Text(gate.verdict, style=STYLES[gate.verdict]),
        )
    console.print(shown)
    console.print()


def table(*columns: str) -> Table:
    """Return an empty table: words to the left, numbers to the right."""
    shown = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        words = number == 0 or name in ("arm", "verdict", "metric", "what broke beyond")
        shown.add_column(name, justify="left" if words else "right", overflow="fold")
    return shown


def plain(text: str) -> str:
    """Write the narrow spaces of the HTML report as ordinary ones: terminals differ in them."""
    return text.replace(numbers.THIN, " ")
