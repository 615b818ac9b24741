"""The MCP server of the official Python SDK that every rung above the function shares."""

import logging
from typing import Any, Final

from mcp.server.mcpserver import MCPServer

from mcp_targets.ladder.tools import price

# Before the SDK sets up its own: rendering tracebacks with rich takes half a second each.
logging.basicConfig(level=logging.WARNING)

server: Final[MCPServer[Any]] = MCPServer("mcp-perf-ladder", version="1.0.0", log_level="WARNING")
server.add_tool(price)
