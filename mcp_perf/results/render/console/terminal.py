"""The end of a run in the terminal: verdict first, then what it rests on. Fits 80 columns."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mcp_perf import numbers
from mcp_perf.outcomes import CHECK_FAILED
from mcp_perf.results.compare.report import CompareReport
from mcp_perf.results.document.comparison import Regression
from mcp_perf.results.document.document import Report, RoundNumbers, StepNumbers
from mcp_perf.results.document.part import VerdictName
from mcp_perf.results.document.text import clip, one_line, shortened
from mcp_perf.results.render.charts import capacity, layers
from mcp_perf.results.render.words import gate_numbers, grouping
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
_MOST_STEPS: Final = 10
_MOST_PAIRS: Final = 2
"""Pairs of arms that are compared in every metric; of more, only in the headlines."""
_NAMES: Final = frozenset({"arm", "step", "layer", "metric", "capacity of", "memory of"})
"""Columns of names, which others have chosen: they may be of any length."""
_SHORTEST: Final = 12
_GAP: Final = 2
Cells = tuple[str | Text, ...]


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
        if any(len(arm.steps) > 1 for arm in report.arms.values()):
            _steps(report, console)
    _blemishes(report, console)
    _sessions(report, console)
    _layers(report, console)
    _comparisons(report, console)
    if report.regressions:
        console.print("Against the baseline", style="bold")
        _regressions(report.regressions, console)
    if report.gates:
        rows = ((one.gate, gate_numbers.gate(one), _styled(one.verdict)) for one in report.gates)
        _table(console, ("gate", "measured", "verdict"), rows)
    _failures(report, console)
    _lines(console, [one_line(remark) for one in report.replies for remark in one.remarks])
    for line in simulated(report):
        console.print(Text(f"simulated: {line}", style="dim"), soft_wrap=True)
    for line in upstreams(report):
        console.print(Text(numbers.plain(line)), soft_wrap=True)
    reasons = [reason.line for reason in report.reasons]
    _verdict(report.verdict, f" (exit code {report.exit_code})", reasons, console)
    files = [folder / f"report.{kind}" for kind in ("html", "pdf", "md", "json")]
    written = next((file for file in files if file.is_file()), files[0])
    console.print(Text(f"Report: {written}"), soft_wrap=True)


def _failures(report: Report, console: Console) -> None:
    said = {(one.arm, one.step): one.first for one in report.replies}
    for failure in report.failures[:5]:
        line = (
            f"{failure.arm}: {numbers.count(failure.count)} x {failure.cls} in "
            f"{failure.step}: {one_line(failure.example)}"
        )
        console.print(Text(numbers.plain(line), style="red"), soft_wrap=True)
        reply = said.get((failure.arm, failure.step), {}).get(failure.cls, "")
        if reply and failure.cls == CHECK_FAILED:
            shown = clip(one_line(reply), _REPLY_LIMIT)
            console.print(Padding(Text(f"the reply: {shown}", style="dim"), (0, 0, 0, 2)))
    if report.failures:
        console.print()


def comparison(report: CompareReport, console: Console) -> None:
    """Print runs against a base."""
    for run in report.runs:
        what = f"{report.scenario}: {run.run_id} against {', '.join(report.base)}"
        console.print(Text(what, style="bold"))
        if run.regressions:
            _regressions(run.regressions, console)
        _verdict(run.verdict, "", run.reasons, console)
        for note in run.notes:
            console.print(Padding(Text(numbers.plain(note), style="dim"), (0, 0, 0, 2)))
        console.print()
    console.print(Text(f"{report.verdict} (exit code {report.exit_code})", style="bold"))


def _verdict(verdict: VerdictName, code: str, reasons: Sequence[str], console: Console) -> None:
    console.print(Text.assemble(_styled(verdict), code))
    for reason in reasons:
        console.print(Padding(Text(numbers.plain(reason)), (0, 0, 0, 2)))


def _styled(verdict: VerdictName) -> Text:
    return Text(verdict, style=STYLES[verdict])


def _arms(report: Report, console: Console) -> None:
    rows = (
        (
            *(name, *map(numbers.significant, (arm.throughput_per_s, arm.calls_per_s))),
            *(numbers.ms(getattr(arm.latency_ms, time)) for time in ("p50", "p95", "p99")),
            numbers.percent(arm.error_rate),
        )
        for name, arm in report.arms.items()
    )
    _table(console, ("arm", "journeys/s", "calls/s", "p50", "p95", "p99", "errors"), rows)


def _levels(report: Report, console: Console) -> None:
    rows = (
        (name, numbers.count(one.users), numbers.significant(one.calls_per_s), *_times(one))
        for name, arm in report.arms.items()
        for one in arm.rounds
        if one.phase == "round"
    )
    _table(console, ("arm", "users", "calls/s", "p50", "p95", "errors"), rows)


def _steps(report: Report, console: Console) -> None:
    """Show the steps that took longest or failed most, equal names next to each other."""
    found = grouping.steps(report.arms)
    names = list(dict.fromkeys(name for name, _, _ in found))
    several = len(report.arms) > 1
    compared = any(one.compared for _, _, one in found)
    rows = (
        (
            *(name, *([arm] if several else []), numbers.count(one.count), *_times(one)),
            *([numbers.ratio(one.compared.ratio if one.compared else None)] if compared else []),
        )
        for name, arm, one in found
        if name in names[:_MOST_STEPS]
    )
    more = ["The other steps are in the report."] if len(names) > _MOST_STEPS else []
    arm, ratio = ["arm"] if several else [], ["p50 ratio"] if compared else []
    _table(console, ("step", *arm, "calls", "p50", "p95", "errors", *ratio), rows, more)


def _times(one: RoundNumbers | StepNumbers) -> tuple[str, str, str]:
    latency = one.latency_ms
    return (numbers.ms(latency.p50), numbers.ms(latency.p95), numbers.percent(one.error_rate))


def _blemishes(report: Report, console: Console) -> None:
    lines = [
        f"{name}: session_loss_rate {numbers.percent(arm.session_loss_rate)}, "
        f"healed_rate {numbers.percent(arm.healed_rate)}"
        for name, arm in report.arms.items()
        if arm.healed_rate
    ]
    _lines(console, lines + [one_line(note) for note in report.notes if note.startswith(STRAY)])


def _capacity(report: Report, console: Console) -> None:
    rows = ((one.arm, one.rate, one.interval, one.beyond) for one in capacity.found(report.arms))
    _table(console, ("capacity of", "holds", "between", "what broke beyond"), rows)


def _sessions(report: Report, console: Console) -> None:
    arms = {name: arm.sessions for name, arm in report.arms.items()}
    rows = [
        (
            *(name, numbers.count(one.most), numbers.count(one.streams), per_session(one)),
            *map(numbers.byte_size, (one.rss_before, one.rss_open, one.rss_after)),
        )
        for name, one in {**arms, "load generator": report.generator.sessions}.items()
        if tells_memory(one)
    ]
    if rows:
        columns = ("memory of", "sessions", "streams", "KiB of each", "before", "open", "closed")
        _table(console, columns, rows)


def _layers(report: Report, console: Console) -> None:
    rungs = layers.rungs(report.layers)
    if rungs:
        columns = ("layer", "journey p50", "own cost", "95 % interval")
        rows = ((rung.arm, rung.journey, rung.cost, rung.interval) for rung in rungs)
        remarks = [f"{rung.arm}: {rung.remark}" for rung in rungs if rung.remark]
        _table(console, columns, rows, remarks)


def _comparisons(report: Report, console: Console) -> None:
    several = len({(one.arm, one.versus) for one in report.comparisons}) > _MOST_PAIRS
    rows = [
        (
            *(one.metric, f"{one.arm} / {one.versus}", numbers.ratio(one.ratio)),
            *(numbers.interval(one.ci95, "x"), numbers.p_value(one.p_value)),
        )
        for one in report.comparisons
        if one.ratio is not None and (not several or one.metric in _HEADLINES)
    ]
    if rows:
        more = ["The other metrics are in the report."] if several else []
        _table(console, ("metric", "arm", "ratio", "95 % interval", "p"), rows, more)


def _regressions(rows: Sequence[Regression], console: Console) -> None:
    groups: dict[tuple[str, str], list[Regression]] = {}
    for row in rows:
        groups.setdefault((row.arm, row.versus), []).append(row)
    for (arm, versus), of_arm in groups.items():
        divided = f", divided by {versus} before it is compared" if versus else ""
        console.print(Text(f"arm {arm}{divided}", style="bold"))
        shown = (
            (
                *(row.metric, numbers.measured(row.base, row.unit)),
                *(numbers.measured(row.new, row.unit), numbers.ratio(row.ratio)),
                numbers.interval(row.ci95, "fraction" if row.ratio is None else "x"),
                _styled(row.verdict) if row.verdict else Text("shown", style="dim"),
            )
            for row in of_arm
        )
        columns = ("metric", "base", "now", "ratio", "95 % interval", "verdict")
        _table(console, columns, shown)


def _lines(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(Text(numbers.plain(line), style="yellow"), soft_wrap=True)
    if lines:
        console.print()


def _table(
    console: Console, columns: Sequence[str], rows: Iterable[Cells], remarks: Iterable[str] = ()
) -> None:
    console.print(table(columns, rows, console.width))
    for remark in remarks:
        console.print(Text(numbers.plain(remark), style="dim"), soft_wrap=True)
    console.print()


def table(columns: Sequence[str], rows: Iterable[Cells], width: int = 80) -> Table:
    """Return a table, words to the left, numbers to the right; names give way if it is too wide."""
    shown = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0))
    for number, name in enumerate(columns):
        words = number == 0 or name in {*_NAMES, "verdict", "what broke beyond"}
        shown.add_column(name, justify="left" if words else "right", overflow="fold")
    lines = [
        [Text(numbers.plain(cell)) if isinstance(cell, str) else cell for cell in row]
        for row in rows
    ]
    _fit(columns, lines, width)
    for line in lines:
        shown.add_row(*line)
    return shown


def _fit(columns: Sequence[str], lines: Sequence[list[Text]], width: int) -> None:
    """Shorten the longest names until the table fits, as far as they still differ."""
    widths = [max(map(len, column)) for column in zip(columns, *lines, strict=True)]
    too_much = sum(widths) + _GAP * len(widths) - width
    names = [at for at, column in enumerate(columns) if column in _NAMES]
    for at in sorted(names, key=widths.__getitem__, reverse=True):
        most = max(_SHORTEST, widths[at] - max(0, too_much))
        too_much -= max(0, widths[at] - most)
        for line in lines:
            line[at] = Text(shortened(line[at].plain, most), line[at].style)
