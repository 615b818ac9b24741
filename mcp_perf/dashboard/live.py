"""Runs that go on: their list, and each of them while its numbers change."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Request, Response, WebSocket
from starlette.datastructures import State
from starlette.websockets import WebSocketDisconnect

from mcp_perf.dashboard import page
from mcp_perf.dashboard.following import FollowedRun, going_on, table_of
from mcp_perf.dashboard.runs import address
from mcp_perf.dashboard.table import Form
from mcp_perf.results.compare.history import HistoryError
from mcp_perf.results.compare.stored import document
from mcp_perf.results.document.text import shown
from mcp_perf.results.render.files import html
from mcp_perf.results.render.files.so_far import context
from mcp_perf.results.render.words import wording

router: Final = APIRouter(prefix="/live", tags=["live"])
_LOOKS_S: Final = 0.5
_PAUSES: Final = 10
"""A pause is this many times as long as the look before it, up to `_LONGEST_PAUSE_S`."""
_LONGEST_PAUSE_S: Final = 1.5
_STORED_WITHIN_S: Final = 20.0
"""How long after its end a run may still write its report."""


@router.get("", include_in_schema=False)
def every(request: Request) -> Response:
    """Show what goes on now."""
    return page.show(
        request,
        "dashboard_live.html.j2",
        going_on=going_on(request.app.state),
        runs=request.app.state.following.runs,
    )


@router.get(".{form}")
def every_as_file(request: Request, form: Form) -> Response:
    """List the runs that go on, the newest first."""
    return table_of(request.app.state).answer(form)


@router.get("/{name}.json")
def single_as_json(request: Request, name: str) -> Response:
    """Return the report that a run would have if it ended now."""
    report = _run(request, name).report()
    if report is None:
        raise page.Missing(f"The run {name} has not begun yet.")
    return Response(report.as_json(), media_type="application/json")


@router.get("/{name}", include_in_schema=False)
def single(request: Request, name: str) -> Response:
    """Show a run while it goes on; at its end, its verdict."""
    run = _run(request, name)
    return page.show(
        request, "dashboard_live_run.html.j2", run=run, now=_now(request.app.state, run)[0]
    )


@router.websocket("/follow")
async def follow_every(socket: WebSocket) -> None:
    """Send the list whenever it has changed."""
    await _follow(socket, lambda: (going_on(socket.app.state), False))


@router.websocket("/{name}/follow")
async def follow(socket: WebSocket, name: str) -> None:
    """Send the numbers of a run whenever they have changed, until its end."""
    run = await asyncio.to_thread(socket.app.state.following.of, name)
    if run is None:
        await socket.close()
        return

    def looked() -> tuple[str, bool]:
        run.look()
        return _now(socket.app.state, run)

    await _follow(socket, looked)


async def _follow(socket: WebSocket, look: Callable[[], tuple[str, bool]]) -> None:
    """Send the current view whenever it has changed, until it is over or the browser leaves."""
    await socket.accept()
    gone = asyncio.ensure_future(socket.receive())
    sent, over = "", False
    try:
        while not (gone.done() or over):
            begun = time.monotonic()
            text, over = await asyncio.to_thread(look)
            if text != sent or over:
                await socket.send_json({"html": text, "over": over})
                sent = text
            pause_s = max(_LOOKS_S, _PAUSES * (time.monotonic() - begun))
            await asyncio.wait({gone}, timeout=min(pause_s, _LONGEST_PAUSE_S))
        if over:
            await socket.close()
    except WebSocketDisconnect:
        pass
    finally:
        gone.cancel()


def _run(request: Request, name: str) -> FollowedRun:
    run: FollowedRun | None = request.app.state.following.of(name)
    if run is None:
        raise page.Missing(f"There is no run {shown(name)} in {request.app.state.following.runs}.")
    return run


def _now(state: State, run: FollowedRun) -> tuple[str, bool]:
    """Return the current view of a run as HTML, and whether it is the last one."""
    with run.lock:
        if run.shown[0] == run.version:
            return run.shown[1:]
        # While it goes on, rounds are judged only as they end, to leave the CPU to the run.
        report = run.report() if run.stage in ("over", "cut off") else None
        final = report if run.stage == "over" else None
        at = "" if final is None else _stored(state.store, final.run_id)
        waits = final is not None and not at and run.silent_s() < _STORED_WITHIN_S
        known = {} if run.so_far is None or run.problem else context(run.so_far)
        text = html.page(
            "dashboard_live_now.html.j2",
            known.get("names", ()),
            stage=run.stage,
            problem=run.problem,
            folder=run.path.parent,
            final=final,
            summary="" if final is None else wording.summary(final),
            at=at,
            waits=waits,
            **known,
        )
        over = run.stage not in ("starting", "running") and not waits
        if not waits:
            run.shown = (run.version, text, over)
        return text, over


def _stored(store: str, run_id: str) -> str:
    """Return the address of the stored report, or an empty text until there is one."""
    try:
        return "" if document(store, run_id) is None else address(run_id)
    except HistoryError:
        return ""
