"""The MCP server that wraps the provider, as people build one: the official SDK, httpx, uvicorn."""

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, cast

import msgspec
from mcp.server.caching import CacheHint
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, TextContent
from pydantic import Field

from mcp_targets.twilio.tools import OPERATIONS, PROVIDER, Argument, Operation, Refused

# Before the SDK sets up its own: rendering tracebacks with rich takes half a second each.
logging.basicConfig(level=logging.WARNING)

server: Final[MCPServer[Any]] = MCPServer(
    "mcp-perf-twilio",
    version="1.0.0",
    instructions="Twilio's REST API, one tool per operation.",
    log_level="WARNING",
    cache_hints={"tools/list": CacheHint(ttl_ms=300_000, scope="public")},
)


_TYPES: Final = {"string": str, "integer": int, "boolean": bool}


def _tool(operation: Operation) -> Callable[..., Awaitable[CallToolResult]]:
    """Return a function with the operation's signature, from which the SDK makes the schema."""

    async def call(**arguments: Any) -> CallToolResult:
        # What fails is a result: raising would cost more, for the SDK logs what a tool raises.
        try:
            body = await PROVIDER.perform(operation, arguments)
        except Refused as refused:
            return _result(str(refused), refused.body, failed=True)
        return _result(msgspec.json.encode(body).decode(), body)

    call.__name__ = operation.tool
    cast("Any", call).__signature__ = inspect.Signature(
        [_parameter(argument) for argument in operation.arguments], return_annotation=CallToolResult
    )
    return call


def _parameter(argument: Argument) -> inspect.Parameter:
    kind: Any = _TYPES[argument.type]
    return inspect.Parameter(
        argument.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if argument.required else None,
        annotation=Annotated[
            kind if argument.required else kind | None, Field(description=argument.description)
        ],
    )


def _result(
    text: str, body: dict[str, Any] | None = None, *, failed: bool = False
) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=body, is_error=failed
    )


for _operation in OPERATIONS:
    server.add_tool(_tool(_operation), name=_operation.tool, description=_operation.description)
