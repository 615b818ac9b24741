"""Pages of runs: the list of all that the store knows, and each of them."""

from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse
from msgspec.structs import asdict
from pydantic import BeforeValidator
from sqlalchemy import make_url

from mcp_perf.dashboard import page
from mcp_perf.dashboard.following import going_on
from mcp_perf.dashboard.report_tables import TABLES, table_of
from mcp_perf.dashboard.table import Cells, Column, Form, Table
from mcp_perf.results.compare.stored import RunFilter, RunSummary, document, runs, scenarios
from mcp_perf.results.document.document import Report
from mcp_perf.results.document.part import VerdictName
from mcp_perf.results.render.files import html

router: Final = APIRouter()
_ON_A_PAGE: Final = 50
_MOST: Final = 100_000
"""The most rows of a file."""
_VERDICTS: Final = ("PASS", "FAIL", "INCONCLUSIVE", "INVALID")
_Day = Annotated[date | None, BeforeValidator(lambda text: text or None)]
_Verdict = Annotated[VerdictName | None, BeforeValidator(lambda text: text or None)]


def address(run_id: str) -> str:
    """Return where a run is shown."""
    return f"/runs/{quote(run_id, safe='')}"


def _link(row: Cells) -> str:
    return address(row["run_id"]) if row["has_report"] else ""


_COLUMNS: Final = (
    Column("run_id", "Run", link=_link),
    Column("verdict", "Verdict", "verdict"),
    Column("scenario", "Scenario"),
    Column("started", "Started", "time"),
    Column("duration_s", "Duration", "s"),
    Column("targets", "Targets"),
    Column("reason", "Reason"),
)


def _wanted(
    scenario: str = "",
    verdict: _Verdict = None,
    since: _Day = None,
    until: _Day = None,
    text: str = "",
) -> RunFilter:
    """Read the filter; `until` includes its day, and start times are texts that begin with it."""
    return RunFilter(
        scenario=scenario,
        verdict=verdict or "",
        since=str(since or ""),
        until=f"{until}~" if until else "",
        text=text,
    )


_Wanted = Annotated[RunFilter, Depends(_wanted)]


@router.get("/runs", include_in_schema=False)
def every(
    request: Request, wanted: _Wanted, at: Annotated[int, Query(alias="page", ge=1, le=_MOST)] = 1
) -> HTMLResponse:
    """Show runs, the newest first."""
    store = request.app.state.store
    found = runs(store, wanted, limit=_ON_A_PAGE, offset=(at - 1) * _ON_A_PAGE)
    asked = {name: text for name, text in request.query_params.items() if name != "page" and text}
    return page.show(
        request,
        "dashboard_runs.html.j2",
        going_on=going_on(request.app.state),
        table=_table(found.runs),
        total=found.total,
        at=at,
        last=max(1, -(-found.total // _ON_A_PAGE)),
        to=lambda number: "/runs?" + urlencode({**asked, "page": number}),
        asked=asked,
        scenarios=scenarios(store),
        verdicts=_VERDICTS,
        store=make_url(store).render_as_string(hide_password=True),
    )


@router.get("/runs.{form}")
def every_as_file(request: Request, form: Form, wanted: _Wanted) -> Response:
    """List runs, the newest first."""
    return _table(runs(request.app.state.store, wanted, limit=_MOST).runs).answer(form)


def _table(found: list[RunSummary]) -> Table:
    return Table("Runs", "/runs", _COLUMNS, [_row(run) for run in found])


def _row(run: RunSummary) -> Cells:
    targets = ", ".join(f"{arm}: {target}" for arm, target in run.targets.items())
    cut = "" if run.complete else "cut off"
    return {**asdict(run), "targets": targets, "reason": run.reason or cut}


def report_of(request: Request, run_id: str) -> Report:
    """Return a run's report from the store. Raises Missing."""
    found = document(request.app.state.store, run_id)
    if found is None:
        raise page.Missing(f"The store has no report of a run {run_id}.")
    return found


@router.get("/runs/{run_id}.json")
def single_as_json(request: Request, run_id: str) -> Response:
    """Return the report of a run, as in its report.json."""
    return Response(report_of(request, run_id).as_json(), media_type="application/json")


@router.get("/runs/{run_id}.pdf")
def single_as_pdf(request: Request, run_id: str) -> Response:
    """Return the report of a run as PDF."""
    return page.paper(html.render(report_of(request, run_id)), run_id)


@router.get("/runs/{run_id}/{name}.{form}")
def single_as_file(request: Request, run_id: str, name: str, form: Form) -> Response:
    """Return one table of a run's report, such as arms, gates, steps or rounds."""
    if name not in TABLES:
        raise page.Missing(f"A report has no table {name}, but {', '.join(TABLES)}.")
    return table_of(report_of(request, run_id), name, address(run_id)).answer(form)


@router.get("/runs/{run_id}", include_in_schema=False)
def single(request: Request, run_id: str) -> HTMLResponse:
    """Show a run by its report."""
    report = report_of(request, run_id)
    shown: dict[str, Any] = page.frame(request)
    text = html.render(
        report,
        "dashboard_run.html.j2",
        at=address(run_id),
        files=[name for name, read in TABLES.items() if any(read(report))],
        before=_before(request.app.state.store, report),
        **shown,
    )
    return HTMLResponse(text, headers=page.PROTECTION)


def _before(store: str, report: Report) -> str:
    """Return the address of a comparison with the scenario's run before it, if there is one."""
    wanted = RunFilter(scenario=report.scenario, until=report.started)
    earlier = [one.run_id for one in runs(store, wanted, limit=5).runs if one.has_report]
    if not earlier:
        return ""
    return "/compare?" + urlencode([("run", earlier[0]), ("run", report.run_id)])
