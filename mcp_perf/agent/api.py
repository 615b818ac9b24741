"""The session API: an agent, or its runner, reports what happens, and users who are let in see it.

Changes that arrive together go to the store in one transaction, so a thousand starts need only few.
"""

import asyncio
import contextlib
import time
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import FastAPI, Query, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from mcp_perf.agent.records import as_record
from mcp_perf.agent.rendering import as_html, operations_page
from mcp_perf.agent.sessions import NAMES, ApiCall, Completion, Event, Interaction, NewSession
from mcp_perf.agent.store import (
    AgentSession,
    AgentStore,
    SessionChange,
    SessionOver,
    UnknownSession,
    board_of,
)
from mcp_perf.agent.tasks import Mode
from mcp_perf.load.web.asgi import BROKEN, ErrorAnswers, answer_errors, error
from mcp_perf.results.compare.history import HistoryError

_MOST_AT_ONCE: Final = 500
"""The most changes in one transaction."""
_MOST_WAITING: Final = 1000
"""A live client that is more events behind is closed."""
_SESSIONS: Final = "/api/metrics/sessions"


class _ErrorDetail(BaseModel):
    code: str
    message: str
    details: Any
    hint: str


class ErrorBody(BaseModel):
    """The body of every error."""

    error: _ErrorDetail


class SessionBody(BaseModel):
    """A session as it is now: the 18 keys of its record, and its other details."""

    sessionId: str  # noqa: N815 -- the key
    session: dict[str, Any]


class SessionDetail(SessionBody):
    """A session, with its events in their order."""

    events: list[dict[str, Any]]


class SessionList(BaseModel):
    """Sessions, the oldest first."""

    sessions: list[dict[str, Any]]


class _Writer:
    """Hands waiting changes to the store together, and sends each to the live clients."""

    def __init__(self, store: AgentStore) -> None:
        self.store = store
        self.live: set[asyncio.Queue[dict[str, Any] | None]] = set()
        self._waiting: list[tuple[SessionChange, asyncio.Future[AgentSession]]] = []
        self._task: asyncio.Task[None] | None = None

    async def make(self, what: NewSession | Event, session: str = "") -> AgentSession:
        made = asyncio.get_running_loop().create_future()
        self._waiting.append((SessionChange(int(time.time() * 1000), what, session), made))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())
        return await asyncio.shield(made)

    async def _write(self) -> None:
        while self._waiting:
            batch = self._waiting[:_MOST_AT_ONCE]
            del self._waiting[:_MOST_AT_ONCE]
            changes = [change for change, _ in batch]
            made: list[AgentSession | Exception]
            try:
                made = await asyncio.to_thread(self.store.apply, changes)
            except Exception as problem:  # noqa: BLE001 -- each of them raises it
                made = [problem] * len(batch)
            for (change, future), one in zip(batch, made, strict=True):
                if isinstance(one, Exception):
                    future.set_exception(one)
                    continue
                future.set_result(one)
                self._tell({"event": NAMES.get(type(change.what), "start"), **_body(one)})

    def _tell(self, event: dict[str, Any]) -> None:
        for queue in list(self.live):
            if queue.qsize() < _MOST_WAITING:
                queue.put_nowait(event)
            else:
                self.live.discard(queue)
                queue.put_nowait(None)


def _body(one: AgentSession) -> dict[str, Any]:
    more = {"mcpServer": one.record.mcp_server, "mcpClient": one.record.mcp_client}
    session = {"sessionId": one.id, **as_record(one.record), **more, "notes": one.record.notes}
    return {"sessionId": one.id, "session": session}


