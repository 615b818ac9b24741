"""How a scenario's metric changes from run to run, and at which runs a new level begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from mcp_perf import numbers
from mcp_perf.dashboard import page
from mcp_perf.dashboard.runs import address
from mcp_perf.dashboard.table import Cells, Column, Form, Table
from mcp_perf.results.compare.history import points
from mcp_perf.results.compare.stored import metrics, runs, scenarios
from mcp_perf.results.render.files.trend_page import remark, slope, unit_of
from mcp_perf.results.stats.trend import Line, Mark, lines

router: Final = APIRouter()
_MOST: Final = 1000
"""The most points, the newest ones: more than a chart can show separately."""
_MOST_TICKS: Final = 6
_USUAL: Final = "p95"


@dataclass(frozen=True)
class WantedTrend:
    """What is shown, and what else could be."""

    scenario: str
    arm: str
    """Empty for all arms."""
    part: str
    """A tool or a step; empty for the arm as a whole."""
    metric: str
    choices: dict[str, list[str]]
    lines: list[Line]


def _wanted(
    request: Request, scenario: str = "", arm: str = "", tool: str = "", metric: str = ""
) -> WantedTrend:
    """Read the lines; if no scenario is named, take the newest run's."""
    store = request.app.state.store
    newest = [] if scenario else runs(store, limit=1).runs
    scenario = scenario or "".join(run.scenario for run in newest)
    known = [(one, *_split(name)) for one, name in metrics(store, scenario)]
    choices = {
        "scenario": scenarios(store),
        "arm": sorted({one for one, _, _ in known}),
        "tool": sorted({part for one, part, _ in known if part and arm in ("", one)}),
        "metric": sorted({name for one, part, name in known if part == tool and arm in ("", one)}),
    }
    shown = metric or _USUAL
    found = points(store, scenario, [(arm, f"{tool}.{shown}" if tool else shown)])
    drawn = sorted(lines(found[-_MOST:]), key=lambda one: one.marks[-1].point.started, reverse=True)
    return WantedTrend(scenario, arm, tool, shown, choices, drawn)


_Wanted = Annotated[WantedTrend, Depends(_wanted)]


def _split(name: str) -> tuple[str, str]:
    part, _, metric = name.rpartition(".")
    return part, metric


@router.get("/trends", include_in_schema=False)
def trends(request: Request, wanted: _Wanted) -> HTMLResponse:
    """Show a chart and a table for each line of runs that can be compared."""
    arms = sorted({*wanted.choices["arm"], *(line.arm for line in wanted.lines)})
    shown = [
        {
            "line": line,
            "slope": slope(line),
            "chart": _chart(line, arms.index(line.arm)),
            "table": Table(_title(line), "/trends", _columns(line.metric)[4:], _rows(line)),
        }
        for line in wanted.lines
    ]
    return page.show(
        request,
        "dashboard_trends.html.j2",
        arms,
        wanted=wanted,
        lines=shown,
        every=_table(wanted),
    )


@router.get("/trends.{form}")
def trends_as_file(form: Form, wanted: _Wanted) -> Response:
    """List the runs of each line: the value, its interval, and what is worth a look."""
    return _table(wanted).answer(form)


def _table(wanted: WantedTrend) -> Table:
    rows = [row for line in wanted.lines for row in _rows(line)]
    return Table("Trend", "/trends", _columns(""), rows)


def _columns(metric: str) -> Sequence[Column]:
    unit = _unit(metric)
    return (
        *(Column(key, key.capitalize()) for key in ("scenario", "arm", "metric", "group")),
        Column("run_id", "Run", link=lambda row: address(row["run_id"])),
        Column("verdict", "Verdict", "verdict"),
        Column("started", "Started", "time"),
        Column("value", "Value", unit),
        Column("low", "From", unit),
        Column("high", "To", unit),
        Column("change", "Ratio to the run before", "x"),
        Column("remark", "Remark"),
    )


def _rows(line: Line) -> list[Cells]:
    return [
        {**vars(mark.point), "change": mark.change, "remark": remark(mark)} for mark in line.marks
    ]


def _title(line: Line) -> str:
    return f"{line.arm}.{line.metric}"


def _chart(line: Line, arm: int) -> dict[str, Any]:
    every = [mark.point for mark in line.marks]
    ticks = list(range(0, len(every), -(-len(every) // _MOST_TICKS)))
    return {
        "title": f"{_title(line)} by run, the oldest at the left",
        "x": {"tickvals": ticks, "ticktext": [every[i].started[:10] for i in ticks]},
        "y": {"title": _unit(line.metric), "rangemode": "tozero"},
        "verticals": [i for i, mark in enumerate(line.marks) if mark.level is not None],
        "lines": [
            {
                "name": _title(line),
                "arm": arm,
                "x": list(range(len(every))),
                "y": [point.value for point in every],
                "low": [point.low for point in every],
                "high": [point.high for point in every],
                "marks": [i for i, mark in enumerate(line.marks) if remark(mark)],
                "text": [_reading(mark, _unit(line.metric)) for mark in line.marks],
            }
        ],
    }


def _reading(mark: Mark, unit: str) -> str:
    value = numbers.measured(mark.point.value, unit)
    said = (f"{mark.point.run_id}, {mark.point.verdict}", value, remark(mark))
    return "\n".join(filter(None, said))


def _unit(metric: str) -> str:
    return unit_of(_split(metric)[1])
