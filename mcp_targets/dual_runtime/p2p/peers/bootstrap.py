"""Joining the network: several methods find nodes at once, and the best nodes are tried."""

import functools
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anyio
import msgspec

from mcp_targets.dual_runtime.errors import ToolFailure
from mcp_targets.dual_runtime.network import Fanout, gather
from mcp_targets.dual_runtime.p2p.peers.monitoring import Monitor

_HISTORY: Final = 100


class Method(msgspec.Struct, frozen=True):
    """A way to find nodes. Lower priority numbers are tried first."""

    name: str
    priority: int
    nodes: Callable[[], Awaitable[list[str]]]


class Attempt(msgspec.Struct, frozen=True):
    """One node that was tried."""

    node: str
    method: str
    outcome: str
    """connected, timed out, or the error."""


@dataclass(eq=False)
class Bootstrap:
    """Find nodes by all methods, connect to enough of them, and remember every attempt."""

    methods: Sequence[Method]
    connect: Callable[[str], Awaitable[Any]]
    monitor: Monitor
    fanout: Fanout

    def __post_init__(self) -> None:
        self.history: deque[Attempt] = deque(maxlen=_HISTORY)

    async def run(self, enough: int, node_timeout_s: float) -> list[Attempt]:
        """Return the attempts in the order of priority; stop when enough nodes are connected.

        A method that fails contributes no nodes; a node that fails or is late delays only itself.
        """
        named = await gather(
            [functools.partial(self._nodes, method) for method in self.methods], self.fanout
        )
        wanted = sorted(zip(self.methods, named, strict=True), key=lambda pair: pair[0].priority)
        first_named: dict[str, str] = {}
        for method, nodes in wanted:
            for node in nodes:
                first_named.setdefault(node, method.name)
        queue = list(first_named.items())
        done: list[Attempt] = []
        while queue and _connected(done) < enough:
            missing = enough - _connected(done)
            batch, queue = queue[:missing], queue[missing:]
            done += await gather(
                [functools.partial(self._try, *pair, node_timeout_s) for pair in batch],
                self.fanout,
            )
        self.history.extend(done)
        return done

    async def _nodes(self, method: Method) -> list[str]:
        try:
            return await method.nodes()
        except ToolFailure:
            return []

    async def _try(self, node: str, method: str, timeout_s: float) -> Attempt:
        outcome = "timed out"
        try:
            with anyio.move_on_after(timeout_s):
                await self.connect(node)
                outcome = "connected"
        except ToolFailure as failure:
            outcome = failure.message
        self.monitor.count("bootstrap", failed=outcome != "connected")
        return Attempt(node, method, outcome)


def _connected(attempts: Sequence[Attempt]) -> int:
    return sum(attempt.outcome == "connected" for attempt in attempts)
