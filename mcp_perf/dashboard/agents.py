"""The pages of AI agents: the leaderboard, the list of sessions, one session."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response

from mcp_perf.agent import rendering
from mcp_perf.agent.leaderboard import Leaderboard, leaderboard
from mcp_perf.agent.records import TaskRecord
from mcp_perf.agent.standings import standings
from mcp_perf.agent.store import AgentSession, UnknownSession, counted, kept
from mcp_perf.agent.tasks import MODES
from mcp_perf.dashboard import agent_tables as tables
from mcp_perf.dashboard import page
from mcp_perf.dashboard.table import Form

router: Final = APIRouter(prefix="/agents", tags=["agents"])
_PAGE: Final = 50
"""Sessions on a page of their list."""
_FILTERS: Final[Mapping[str, str]] = {
    "server": "mcp_server",
    "client": "mcp_client",
    "model": "model",
    "task": "task_id",
    "mode": "mode",
}
"""The filters of sessions, and the fields of records that they compare."""


class Selected(NamedTuple):
    """The sessions that a request asks for, and the values that it could ask for."""

    sessions: list[AgentSession]
    choices: dict[str, list[str]]
    """The values of each filter, over all sessions."""
    asked: dict[str, str]


def _selected(
    request: Request, server: str = "", client: str = "", model: str = "", task: str = "",
    mode: str = "",
) -> Selected:  # fmt: skip
    store = kept(request.app.state.store)
    every = store.sessions() if store else []
    asked = {"server": server, "client": client, "model": model, "task": task, "mode": mode}
    fields = {name: field for name, field in _FILTERS.items() if asked[name]}
    sessions = [
        one
        for one in every
        if all(str(getattr(one.record, field)) == asked[name] for name, field in fields.items())
    ]
    found = {
        name: {
            str(value) for one in every if (value := getattr(one.record, field)) not in (None, "")
        }
        for name, field in _FILTERS.items()
    }
    return Selected(sessions, {name: sorted(values) for name, values in found.items()}, asked)


_Selected = Annotated[Selected, Depends(_selected)]


@lru_cache(maxsize=16)
def _compared(records: tuple[TaskRecord, ...], told: tuple[str, ...]) -> Leaderboard:
    return leaderboard(records, told)


def _board(selected: Selected) -> tuple[Leaderboard, list[TaskRecord]]:
    """Compare the sessions, once: for thousands of them, the bootstrap takes seconds."""
    records, told = counted(selected.sessions)
    return _compared(tuple(records), tuple(told)), records


@router.get("", include_in_schema=False)
def overview(request: Request, selected: _Selected) -> Response:
    """Show how agents did: by model and server, by task, with MCP and without."""
    board, records = _board(selected)
    return page.show(
        request,
        "dashboard_agents.html.j2",
        MODES,
        selected=selected,
        board=board,
        models=tables.models(records),
        tasks=tables.tasks(records),
        measures=tables.measures(board),
        charts=tables.charts(standings(records, "task_id", "mode")),
        heads=rendering.HEADS,
        cells=rendering.cells,
        far=rendering.far,
    )


@router.get("/models.{form}")
def models(selected: _Selected, form: Form) -> Response:
    """Return how each model did, by server and mode."""
    return tables.models(_board(selected)[1]).answer(form)


@router.get("/tasks.{form}")
def tasks(selected: _Selected, form: Form) -> Response:
    """Return how each task was done, by mode."""
    return tables.tasks(_board(selected)[1]).answer(form)


@router.get("/leaderboard.pdf")
def paper(selected: _Selected) -> Response:
    """Return the leaderboard as PDF."""
    return page.paper(rendering.as_html(_board(selected)[0]), "leaderboard")


@router.get("/leaderboard.{form}")
def measures(selected: _Selected, form: Form) -> Response:
    """Return every metric with MCP and without: over all sessions, by task and by model."""
    return tables.measures(_board(selected)[0]).answer(form)


@router.get("/sessions", include_in_schema=False)
def sessions(
    request: Request, selected: _Selected, number: Annotated[int, Query(alias="page", ge=1)] = 1
) -> Response:
    """List sessions page by page, the newest first."""
    newest = selected.sessions[::-1]
    pages = max(1, -(-len(newest) // _PAGE))
    listed = tables.sessions(newest[(number - 1) * _PAGE : number * _PAGE])
    return page.show(
        request,
        "dashboard_sessions.html.j2",
        MODES,
        selected=selected,
        table=replace(listed, columns=listed.columns[:-1]),  # the link has the id
        number=number,
        pages=pages,
    )


@router.get("/sessions.{form}")
def every_session(selected: _Selected, form: Form) -> Response:
    """Return all sessions, the newest first."""
    return tables.sessions(selected.sessions[::-1]).answer(form)


def _session(request: Request, session: str) -> tuple[AgentSession, list[dict[str, Any]]]:
    store = kept(request.app.state.store)
    with contextlib.suppress(UnknownSession):
        if store is not None:
            return store.session(session)
    raise page.Missing(f"There is no session {session}.")


@router.get("/sessions/{session}.{form}")
def events(request: Request, session: str, form: Form) -> Response:
    """Return what has happened in a session."""
    return tables.events(*_session(request, session)).answer(form)


@router.get("/sessions/{session}", include_in_schema=False)
def single(request: Request, session: str) -> Response:
    """Show a session: its facts, and its calls."""
    found, happened = _session(request, session)
    return page.show(
        request,
        "dashboard_session.html.j2",
        MODES,
        session=found,
        table=tables.events(found, happened),
        facts=tables.facts(found),
    )
