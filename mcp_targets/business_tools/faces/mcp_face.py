"""The face `mcp`: the official SDK's low-level server, whose tools may change while it runs."""

import json
import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    Tool,
)

from mcp_targets.business_tools.access.guard import WHICH, WHO
from mcp_targets.business_tools.errors import ToolFailure
from mcp_targets.business_tools.tools import tool
from mcp_targets.serving import sdk
from mcp_targets.serving.strictness import strict


class Tools(Protocol):
    """What a face offers."""

    def tools(self) -> Mapping[str, tool.Tool]: ...

    async def call(
        self, name: str, arguments: dict[str, Any], client: str = "", request_id: str = ""
    ) -> dict[str, Any]:
        """Return what a tool answers. Raises ToolFailure."""


def build(offered: Tools, name: str = "mcp-perf-business-tools") -> Server[Any]:
    """Return the MCP server of some tools."""

    async def list_tools(
        _: ServerRequestContext[Any], __: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(
            tools=[
                Tool(
                    name=one.name,
                    description=f"{one.description} (version {one.version})",
                    input_schema=one.schema,
                    output_schema=tool.OUTPUT,
                )
                for one in offered.tools().values()
            ]
        )

    async def call_tool(
        ctx: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult:
        scope = getattr(ctx.request, "scope", None) or {}
        request_id = scope.get(WHICH) or uuid.uuid4().hex
        try:
            body = await offered.call(
                params.name, params.arguments or {}, scope.get(WHO, ""), request_id
            )
            failed = False
        except ToolFailure as failure:
            body, failed = failure.body(request_id), True
        return sdk.result(json.dumps(body, ensure_ascii=False), body, failed=failed)

    server: Server[Any] = Server(
        name, version="1.0.0", on_list_tools=list_tools, on_call_tool=call_tool
    )
    # Replaces the SDK's spans, because no tracer is set up.
    server.middleware[:] = [strict]
    return server
