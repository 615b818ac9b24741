"""The application: the routers of all pages, and the answers to errors."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from mcp_perf import settings
from mcp_perf.dashboard import agents, comparison, files, live, page, runs, trends
from mcp_perf.dashboard.following import Following
from mcp_perf.results.compare.history import HistoryError
from mcp_perf.results.render.files.pdf import PdfError

_PAGES: Final = (files, runs, comparison, trends, agents, live)
_DESCRIPTION: Final = (
    "Every table of the dashboard as CSV and JSON, and reports as PDF. "
    "A program sends Authorization: Bearer KEY."
)


def create_app(store: str) -> FastAPI:
    """Return the application over a store, without the lock in front of it."""
    # FastAPI's own pages load scripts from another host; ours does not.
    app = FastAPI(
        title="mcp-perf dashboard", description=_DESCRIPTION, docs_url=None, redoc_url=None
    )
    app.state.store = store
    app.state.following = Following(settings.runs().resolve())
    for each in _PAGES:
        app.include_router(each.router)

    @app.get("/", include_in_schema=False)
    def first() -> Response:
        return RedirectResponse("/runs", 303)

    @app.get("/docs", include_in_schema=False)
    def docs(request: Request) -> Response:
        return page.show(request, "dashboard_docs.html.j2", api=app.openapi())

    _refusals(app)
    return app


def _refusals(app: FastAPI) -> None:
    async def missing(request: Request, problem: Any) -> Response:
        lists = "/runs lists the runs, /agents/sessions the sessions, and /live what goes on."
        return page.refuse(request, 404, str(problem), lists)

    async def invalid(request: Request, problem: Any) -> Response:
        wrong = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in problem.errors())
        return page.refuse(request, 422, wrong, "/docs says what there is to ask for.")

    async def http(request: Request, problem: Any) -> Response:
        return page.refuse(request, problem.status_code, str(problem.detail))

    async def stored(request: Request, problem: Any) -> Response:
        return page.refuse(request, 503, str(problem))

    async def unset(request: Request, problem: Any) -> Response:
        return page.refuse(request, 503, str(problem), "The page itself says the same.")

    async def broken(request: Request, _problem: Any) -> Response:
        what = "This is a fault of mcp-perf."
        return page.refuse(request, 500, what, "The terminal has the traceback.")

    handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
        page.Missing: missing,
        RequestValidationError: invalid,
        HTTPException: http,
        HistoryError: stored,
        PdfError: unset,
        Exception: broken,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
