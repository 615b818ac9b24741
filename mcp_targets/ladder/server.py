"""The MCP server, by the official Python SDK, that every rung above the function shares."""

from typing import Final

from mcp_targets.ladder.tools import price
from mcp_targets.serving import sdk

server: Final = sdk.server("mcp-perf-ladder")
server.add_tool(price)
