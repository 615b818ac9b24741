"""The MCP server that wraps the provider, as people build them: official SDK, httpx, uvicorn."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import msgspec
from mcp_types import CallToolResult
from pydantic import Field

from mcp_targets.serving import sdk
from mcp_targets.twilio.tools import OPERATIONS, PROVIDER, Argument, Operation, Refused

server: Final = sdk.server(
    "mcp-perf-twilio",
    instructions="Twilio's REST API, one tool per operation.",
    cache_hints=sdk.CACHED,
)


_TYPES: Final = {"string": str, "integer": int, "boolean": bool}


def _tool(operation: Operation) -> Callable[..., Awaitable[CallToolResult]]:
    async def call(**arguments: Any) -> CallToolResult:
        # A failure is returned, not raised: the SDK would log the exception, which costs more.
        try:
            body = await PROVIDER.perform(operation, arguments)
        except Refused as refused:
            return sdk.result(str(refused), refused.body, failed=True)
        return sdk.result(msgspec.json.encode(body).decode(), body)

    return sdk.signed(call, operation.tool, [_parameter(one) for one in operation.arguments])


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


for _operation in OPERATIONS:
    server.add_tool(_tool(_operation), name=_operation.tool, description=_operation.description)
