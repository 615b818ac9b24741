"""All faces behind one guard: MCP at /mcp, REST everywhere else."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from mcp_targets.business_tools.access.guard import App, Guard
from mcp_targets.business_tools.faces import mcp_face, rest_face
from mcp_targets.business_tools.system import BusinessTools
from mcp_targets.serving import asgi
from mcp_targets.serving.strictness import trimmed


def build(system: BusinessTools) -> App:
    """Return the application."""
    sessions = _sessions(mcp_face.build(system))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with system.running(), sessions.run():
            if system.settings.on("frozen_heap"):
                # A full collection scans everything that was imported while every call waits.
                gc.collect()
                gc.freeze()
            yield

    both = asgi.faces(sessions.handle_request, rest_face.build(system, lifespan=lifespan))
    return Guard(both, lambda: system.settings, system.audit, lambda: system.machinery.clients)


def bare(offered: mcp_face.Tools) -> App:
    """Return an application of some tools by MCP, without anything around it."""
    app = mcp_face.build(offered, "mcp-perf-business-naive").streamable_http_app()
    return trimmed(app)


def _sessions(server: Any) -> StreamableHTTPSessionManager:
    # Makes the session manager. The host names that callers may use are checked by `asgi`.
    server.streamable_http_app(host="0.0.0.0")  # noqa: S104 -- binds nothing
    manager: StreamableHTTPSessionManager = server.session_manager
    return manager
