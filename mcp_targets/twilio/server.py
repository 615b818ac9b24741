"""The MCP server that wraps the provider, as people build one: the official SDK, httpx, uvicorn."""

import importlib.util
import inspect
import logging
import sys
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, cast

import httpx
from mcp.server.caching import CacheHint
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, TextContent
from pydantic import Field

from mcp_targets.twilio.accounts import Account
from mcp_targets.twilio.operations import OPERATIONS, Argument, Operation

_LIMITS: Final = httpx.Limits(
    max_connections=256,
    max_keepalive_connections=256,
    keepalive_expiry=60,
)
_TIMEOUT_S: Final = 30.0


class Provider:
    """The provider's API, spoken to through one pool of connections."""

    def __init__(self, base_url: str, account: Account) -> None:
        self._variables = account.variables()
        # No proxies from the environment: the provider is on this machine.
        self._client = httpx.AsyncClient(
            base_url=base_url,
            limits=_LIMITS,
            timeout=_TIMEOUT_S,
            trust_env=False,
        )

    async def perform(self, operation: Operation, arguments: dict[str, Any]) -> CallToolResult:
        """Perform an operation. What goes wrong at the provider is a tool error, not an exception.

        Raising would cost more than the call: the SDK logs what a tool raises.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        path = operation.path.format_map(
            {name: urllib.parse.quote(str(value), safe="") for name, value in given.items()}
            | self._variables,
        )
        fields = {
            name: value for name, value in given.items() if f"{{{name}}}" not in operation.path
        }
        try:
            if operation.method == "GET":
                response = await self._client.get(path, params=fields)
            else:
                response = await self._client.post(path, data=fields)
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            return _result(f"Twilio gave no answer: {type(error).__name__}: {error}", failed=True)
        if not isinstance(body, dict):
            return _result("Twilio answered something else than a JSON object", failed=True)
        if response.is_error:
            text = f"Twilio error {body.get('code')}: {body.get('message')}"
            return _result(text, body, failed=True)
        return _result(response.text, body)

    async def close(self) -> None:
        """Close the pool."""
        await self._client.aclose()


def _stop_looking_for_sniffio() -> None:
    """Make it known that the optional module sniffio is not installed.

    httpcore tries to import it several times per request, and only successful imports are
    remembered: looking for it took a third of this server's time.
    """
    if importlib.util.find_spec("sniffio") is None:
        sys.modules["sniffio"] = cast("Any", None)


def build(base_url: str, account: Account) -> MCPServer[Any]:
    """Return the server for a provider at `base_url`, working for `account`."""
    # Before the SDK sets up its own: rendering tracebacks with rich takes half a second each.
    logging.basicConfig(level=logging.WARNING)
    _stop_looking_for_sniffio()
    provider = Provider(base_url, account)

    @asynccontextmanager
    async def lifespan(_: MCPServer[Any]) -> AsyncIterator[None]:
        try:
            yield None
        finally:
            await provider.close()

    server: MCPServer[Any] = MCPServer(
        name="mcp-perf-twilio",
        version="1.0.0",
        instructions="Twilio's REST API, one tool per operation.",
        log_level="WARNING",
        lifespan=lifespan,
        cache_hints={"tools/list": CacheHint(ttl_ms=300_000, scope="public")},
    )
    for operation in OPERATIONS:
        server.add_tool(
            _tool(provider, operation),
            name=operation.tool,
            description=operation.description,
        )
    return server


def _tool(
    provider: Provider,
    operation: Operation,
) -> Callable[..., Awaitable[CallToolResult]]:
    """Return a function with the operation's signature, from which the SDK makes the schema."""

    async def call(**arguments: Any) -> CallToolResult:
        return await provider.perform(operation, arguments)

    call.__name__ = operation.tool
    cast("Any", call).__signature__ = inspect.Signature(
        [_parameter(argument) for argument in operation.arguments],
        return_annotation=CallToolResult,
    )
    return call


def _parameter(argument: Argument) -> inspect.Parameter:
    described = Field(description=argument.description)
    kind = inspect.Parameter.KEYWORD_ONLY
    if argument.required:
        annotation: Any = Annotated[argument.type, described]
        return inspect.Parameter(argument.name, kind, annotation=annotation)
    annotation = Annotated[argument.type | None, described]
    return inspect.Parameter(argument.name, kind, annotation=annotation, default=None)


def _result(
    text: str, body: dict[str, Any] | None = None, *, failed: bool = False
) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=body,
        is_error=failed,
    )
