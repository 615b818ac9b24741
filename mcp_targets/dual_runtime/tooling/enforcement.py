"""One call of a tool, held to its metadata: the timeout of each attempt, and the retries."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import anyio.to_thread

from mcp_targets.dual_runtime.errors import TimedOut, Transient
from mcp_targets.dual_runtime.tooling.metadata import RetryPolicy
from mcp_targets.dual_runtime.tooling.registry import Tool

STEP_S: Final = 0.1
"""The unit of the pauses between attempts."""

_PAUSES: Final[dict[RetryPolicy, tuple[float, ...]]] = {
    "none": (),
    "fixed": (STEP_S, STEP_S),
    "linear": (STEP_S, 2 * STEP_S),
    "exponential": (STEP_S, 4 * STEP_S),
}
"""The pause before each further attempt."""

Sleep = Callable[[float], Awaitable[None]]


async def perform(tool: Tool, arguments: dict[str, Any], sleep: Sleep = anyio.sleep) -> Any:
    """Run a tool on the current loop. Only a Transient failure is retried.

    Raises what the last attempt raised.
    """
    pauses = list(_PAUSES[tool.metadata.retry_policy])
    while True:
        try:
            return await _attempt(tool, arguments)
        except Transient:
            if not pauses:
                raise
            await sleep(pauses.pop(0))


async def _attempt(tool: Tool, arguments: dict[str, Any]) -> Any:
    limit_s = tool.metadata.timeout_seconds
    with anyio.move_on_after(limit_s) as scope:
        if inspect.iscoroutinefunction(tool.function):
            return await tool.function(**arguments)
        # A thread cannot be stopped; after the timeout, the call no longer waits for it.
        call = functools.partial(tool.function, **arguments)
        return await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
    assert scope.cancelled_caught  # noqa: S101 -- nothing else leads here
    raise TimedOut("TIMED_OUT", f"{tool.metadata.name} took longer than {limit_s:g} s")
