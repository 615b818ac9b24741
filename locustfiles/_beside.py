"""What is measured beside the load."""

from typing import Protocol

from locustfiles._schedule import Turn
from reports.records import AnyRecord


class Beside(Protocol):
    """What is measured beside the load, from before a turn's first call to after its last one."""

    def begin(self, turn: Turn) -> list[AnyRecord]:
        """Begin, and return what the journal is to hold."""

    def end(self, turn: Turn) -> list[AnyRecord]:
        """End it."""
