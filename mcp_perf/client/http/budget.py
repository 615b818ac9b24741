"""The memory that replies take while they come in: all connections of a process together.

One reply may have 64 MiB, and a thousand users may get a thousand of them. Small replies are not
counted.
"""

from dataclasses import dataclass
from typing import Final

from mcp_perf.client.errors import NO_ROOM, NoRoom

SMALL: Final = 1024 * 1024
"""This much of each reply is not counted; the rest is counted in steps of this size."""
MOST: Final = 128 * 1024 * 1024


@dataclass(slots=True)
class Budget:
    """How many bytes are held at the moment."""

    most: int = MOST
    held: int = 0


OF_PROCESS: Final = Budget()


class Portion:
    """What one connection holds of it; given back at the latest when the connection is gone."""

    __slots__ = ("_budget", "held")

    def __init__(self, budget: Budget = OF_PROCESS) -> None:
        self._budget = budget
        self.held = 0

    def hold(self, size: int) -> None:
        """Hold `size` bytes instead of what was held. Raises NoRoom; then nothing is held."""
        budget = self._budget
        budget.held -= self.held
        self.held = 0
        if size > budget.most - budget.held:
            limit = f"{NO_ROOM} of {budget.most // SMALL} MiB"
            raise NoRoom(f"{limit}; use fewer users or more processes (each has this limit)")
        budget.held += size
        self.held = size

    def __del__(self) -> None:
        self._budget.held -= self.held
