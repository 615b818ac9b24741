"""Reads, around each turn, what the simulated providers behind an arm have counted.

Much of an arm's cost depends on how many connections it opens, and on how many requests it sends at
once. Only the providers can count that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from mcp_perf.client.errors import TargetError
from mcp_perf.load.plan.schedule import Turn
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.load.watch.prometheus import fetched
from mcp_perf.load.watch.sampler import Sampler
from mcp_perf.outcomes import OK
from mcp_perf.results.journal.records import AnyRecord, UpstreamUse


class Counts(msgspec.Struct, frozen=True):
    """What the simulator has counted so far; the maximum is since the turn began."""

    requests: int
    connections: int
    max_in_parallel: int


class Upstreams:
    """Reads the counts of the arm whose turn it is."""

    def __init__(self, targets: Mapping[str, ArmTarget], now_s: Callable[[], float]) -> None:
        self._pages = {name: target.upstream for name, target in targets.items() if target.upstream}
        self._now_s = now_s
        self._before: Counts | None = None

    def begin(self, turn: Turn) -> list[AnyRecord]:
        """Read before the first call, and reset the maximum."""
        self._before = self._ask("POST", turn)
        return []

    def end(self, turn: Turn) -> list[AnyRecord]:
        """Return what was counted since; nothing if the simulator no longer answers."""
        before, after = self._before, self._ask("GET", turn)
        if before is None or after is None:
            return []
        return [
            UpstreamUse(
                turn=turn.number,
                at_s=self._now_s(),
                arm=turn.arm,
                requests=after.requests - before.requests,
                connections=after.connections - before.connections,
                max_in_parallel=after.max_in_parallel,
            )
        ]

    def _ask(self, method: str, turn: Turn) -> Counts | None:
        page = self._pages.get(turn.arm)
        if page is None:
            return None
        try:
            reply = fetched(method, f"{page}/_together")
        except TargetError:
            return None
        return msgspec.json.decode(reply.body, type=Counts) if reply.outcome == OK else None


@dataclass(frozen=True)
class Together:
    """Several that measure during the load, as one."""

    parts: Sequence[Upstreams | Sampler]

    def begin(self, turn: Turn) -> list[AnyRecord]:
        return [record for part in self.parts for record in part.begin(turn)]

    def end(self, turn: Turn) -> list[AnyRecord]:
        return [record for part in reversed(self.parts) for record in part.end(turn)]
