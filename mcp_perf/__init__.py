"""Load and performance tests for MCP servers: the engine, and what Python code takes of it.

Each name is loaded when it is first used. None of them brings Locust, which patches the process.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mcp_perf.results.document.document import Report
    from mcp_perf.runs import NoReport, assert_load, run

__all__ = ["NoReport", "Report", "assert_load", "run"]

_HOMES: Final = {
    "NoReport": "mcp_perf.runs",
    "Report": "mcp_perf.results.document.document",
    "assert_load": "mcp_perf.runs",
    "run": "mcp_perf.runs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
