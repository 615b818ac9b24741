"""Load and performance tests for MCP servers: the engine, and the names for use from Python.

Each name is loaded when it is first used. `McpUser` and `McpClient` import Locust, which patches
the process; the others do not.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mcp_perf.load.mcp_user import McpClient as McpClient
    from mcp_perf.load.mcp_user import McpUser as McpUser
    from mcp_perf.results.document.document import Report
    from mcp_perf.runs import NoReport, assert_load, run

__all__ = ["NoReport", "Report", "assert_load", "run"]
"""All names except the ones that import Locust."""

_HOMES: Final = {
    "McpClient": "mcp_perf.load.mcp_user",
    "McpUser": "mcp_perf.load.mcp_user",
    "NoReport": "mcp_perf.runs",
    "Report": "mcp_perf.results.document.document",
    "assert_load": "mcp_perf.runs",
    "run": "mcp_perf.runs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
