"""The known peers, here and in a file that processes share: newer records win, old ones expire."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
import msgspec
from filelock import FileLock

from mcp_targets.dual_runtime.errors import NotFound

TTL_S: Final = 300.0
_WAIT_S: Final = 10.0
"""How long to wait for the file's lock."""


class Peer(msgspec.Struct, frozen=True):
    """What a source reported about a peer, and when."""

    peer_id: str
    address: str
    capabilities: tuple[str, ...] = ()
    last_seen_s: float = 0.0
    """Seconds since the epoch."""
    source: str = ""

    def shown(self) -> dict[str, Any]:
        known = {name: getattr(self, name) for name in ("peer_id", "address", "source")}
        return {**known, "capabilities": sorted(self.capabilities), "last_seen_s": self.last_seen_s}


def freshest(peers: Iterable[Peer]) -> list[Peer]:
    """Return one record for each peer, most recently seen first."""
    best: dict[str, Peer] = {}
    for peer in peers:
        known = best.get(peer.peer_id)
        if known is None or peer.last_seen_s > known.last_seen_s:
            best[peer.peer_id] = peer
    return sorted(best.values(), key=lambda peer: (-peer.last_seen_s, peer.peer_id))


def alive(peers: Iterable[Peer], now_s: float) -> list[Peer]:
    """Return the peers that were seen within the time to live."""
    return [peer for peer in peers if now_s - peer.last_seen_s < TTL_S]


def capable(peers: Iterable[Peer], required: Iterable[str]) -> list[Peer]:
    """Return the peers that have all required capabilities."""
    wanted = set(required)
    return [peer for peer in peers if wanted <= set(peer.capabilities)]


class PeerBook:
    """The peers that this node knows, and the ones it is connected to."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Peer] = {}
        self._connected: set[str] = set()

    def learn(self, peers: Iterable[Peer]) -> None:
        """Add records; of two for one peer, keep the newer."""
        with self._lock:
            merged = freshest([*self._known.values(), *peers])
            self._known = {peer.peer_id: peer for peer in merged}

    def known(self) -> list[Peer]:
        """Return the living peers, most recently seen first."""
        return alive(self._known.values(), self._clock())

    def connect(self, peer: Peer) -> None:
        self.learn([peer])
        with self._lock:
            self._connected.add(peer.peer_id)

    def disconnect(self, peer_id: str) -> None:
        """Note the end of a connection. Raises NotFound."""
        with self._lock:
            if peer_id not in self._connected:
                raise NotFound("NOT_CONNECTED", f"there is no connection to {peer_id!r}")
            self._connected.discard(peer_id)

    def connected(self) -> list[Peer]:
        with self._lock:
            return [peer for name, peer in self._known.items() if name in self._connected]

    def cleanup(self) -> int:
        """Forget expired peers without a connection, and return how many."""
        with self._lock:
            living = {peer.peer_id for peer in alive(self._known.values(), self._clock())}
            kept = {
                name: peer
                for name, peer in self._known.items()
                if name in living or name in self._connected
            }
            gone = len(self._known) - len(kept)
            self._known = kept
        return gone


class RegistryFile:
    """A JSON file of peers."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path.with_name(path.name + ".lock"), timeout=_WAIT_S)

    def read(self) -> list[Peer]:
        """Return the peers. Needs no lock, because a reader never sees half a file."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Peer])
        except FileNotFoundError:
            return []

    def register(self, peer: Peer) -> None:
        """Add a peer, or its newer record."""
        with self._lock:
            partial = self._path.with_name(self._path.name + ".partial")
            partial.write_bytes(msgspec.json.encode(freshest([*self.read(), peer])))
            partial.replace(self._path)

    async def peers(self) -> list[Peer]:
        """Return the peers, for discovery."""
        return await anyio.to_thread.run_sync(self.read)

    async def add(self, peer: Peer) -> None:
        """Add a peer without blocking the loop."""
        await anyio.to_thread.run_sync(self.register, peer)
