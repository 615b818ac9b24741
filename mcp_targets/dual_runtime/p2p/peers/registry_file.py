"""Peers in a local file that several processes share: locked, and replaced in one step."""

from pathlib import Path
from typing import Final

import anyio.to_thread
import msgspec
from filelock import FileLock

from mcp_targets.dual_runtime.p2p.peers.peers import Peer, freshest

_WAIT_S: Final = 10.0


class RegistryFile:
    """A JSON file of peers."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path.with_name(path.name + ".lock"), timeout=_WAIT_S)

    def read(self) -> list[Peer]:
        """Return the peers; a reader never sees half a file, so it takes no lock."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Peer])
        except FileNotFoundError:
            return []

    def register(self, peer: Peer) -> None:
        """Add a peer, or its fresher record."""
        with self._lock:
            partial = self._path.with_name(self._path.name + ".partial")
            partial.write_bytes(msgspec.json.encode(freshest([*self.read(), peer])))
            partial.replace(self._path)

    async def peers(self) -> list[Peer]:
        """Return the peers, as a source for discovery."""
        return await anyio.to_thread.run_sync(self.read)

    async def add(self, peer: Peer) -> None:
        """Add a peer without blocking the loop."""
        await anyio.to_thread.run_sync(self.register, peer)
