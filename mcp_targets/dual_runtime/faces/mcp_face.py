"""The face `mcp`: every tool through the official SDK."""

import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server._otel import OpenTelemetryMiddleware
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult
from opentelemetry import trace

from mcp_targets.dual_runtime.errors import ToolFailure
from mcp_targets.dual_runtime.system import DualRuntime
from mcp_targets.dual_runtime.tooling.registry import Tool
from mcp_targets.serving import sdk


def build(system: DualRuntime) -> MCPServer[Any]:
    """Return the MCP server of a system's tools."""
    server = sdk.server(
        "mcp-perf-dual-runtime",
        instructions="Peer-to-peer tools on one of two runtimes. tools_list_categories first.",
        cache_hints=sdk.CACHED,
    )
    for tool in system.registry:
        about = tool.metadata
        server.add_tool(_function(system, tool), about.name, description=about.mcp_description)
    _untraced(server)
    return server


def _untraced(server: MCPServer[Any]) -> None:
    """Remove the SDK's spans if no tracer is set up: they would go nowhere."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        middleware = server._lowlevel_server.middleware  # noqa: SLF001 -- there is no public name
        middleware[:] = [one for one in middleware if not isinstance(one, OpenTelemetryMiddleware)]


def _function(system: DualRuntime, tool: Tool) -> Callable[..., Awaitable[CallToolResult]]:
    async def call(**arguments: Any) -> CallToolResult:
        # A failure is returned, not raised: the SDK would log the exception, which costs more.
        try:
            body, failed = await system.call(tool.metadata.name, arguments), False
        except ToolFailure as failure:
            body, failed = failure.body(), True
        return sdk.result(json.dumps(body, ensure_ascii=False), body, failed=failed)

    hints = inspect.get_annotations(tool.function, eval_str=True)
    parameters = [
        parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(tool.function).parameters.values()
    ]
    return sdk.signed(call, tool.function.__name__, parameters)
