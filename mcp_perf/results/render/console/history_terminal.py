"""Baselines and histories in the terminal. Fits 80 columns."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from mcp_perf.results.compare.comparable import differences
from mcp_perf.results.document.run_numbers import RunNumbers
from mcp_perf.results.render.console.terminal import STYLES, plain, table
from mcp_perf.results.render.files.trend_page import slope, unit_of
from mcp_perf.results.render.words import numbers
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
        shown = table("arm", "metric", "value", "95 % interval")
        for name, arm in run.arms.items():
            for metric in COMPARED:
                value = arm.values.get(metric)
                if value is not None:
                    unit = unit_of(metric)
                    ci95 = around(value, arm.rounds[metric])
                    shown.add_row(
                        Text(name),
                        Text(metric),
                        plain(numbers.measured(value, unit)),
                        plain(numbers.interval(ci95, unit)),
                    )
        console.print(shown)


def trend_tables(lines: Sequence[Line], console: Console) -> None:
    """Print each line of runs; those of one metric that cannot be compared follow one another."""
    for (scenario, arm, metric), same in groupby(lines, lambda x: (x.scenario, x.arm, x.metric)):
        several = list(same)
        for number, line in enumerate(several, 1):
            which = f" ({number} of {len(several)})" if len(several) > 1 else ""
            console.print(Text(f"{scenario}: {arm}.{metric}{which}", style="bold"))
            first, here = (of.marks[0].point.identity for of in (several[0], line))
            for difference in differences(first, here) if number > 1 else ():
                console.print(Text(f"not comparable: {difference}", style="dim"))
            shown = table("started", "value", "95 % interval", "change", "verdict", "")
            for mark in line.marks:
                shown.add_row(*_row(mark, unit_of(metric)))
            console.print(shown)
            console.print(Text(slope(line), style="dim"))
            console.print()


def _row(mark: Mark, unit: str) -> list[Text | str]:
    point = mark.point
    ci95 = None if point.low is None or point.high is None else (point.low, point.high)
    verdict = point.verdict if point.complete else "cut off"
    return [
        Text(point.started),
        plain(numbers.measured(point.value, unit)),
        plain(numbers.interval(ci95, unit)),
        plain(numbers.ratio(mark.change)),
        Text(verdict, style=STYLES.get(verdict, "dim")),
        Text("stands out" if mark.stands_out else "", style="bold"),
    ]
