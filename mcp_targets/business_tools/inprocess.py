"""The tools in process, on the loop that calls them.

The environment variable BUSINESS_TOOLS_UPSTREAM names the ready file of the providers' simulator,
and BUSINESS_TOOLS_MONGODB_URI, like each setting, the database.
"""

import asyncio
import os
from pathlib import Path
from typing import Any, Final

from mcp_targets.business_tools.names import KEYS
from mcp_targets.business_tools.system import BusinessTools, Sources
from mcp_targets.serving.processes import addresses


class InProcess(BusinessTools):
    """A system that starts with its first call and ends with its loop."""

    _running: asyncio.Task[None] | None = None

    async def call(
        self, name: str, arguments: dict[str, Any], client: str = "", request_id: str = ""
    ) -> dict[str, Any]:
        """Return what a tool answers. Raises ToolFailure."""
        if self._running is None:
            self._running = asyncio.create_task(self._serve())
        return await super().call(name, arguments, client, request_id)

    async def _serve(self) -> None:
        async with self.running():
            await asyncio.Event().wait()


SYSTEM: Final = InProcess(
    Sources(
        given={"secrets": KEYS}, addresses=addresses(Path(os.environ["BUSINESS_TOOLS_UPSTREAM"]))
    )
)
