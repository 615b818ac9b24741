"""A server of the Python SDK that reports changes: `python listening_app.py PORT`; no port: stdio.

With `--sse` it serves HTTP+SSE. Its tools change a resource or the list of tools, and notify in the
way of either era. As a module it has the server, `server`.
"""

import logging
import sys

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams


async def touch(uri: str, ctx: Context) -> str:
    """Announce that a resource has changed."""
    await ctx.notify_resource_updated(uri)
    await ctx.session.send_resource_updated(uri)
    return "touched"


async def grow(ctx: Context) -> str:
    """Announce that the list of tools has changed."""
    await ctx.notify_tools_changed()
    await ctx.session.send_tool_list_changed()
    return "grown"


async def _done(_context, _params) -> EmptyResult:
    return EmptyResult()


logging.basicConfig(level=logging.CRITICAL)
server = MCPServer("listening-app", log_level="CRITICAL")
for tool in (touch, grow):
    server.add_tool(tool)
for method, params in (
    ("resources/subscribe", SubscribeRequestParams),
    ("resources/unsubscribe", UnsubscribeRequestParams),
):
    server._lowlevel_server.add_request_handler(method, params, _done)

if __name__ == "__main__":
    if sys.argv[1:]:
        from counting import serve

        sse = "--sse" in sys.argv
        serve(server.sse_app() if sse else server.streamable_http_app(), int(sys.argv[1]))
    else:
        server.run()
