"""What the server of the Python SDK (2.3) leaves out of the specification, put right around it.

For the systems that are built on it. Of their tools none asks for input, and they have no prompts.
"""

from collections.abc import MutableMapping
from typing import Any, Final

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from mcp_targets.serving.httpd.callers import App

_NAME: Final = b"mcp-name"


def trimmed(app: App) -> App:
    """Take the white space around `Mcp-Name` away, which is no part of it (RFC 9110, 5.5)."""

    async def trim(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        for index, (name, value) in enumerate(scope.get("headers", ())):
            if name == _NAME and value != (bare := value.strip(b" \t")):
                headers = [*scope["headers"]]
                headers[index] = name, bare
                scope = {**scope, "headers": headers}
        await app(scope, receive, send)

    return trim


async def strict(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Refuse params that the SDK takes: an `inputResponses` of null, the name of any prompt."""
    params = ctx.params
    if params and "inputResponses" in params and params["inputResponses"] is None:
        raise MCPError(INVALID_PARAMS, "inputResponses must be an object")
    if ctx.method == "prompts/get":
        raise MCPError(INVALID_PARAMS, "Unknown prompt", {"name": (params or {}).get("name")})
    return await call_next(ctx)
