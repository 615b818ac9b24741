"""Baselines and histories in the terminal. Fits 80 columns."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from mcp_perf import numbers
from mcp_perf.results.compare.comparable import differences
from mcp_perf.results.document.run_numbers import RunNumbers
from mcp_perf.results.render.console.terminal import STYLES, Cells, table
from mcp_perf.results.render.files.trend_page import remark, slope, unit_of
from mcp_perf.results.render.words import wording
from mcp_perf.results.stats.rounds import around
from mcp_perf.results.stats.trend import Line, Mark
from mcp_perf.results.tally.metrics import COMPARED


def baseline_table(runs: Sequence[RunNumbers], console: Console) -> None:
    """Print what each run of a baseline measured."""
    first = runs[0].identity
    load = ", ".join(f"{name} {value}" for name, value in first.load.items())
    machine = ", ".join(str(value) for value in first.machine.values())
    for line in (f"scenario: {first.scenario}", f"load: {load}", f"machine: {machine}"):
        console.print(Text(line), soft_wrap=True)
    for run in runs:
        console.print()
        console.print(Text(f"{run.run_id} ({run.started}, {run.verdict})", style="bold"))
        rows = (
            (
                *(name, metric, numbers.measured(value, unit_of(metric))),
                numbers.interval(around(value, arm.rounds[metric]), unit_of(metric)),
            )
            for name, arm in run.arms.items()
            for metric in COMPARED
            if (value := arm.values.get(metric)) is not None
        )
        console.print(table(("arm", "metric", "value", "95 % interval"), rows, console.width))


def trend_tables(lines: Sequence[Line], console: Console) -> None:
    """Print each line of runs; lines of one metric that cannot be compared follow one another."""
    for (scenario, arm, metric), same in groupby(lines, lambda x: (x.scenario, x.arm, x.metric)):
        several = list(same)
        for number, line in enumerate(several, 1):
            which = f" ({number} of {len(several)})" if len(several) > 1 else ""
            meaning = f", {gloss}" if (gloss := wording.metric(metric)) else ""
            head = f"{scenario}, arm {arm}: {metric}{which}{meaning}"
            console.print(Text(head, style="bold"))
            first, here = (of.marks[0].point.identity for of in (several[0], line))
            for difference in differences(first, here) if number > 1 else ():
                console.print(Text(f"not comparable: {difference}", style="dim"))
            columns = ("started", "value", "95 % interval", "change", "verdict")
            rows = (_row(mark, unit_of(metric)) for mark in line.marks)
            console.print(table(columns, rows, console.width))
            for mark in line.marks:
                if said := remark(mark):
                    console.print(Text(f"{_started(mark)}: {said}", style="bold"))
            console.print(Text(slope(line), style="dim"))
            console.print()


def _row(mark: Mark, unit: str) -> Cells:
    point = mark.point
    ci95 = None if point.low is None or point.high is None else (point.low, point.high)
    verdict = point.verdict if point.complete else "cut off"
    return (
        *(_started(mark), numbers.measured(point.value, unit), numbers.interval(ci95, unit)),
        *(numbers.ratio(mark.change), Text(verdict, style=STYLES.get(verdict, "dim"))),
    )


def _started(mark: Mark) -> str:
    return mark.point.started[:16].replace("T", " ")
