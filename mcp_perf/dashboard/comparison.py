"""Compares two or more runs: the statistics of `mcp-perf compare`, and the curves in one chart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse

from mcp_perf import numbers
from mcp_perf.dashboard import page
from mcp_perf.dashboard.runs import address, report_of
from mcp_perf.dashboard.table import Cells, Column, Form, Table
from mcp_perf.results.compare.baseline import of_report
from mcp_perf.results.compare.comparable import differences
from mcp_perf.results.compare.report import CompareReport, compare_all
from mcp_perf.results.document.document import Report
from mcp_perf.results.render.charts.percentiles import from_median
from mcp_perf.results.render.charts.scales import of_fractions
from mcp_perf.results.render.files import compare_report, html
from mcp_perf.scenario.problems.wording import InputError
from mcp_perf.scenario.values.units import TOLERANCE, fraction

router: Final = APIRouter()
_MOST: Final = 8
"""The most runs in a comparison: as many as a reader can tell apart."""
_JUDGED: Final = tuple(
    Column(key, key)
    for key in (
        *("run_id", "arm", "versus", "metric", "unit", "base", "new", "ratio"),
        *("low", "high", "p_value", "effect_needed", "verdict", "reason"),
    )
)
_TIMES: Final = ("p50", "p90", "p95", "p99", "p99_9", "max")
_MEASURED: Final = (
    Column("run_id", "Run", link=lambda row: address(row["run_id"])),
    Column("arm", "Arm", "arm"),
    *(Column(name, name.replace("_", "."), "ms") for name in _TIMES),
    Column("throughput", "Journeys", "/s"),
    Column("error_rate", "Errors", "fraction"),
)


@dataclass(frozen=True)
class ChosenRuns:
    """Runs to be compared, the base first."""

    reports: Sequence[Report]
    tolerance: float
    unlike: dict[str, list[str]]
    """Run id -> why it cannot be compared with the base."""

    @cached_property
    def judged(self) -> CompareReport | None:
        """Compare all runs that can be compared; None if none can."""
        [base, *others] = self.reports
        fit = [of_report(one) for one in others if one.run_id not in self.unlike]
        return compare_all([of_report(base)], fit, self.tolerance) if fit else None


def _chosen(
    request: Request,
    run: Annotated[list[str], Query(max_length=_MOST)] = [],  # noqa: B006 -- FastAPI copies it
    base: str = "",
    tolerance: str = TOLERANCE,
) -> ChosenRuns | None:
    """Read the runs from the store; the base is the one that the request names, or the oldest."""
    try:
        allowed = fraction(tolerance)
    except InputError as error:
        raise HTTPException(422, f"tolerance: {error.message}; {error.hint}") from error
    reports = [report_of(request, one) for one in dict.fromkeys(run)]
    if len(reports) < 2:
        return None
    reports.sort(key=lambda one: (one.run_id != base, one.started))
    first, *others = (of_report(one).identity for one in reports)
    found = {
        report.run_id: differences(first, other)
        for report, other in zip(reports[1:], others, strict=True)
    }
    return ChosenRuns(reports, allowed, {name: lines for name, lines in found.items() if lines})


_Chosen = Annotated[ChosenRuns | None, Depends(_chosen)]


@router.get("/compare", include_in_schema=False)
def compare(request: Request, chosen: _Chosen, tolerance: str = TOLERANCE) -> HTMLResponse:
    """Show the comparison, and what each run measured."""
    if chosen is None:
        return page.show(request, "dashboard_compare.html.j2", chosen=None)
    judged = chosen.judged
    arms = dict.fromkeys(name for report in chosen.reports for name in report.arms)
    shown: list[dict[str, Any]] = [
        {"run": run, "regressions": html.regressions(run.regressions)}
        for run in (judged.runs if judged else ())
    ]
    return page.show(
        request,
        "dashboard_compare.html.j2",
        arms,
        chosen=chosen,
        tolerance=tolerance,
        address=address,
        runs=shown,
        judged=_judged(chosen),
        measured=_measured(chosen),
        charts=[_curves(chosen.reports, arm) for arm in arms],
    )


@router.get("/compare.pdf")
def compare_as_pdf(chosen: _Chosen) -> Response:
    """Compare runs with the first, as PDF."""
    runs = _some(chosen)
    if runs.judged is None:
        raise HTTPException(422, "run: none of these runs can be compared with the base")
    return page.paper(compare_report.as_html(runs.judged, runs.reports), "comparison")


@router.get("/compare.{form}")
def compare_as_file(form: Form, chosen: _Chosen) -> Response:
    """Compare runs with the first: every metric of every arm."""
    return _judged(_some(chosen)).answer(form)


@router.get("/compare/percentiles.{form}")
def measured_as_file(form: Form, chosen: _Chosen) -> Response:
    """Return what each of the runs measured."""
    return _measured(_some(chosen)).answer(form)


def _some(chosen: ChosenRuns | None) -> ChosenRuns:
    if chosen is None:
        raise HTTPException(422, "run: name two runs or more, as ?run=ID&run=ID")
    return chosen


def _judged(chosen: ChosenRuns) -> Table:
    judged = chosen.judged
    rows: list[Cells] = []
    for run in judged.runs if judged else ():
        for one in run.regressions:
            low, high = one.ci95 or (None, None)
            ends = {"run_id": run.run_id, "low": low, "high": high}
            rows.append({**one.model_dump(exclude={"ci95", "warnings"}), **ends})
    return Table("Comparison", "/compare", _JUDGED, rows)


def _measured(chosen: ChosenRuns) -> Table:
    rows = [
        {
            "run_id": report.run_id,
            "arm": name,
            **{time: getattr(arm.latency_ms, time) for time in _TIMES},
            "throughput": arm.throughput_per_s,
            "error_rate": arm.error_rate,
        }
        for report in chosen.reports
        for name, arm in report.arms.items()
    ]
    return Table("Latency by percentile", "/compare/percentiles", _MEASURED, rows)


def _curves(reports: Sequence[Report], arm: str) -> dict[str, Any]:
    """Lay the curves of one arm over each other, from the median to the longest call."""
    curves = [
        (i, report.run_id, from_median(report.arms[arm].percentile_curve))
        for i, report in enumerate(reports)
        if arm in report.arms
    ]
    x = of_fractions(at for _, _, curve in curves for at, _ in curve)
    ticks, labels = zip(*x.ticks, strict=True)
    return {
        "title": f"{arm}: latency by percentile",
        "x": {"title": "percentile", "tickvals": ticks, "ticktext": labels, "range": (0, 1)},
        "y": {"title": "ms", "type": "log", "minorloglabels": "complete"},
        "lines": [
            {
                "name": name,
                "arm": i,
                "mode": "lines",
                "x": [x.at(at) for at, _ in curve],
                "y": [ms for _, ms in curve],
                "text": list(_readings(name, curve)),
            }
            for i, name, curve in curves
        ],
    }


def _readings(name: str, curve: Sequence[tuple[float, float]]) -> Iterator[str]:
    for at, ms in curve:
        yield f"{name}\n{100 * at:.10g} %: {numbers.ms(ms)}"
