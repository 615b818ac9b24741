"""The face `mcp`: every tool through the official SDK."""

import functools
import inspect
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

from mcp.server._otel import OpenTelemetryMiddleware
from mcp.server.caching import CacheHint
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, TextContent
from opentelemetry import trace

from mcp_targets.dual_runtime.errors import ToolFailure
from mcp_targets.dual_runtime.system import DualRuntime
from mcp_targets.dual_runtime.tooling.registry import Tool


def build(system: DualRuntime) -> MCPServer[Any]:
    """Return the MCP server of a system's tools."""
    # Before the SDK sets up its own: rendering tracebacks with rich takes half a second each.
    logging.basicConfig(level=logging.WARNING)
    server: MCPServer[Any] = MCPServer(
        name="mcp-perf-dual-runtime",
        version="1.0.0",
        instructions="Peer-to-peer tools on one of two runtimes. tools_list_categories first.",
        log_level="WARNING",
        cache_hints={"tools/list": CacheHint(ttl_ms=300_000, scope="public")},
    )
    for tool in system.registry:
        name = tool.metadata.name
        server.add_tool(
            _function(system, tool), name=name, description=tool.metadata.mcp_description
        )
    _untraced(server)
    return server


def _untraced(server: MCPServer[Any]) -> None:
    """Take the SDK's spans out where nobody has set up a tracer: they would go nowhere."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        middleware = server._lowlevel_server.middleware  # noqa: SLF001 -- there is no public name
        middleware[:] = [one for one in middleware if not isinstance(one, OpenTelemetryMiddleware)]


def _function(system: DualRuntime, tool: Tool) -> Callable[..., Awaitable[CallToolResult]]:
    """Return a function with the tool's signature, from which the SDK makes the schema."""
    name = tool.metadata.name

    async def call(**arguments: Any) -> CallToolResult:
        # What fails is a result: raising would cost more, for the SDK logs what a tool raises.
        try:
            result, failed = await system.call(name, arguments), False
        except ToolFailure as failure:
            result, failed = failure.body(), True
        text = json.dumps(result, ensure_ascii=False)
        return CallToolResult(
            content=[TextContent(type="text", text=text)],
            structured_content=result,
            is_error=failed,
        )

    functools.update_wrapper(call, tool.function)
    hints = inspect.get_annotations(tool.function, eval_str=True)
    parameters = [
        parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(tool.function).parameters.values()
    ]
    wrapper = cast("Any", call)
    wrapper.__signature__ = inspect.Signature(parameters, return_annotation=CallToolResult)
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del wrapper.__wrapped__
    return call
