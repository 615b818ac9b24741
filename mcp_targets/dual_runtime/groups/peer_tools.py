"""Tools for peers: finding, connecting, measuring, joining."""

import time
from dataclasses import dataclass
from typing import Annotated

import msgspec
from pydantic import Field

from mcp_targets.dual_runtime.groups.fields import Limit, Result, Timeout, Words
from mcp_targets.dual_runtime.network import Network
from mcp_targets.dual_runtime.p2p.peers.addresses import PublicAddress
from mcp_targets.dual_runtime.p2p.peers.bootstrap import Bootstrap
from mcp_targets.dual_runtime.p2p.peers.discovery import Discovery
from mcp_targets.dual_runtime.p2p.peers.peers import Peer, PeerBook, RegistryFile
from mcp_targets.dual_runtime.tooling.metadata import p2p_metadata

PeerId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
Address = Annotated[str, Field(min_length=1, max_length=300)]


@dataclass(eq=False)
class PeerTools:
    """Everything about other nodes."""

    network: Network
    book: PeerBook
    discovery: Discovery
    registry: RegistryFile
    bootstrap: Bootstrap
    address: PublicAddress

    @p2p_metadata(category="p2p.peers", io_intensive=True, cache_ttl=5)
    async def peer_discover(
        self, capabilities: Words | None = None, limit: Limit = 50, deadline_ms: Timeout = 2000
    ) -> Result:
        """Find living peers that have all capabilities, from all sources."""
        found = await self.discovery.discover(capabilities or (), limit, deadline_ms / 1000)
        return {"peers": [peer.shown() for peer in found.peers], "sources": found.sources}

    @p2p_metadata(category="p2p.peers", io_intensive=True)
    async def peer_connect(
        self, peer_id: PeerId, address: Address, capabilities: Words | None = None
    ) -> Result:
        """Connect to a peer, and announce it to others in the shared file."""
        status = await self.network.ask("peer_status", f"/peers/{peer_id}/status")
        peer = Peer(peer_id, address, tuple(capabilities or ()), time.time(), "file")
        self.book.connect(peer)
        await self.registry.add(peer)
        return {**peer.shown(), "state": status["state"]}

    @p2p_metadata(category="p2p.peers")
    async def peer_disconnect(self, peer_id: PeerId) -> Result:
        """End the connection to a peer."""
        self.book.disconnect(peer_id)
        return {"peer_id": peer_id, "connected": False}

    @p2p_metadata(category="p2p.peers")
    async def peer_list(self, connected: bool = False) -> Result:
        """List the peers that are known, or only those connected to; expired ones are dropped."""
        self.book.cleanup()
        peers = self.book.connected() if connected else self.book.known()
        return {"peers": [peer.shown() for peer in peers]}

    @p2p_metadata(category="p2p.peers", io_intensive=True, cache_ttl=5)
    async def peer_metrics(self, peer_id: PeerId) -> Result:
        """Gather a peer's status, load and storage: three independent requests."""
        status, load, storage = await self.network.gather(
            [
                lambda: self.network.ask("peer_status", f"/peers/{peer_id}/status"),
                lambda: self.network.ask("peer_load", f"/peers/{peer_id}/load"),
                lambda: self.network.ask("peer_storage", f"/peers/{peer_id}/storage"),
            ]
        )
        return {"peer_id": peer_id, "status": status, "load": load, "storage": storage}

    @p2p_metadata(category="p2p.peers", io_intensive=True)
    async def bootstrap_network(self, enough: Limit = 3, node_timeout_ms: Timeout = 1000) -> Result:
        """Join the network: find nodes by every method, and connect to enough of them."""
        attempts = await self.bootstrap.run(enough, node_timeout_ms / 1000)
        address = await self.address.get()
        return {
            "connected": [one.node for one in attempts if one.outcome == "connected"],
            "attempts": [msgspec.structs.asdict(one) for one in attempts],
            "public_address": msgspec.structs.asdict(address.seen),
            "nat": address.nat,
        }
