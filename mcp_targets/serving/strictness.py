"""Corrections around the Python SDK's server (2.3), which misses parts of the specification.

For the systems built on it. None of their tools asks for input, and they have no prompts.
"""

from collections.abc import MutableMapping
from typing import Any, Final

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from mcp_targets.serving.httpd.callers import App

_NAME: Final = b"mcp-name"


def trimmed(app: App) -> App:
    """Strip the white space around `Mcp-Name`, which is not part of the value (RFC 9110, 5.5)."""

    async def trim(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        for index, (name, value) in enumerate(scope.get("headers", ())):
            if name == _NAME and value != (bare := value.strip(b" \t")):
                headers = [*scope["headers"]]
                headers[index] = name, bare
                scope = {**scope, "headers": headers}
        await app(scope, receive, send)

    return trim


async def strict(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Refuse params that the SDK accepts: `inputResponses` of null, and any prompt's name."""
    params = ctx.params
    if params and "inputResponses" in params and params["inputResponses"] is None:
        raise MCPError(INVALID_PARAMS, "inputResponses must be an object")
    if ctx.method == "prompts/get":
        raise MCPError(INVALID_PARAMS, "Unknown prompt", {"name": (params or {}).get("name")})
    return await call_next(ctx)
