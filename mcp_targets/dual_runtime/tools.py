"""The tools in process: functions by name, on the loop that calls them.

The environment variable DUAL_RUNTIME_UPSTREAM names the ready file of the upstreams' simulator.
"""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from mcp_targets.dual_runtime.settings import Settings
from mcp_targets.dual_runtime.system import DualRuntime
from mcp_targets.serving.processes import addresses

_SETTINGS: Final = Settings("native", "on", "par", 0, "off", "asyncio")
_FOLDER: Final = tempfile.TemporaryDirectory(prefix="mcp-perf-")


class InProcess(DualRuntime):
    """A system that starts with its first call and ends with its loop."""

    _running: asyncio.Task[None] | None = None

    async def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return what a tool returns. Raises ToolFailure."""
        if self._running is None:
            self._begun = asyncio.Event()
            self._running = asyncio.create_task(self._run())
        await self._begun.wait()
        return await super().call(name, arguments)

    async def _run(self) -> None:
        async with self.running():
            self._begun.set()
            await asyncio.Event().wait()


SYSTEM: Final = InProcess(
    _SETTINGS, addresses(Path(os.environ["DUAL_RUNTIME_UPSTREAM"])), Path(), Path(_FOLDER.name)
)


def __getattr__(name: str) -> Callable[..., Awaitable[dict[str, Any]]]:
    if name in SYSTEM.registry:
        return lambda **arguments: SYSTEM.call(name, arguments)
    raise AttributeError(name)