def build(store: AgentStore) -> FastAPI:
    """Return the application, without the lock in front of it."""
    bodies: dict[int | str, dict[str, Any]] = {
        code: {"model": ErrorBody, "description": HTTPStatus(code).phrase}
        for code in (403, 404, 409, 411, 413, 422, 503)
    }
    # FastAPI's own pages load scripts from another host; ours does not.
    own = FastAPI(title="mcp-perf agent sessions", docs_url=None, redoc_url=None, responses=bodies)
    writer = _Writer(store)
    answer_errors(own, _ERRORS, _told)
    _pages(own, store)
    _reads(own, store)
    _changes(own, writer)

    @own.websocket("/api/metrics/live")
    async def live(socket: WebSocket) -> None:
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        await socket.accept()
        writer.live.add(queue)
        gone = asyncio.create_task(_until_gone(socket, queue))
        try:
            while (event := await queue.get()) is not None:
                await socket.send_json(event)
        finally:
            writer.live.discard(queue)
            gone.cancel()

    return own


def _changes(own: FastAPI, writer: _Writer) -> None:
    @own.post(_SESSIONS, status_code=201, response_model=SessionBody)
    async def start(new: NewSession) -> Any:
        """Start a session; it is stored before the answer is sent."""
        return _body(await writer.make(new))

    @own.post(_SESSIONS + "/{session}/api-calls", status_code=201, response_model=SessionBody)
    async def api_call(session: str, call: ApiCall) -> Any:
        """Add a call to the provider, or to a tool."""
        return _body(await writer.make(call, session))

    @own.post(_SESSIONS + "/{session}/interactions", status_code=201, response_model=SessionBody)
    async def interaction(session: str, said: Interaction) -> Any:
        """Add what a person said to the agent."""
        return _body(await writer.make(said, session))

    @own.post(_SESSIONS + "/{session}/complete", response_model=SessionBody)
    async def complete(session: str, end: Completion) -> Any:
        """Complete a session, once."""
        return _body(await writer.make(end, session))


def _reads(own: FastAPI, store: AgentStore) -> None:
    @own.get(_SESSIONS, response_model=SessionList)
    async def every(
        mode: Mode | None = None,
        task: Annotated[int | None, Query(ge=1, le=999_999_999)] = None,
        model: str = "",
    ) -> Any:
        """List sessions and imported records."""
        found = await asyncio.to_thread(store.sessions, mode or "", task, model)
        return {"sessions": [_body(one)["session"] for one in found]}

    @own.get(_SESSIONS + "/{session}", response_model=SessionDetail)
    async def single(session: str) -> Any:
        """Return one session and its events."""
        found, events = await asyncio.to_thread(store.session, session)
        return {**_body(found), "events": events}


async def _until_gone(socket: WebSocket, queue: "asyncio.Queue[dict[str, Any] | None]") -> None:
    with contextlib.suppress(Exception):
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass
    queue.put_nowait(None)


def _pages(own: FastAPI, store: AgentStore) -> None:
    @own.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(as_html((await asyncio.to_thread(board_of, store))[0]))

    @own.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(operations_page(own.openapi()))


def _told(_: Request, status: int, what: str, hint: str, details: Any = None) -> JSONResponse:
    return JSONResponse(error(status, what, hint, details), status)


def _wrong(problem: RequestValidationError) -> list[dict[str, str]]:
    found = problem.errors()
    return [{"where": ".".join(map(str, one["loc"])), "what": one["msg"]} for one in found]


def _status(problem: HTTPException) -> int:
    """Return the status; FastAPI has 400 for a body that is not UTF-8, and 422 for other bodies."""
    return 422 if problem.status_code == 400 else problem.status_code


_UNKNOWN: Final = (404, "There is no session with this id.", f"GET {_SESSIONS} lists all of them.")
_OVER: Final = (409, "The session is already complete.", "Start another one.")
_INVALID: Final = (422, "The request is invalid.", "GET /docs describes it.")
_ERRORS: Final[ErrorAnswers] = {
    UnknownSession: lambda problem: (*_UNKNOWN, {"sessionId": str(problem)}),
    SessionOver: lambda problem: (*_OVER, {"sessionId": str(problem)}),
    RequestValidationError: lambda problem: (*_INVALID, _wrong(problem)),
    HTTPException: lambda problem: (
        _status(problem),
        str(problem.detail),
        "GET /docs lists all paths.",
    ),
    HistoryError: lambda problem: (503, str(problem), "Nothing was changed; try again."),
    Exception: lambda _: BROKEN,
}
