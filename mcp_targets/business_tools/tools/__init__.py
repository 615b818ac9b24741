"""The ten tools: for each, a model of its arguments, and what it asks which provider.

In process, each is a function with the tool's name, such as `web_search`.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp_targets.business_tools.names import TOOLS


def __getattr__(name: str) -> Callable[..., Awaitable[dict[str, Any]]]:
    if name not in TOOLS:
        raise AttributeError(name)
    from mcp_targets.business_tools.inprocess import SYSTEM  # noqa: PLC0415 -- starts a system

    return lambda **arguments: SYSTEM.call(name, arguments)
