"""The face `rest`: the same tools as FastAPI routes, with MCP next to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Body, FastAPI
from fastapi.responses import JSONResponse

from mcp_targets.dual_runtime.errors import ToolFailure
from mcp_targets.dual_runtime.faces import mcp_face
from mcp_targets.dual_runtime.settings import UPSTREAMS
from mcp_targets.dual_runtime.system import DualRuntime
from mcp_targets.serving import asgi
from mcp_targets.serving.httpd.callers import App


def build(system: DualRuntime) -> App:
    """Return the application with both faces."""
    mcp = mcp_face.build(system)
    mcp.streamable_http_app()  # makes the session manager

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with system.running(), mcp.session_manager.run():
            yield

    app = FastAPI(title="mcp-perf dual_runtime", version="1.0.0", lifespan=lifespan)
    _add_tools(app, system)
    _add_health(app, system)
    return asgi.faces(mcp.session_manager.handle_request, app)


def _add_tools(app: FastAPI, system: DualRuntime) -> None:
    @app.post("/tools/{name}")
    async def call(name: str, arguments: Annotated[dict[str, Any], Body()]) -> JSONResponse:
        """Call a tool; the body is its arguments."""
        try:
            return JSONResponse(await system.call(name, arguments))
        except ToolFailure as failure:
            return JSONResponse(failure.body(), status_code=failure.status)

    @app.get("/tools")
    async def tools() -> dict[str, Any]:
        """List the tools with the form of their arguments."""
        return {"tools": {tool.metadata.name: tool.schema for tool in system.registry}}


def _add_health(app: FastAPI, system: DualRuntime) -> None:
    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Show the activity between peers, and what fails too often."""
        alerts = system.monitor.alerts()
        status = "degraded" if alerts else "ok"
        return {"status": status, "alerts": alerts, "counters": system.monitor.counters()}

    @app.get("/health/runtime")
    async def runtime() -> dict[str, Any]:
        """Show how calls are run, and the counts of each runtime."""
        shown = {"settings": system.settings.describe(), "server": system.settings.server}
        return {**shown, **system.router.health()}

    @app.get("/health/upstreams")
    async def upstreams() -> dict[str, Any]:
        """Show the upstreams' counters, and the most requests that were in progress at once."""
        most = system.network.max_in_parallel
        counters = {name: await system.network.ask(name, "/_counters") for name in UPSTREAMS}
        return {"max_in_parallel": most, "upstreams": counters}
