"""What every page of the dashboard shares: its frame, its protection, its refusals."""

from collections.abc import Iterable
from importlib.metadata import distribution
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from mcp_perf.load.web.asgi import error
from mcp_perf.results.render.files import html, pdf

NAVIGATION: Final = (
    ("/runs", "Runs"),
    ("/trends", "Trends"),
    ("/agents", "Agents"),
    ("/live", "Live"),
)
"""Paths and their titles; the one that the current page belongs to is marked."""
PLOTLY: Final = distribution("plotly")
"""It draws the charts. If it is missing, this raises ImportError, and nothing is served."""
# Plotly writes styles, and so do reports; nothing comes from another host.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
PROTECTION: Final = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
"""Headers of every page."""


class Missing(Exception):  # noqa: N818 -- what was asked for, not what broke
    """Something is not in the store; the message says what, and what to do instead."""


def show(
    request: Request, template: str, arms: Iterable[str] = (), *, status: int = 200, **context: Any
) -> HTMLResponse:
    """Fill a template that extends `dashboard.html.j2`; `arms` get their colours in this order."""
    text = html.page(template, arms, status=status, **context, **frame(request))
    return HTMLResponse(text, status, PROTECTION)


def paper(text: str, name: str) -> Response:
    """Return an HTML page as a PDF file of this name. Raises PdfError."""
    named = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}.pdf"}
    return Response(pdf.render(text), media_type="application/pdf", headers=named)


def frame(request: Request) -> dict[str, Any]:
    """Return what the frame of a page needs."""
    return {
        "navigation": NAVIGATION,
        "here": request.url.path,
        "query": request.url.query,
        "plotly": PLOTLY.version,
    }


def refuse(request: Request, status: int, what: str, hint: str = "") -> Response:
    """Answer a browser or a program that something cannot be shown."""
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse(error(status, what, hint), status)
    return show(request, "dashboard_refused.html.j2", status=status, what=what, hint=hint)
