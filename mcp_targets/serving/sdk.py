"""MCP servers by the official SDK, and tools whose parameters are made at run time."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

from mcp.server.caching import CacheHint
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, TextContent

from mcp_targets.serving.strictness import strict

CACHED: Final = {"tools/list": CacheHint(ttl_ms=300_000, scope="public")}


def server(name: str, **more: Any) -> MCPServer[Any]:
    """Return a server that logs only warnings, and refuses what the SDK should refuse."""
    # Before the SDK sets up logging: rendering a traceback with rich takes half a second.
    logging.basicConfig(level=logging.WARNING)
    return MCPServer(name, version="1.0.0", log_level="WARNING", middleware=[strict], **more)


def signed(
    call: Callable[..., Awaitable[CallToolResult]],
    name: str,
    parameters: Sequence[inspect.Parameter],
) -> Callable[..., Awaitable[CallToolResult]]:
    """Give a function the signature from which the SDK makes the schema."""
    call.__name__ = name
    signature = inspect.Signature(parameters, return_annotation=CallToolResult)
    cast("Any", call).__signature__ = signature
    return call


def result(
    text: str, body: dict[str, Any] | None = None, *, failed: bool = False
) -> CallToolResult:
    """Return a tool's result, as text and structured."""
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=body, is_error=failed
    )
