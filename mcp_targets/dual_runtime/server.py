"""The MCP server of the tools in process."""

from typing import Final

from mcp_targets.dual_runtime.faces import mcp_face
from mcp_targets.dual_runtime.tools import SYSTEM

server: Final = mcp_face.build(SYSTEM)
