"""What is measured beside the load."""

from typing import Protocol

from mcp_perf.load.plan.schedule import Turn
from mcp_perf.results.journal.records import AnyRecord


class Beside(Protocol):
    """What is measured beside the load, from before a turn's first call to after its last one."""

    def begin(self, turn: Turn) -> list[AnyRecord]:
        """Begin, and return what the journal is to hold."""

    def end(self, turn: Turn) -> list[AnyRecord]: ...
