"""The files that pages load, all of them from this machine: styles and scripts."""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse

from mcp_perf import folders
from mcp_perf.dashboard.page import PLOTLY, Missing

router: Final = APIRouter(include_in_schema=False)
_OWN: Final = (
    *("report.css", "dashboard.css", "live_rest.css"),
    *("report.js", "dashboard.js", "dashboard_live.js", "live_parts.js"),
)


@router.get("/static/plotly-{version}.js")
def plotly(version: str) -> FileResponse:  # noqa: ARG001 -- a new version has a new address
    """Serve the script of the installed plotly, which a browser keeps for good."""
    path = str(PLOTLY.locate_file("plotly/package_data/plotly.min.js"))
    kept = {"Cache-Control": "private, max-age=31536000, immutable"}
    return FileResponse(path, media_type="text/javascript", headers=kept)


@router.get("/static/{name}")
def own(name: str) -> FileResponse:
    """Serve a style or a script of the templates."""
    if name not in _OWN:
        raise Missing(f"There is no file {name}.")
    return FileResponse(folders.shipped("templates") / name, headers={"Cache-Control": "no-cache"})
