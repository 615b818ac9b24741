"""The application: the routers of all pages, and the answers to errors."""

from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from mcp_perf import settings
from mcp_perf.dashboard import agents, comparison, files, live, page, runs, trends
from mcp_perf.dashboard.following import Following
from mcp_perf.load.web.asgi import BROKEN, ErrorAnswers, answer_errors
from mcp_perf.results.compare.history import HistoryError
from mcp_perf.results.render.files.pdf import PdfError

_PAGES: Final = (files, runs, comparison, trends, agents, live)
_DESCRIPTION: Final = (
    "Every table of the dashboard as CSV and JSON, and reports as PDF. "
    "A program sends Authorization: Bearer KEY."
)

_LISTS: Final = "/runs lists the runs, /agents/sessions the sessions, and /live what goes on."
_ERRORS: Final[ErrorAnswers] = {
    page.Missing: lambda problem: (404, str(problem), _LISTS),
    RequestValidationError: lambda problem: (
        422,
        "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in problem.errors()),
        "/docs says what there is to ask for.",
    ),
    HTTPException: lambda problem: (problem.status_code, str(problem.detail)),
    HistoryError: lambda problem: (503, str(problem)),
    PdfError: lambda problem: (503, str(problem), "The page itself says the same."),
    Exception: lambda _: BROKEN,
}


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

    answer_errors(app, _ERRORS, page.refuse)
    return app
