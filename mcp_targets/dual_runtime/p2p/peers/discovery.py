"""Finding peers: several sources at once, within a deadline; their answers are merged."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import msgspec

from mcp_targets.dual_runtime.errors import ToolFailure
from mcp_targets.dual_runtime.network import Fanout, Network, gather
from mcp_targets.dual_runtime.p2p.peers.monitoring import Monitor
from mcp_targets.dual_runtime.p2p.peers.peers import (
    Peer,
    PeerBook,
    RegistryFile,
    alive,
    capable,
    freshest,
)


class IssuesRegistry:
    """Peers announced as issues of a GitHub repository, one issue each."""

    name = "github"

    def __init__(self, network: Network, repository: str) -> None:
        self._network = network
        self._path = f"/repos/{repository}/issues"

    async def peers(self) -> list[Peer]:
        """Return the announced peers; skip issues about anything else."""
        issues = await self._network.ask("github", self._path, labels="peer", per_page="100")
        return [peer for issue in issues if (peer := _announced(issue)) is not None]


def _announced(issue: dict[str, Any]) -> Peer | None:
    try:
        return msgspec.json.decode(issue.get("body") or "", type=Peer)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


class Cached:
    """The peers that this node already knows."""

    name = "cache"

    def __init__(self, book: PeerBook) -> None:
        self._book = book

    async def peers(self) -> list[Peer]:
        """Return them."""
        return self._book.known()


Source = IssuesRegistry | RegistryFile | Cached
"""Something that returns peers or raises ToolFailure."""


class Found(msgspec.Struct):
    """The peers found, and the outcome of each source: ok, late, or its error."""

    peers: list[Peer]
    sources: dict[str, str]


@dataclass(eq=False)
class Discovery:
    """Ask all sources and remember their answers."""

    sources: Sequence[Source]
    book: PeerBook
    clock: Callable[[], float]
    monitor: Monitor
    fanout: Fanout

    async def discover(self, required: Sequence[str], limit: int, deadline_s: float) -> Found:
        """Return living peers that have the required capabilities, most recently seen first.

        If a source fails or is late, only its peers are missing.
        """
        heard: list[Peer] = []
        outcomes = {source.name: "late" for source in self.sources}

        async def ask(source: Source) -> None:
            try:
                found = await source.peers()
            except ToolFailure as failure:
                outcomes[source.name] = failure.message
                return
            heard.extend(
                msgspec.structs.replace(peer, source=peer.source or source.name) for peer in found
            )
            outcomes[source.name] = "ok"

        with anyio.move_on_after(deadline_s):
            await gather([functools.partial(ask, source) for source in self.sources], self.fanout)
        for outcome in outcomes.values():
            self.monitor.count("discovery", failed=outcome != "ok")
        self.book.learn(heard)
        return Found(capable(alive(freshest(heard), self.clock()), required)[:limit], outcomes)
