"""The processes of one machine: an arrival that finds no free user in one goes to another.

`max_in_flight` is one number for the run, but users are spread over its processes. So each process
says in shared memory whether it has a free user, and reads a pipe for the arrivals that others hand
over. Workers on other machines keep their share of the arrivals.
"""

import mmap
import os
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import gevent

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder made in it is new and private
"""A folder of Linux in memory, so no process waits for a disk."""
_FREE: Final = "free"
_YES: Final = b"\1"
_ARRIVAL: Final = struct.Struct("q")
_READ: Final = 1
_MOST: Final = 1 << 16
"""The bytes that a pipe holds at most."""


def meeting_point(nodes: int) -> tempfile.TemporaryDirectory[str]:
    """Make the folder in which this many processes meet, as far as they are on this machine."""
    folder = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    made = tempfile.TemporaryDirectory(prefix="mcp-perf-", dir=folder)
    (Path(made.name) / _FREE).write_bytes(bytes(nodes))
    for node in range(nodes):
        os.mkfifo(Path(made.name) / str(node), 0o600)
    return made


class Neighbours:
    """One of the processes that meet at `folder`."""

    def __init__(self, folder: Path, node: int, nodes: int) -> None:
        self._node = node
        self._pipes = [os.open(folder / str(i), os.O_RDWR | os.O_NONBLOCK) for i in range(nodes)]
        self._shared = os.open(folder / _FREE, os.O_RDWR)
        self._free = mmap.mmap(self._shared, nodes)
        self._watcher = gevent.get_hub().loop.io(self._pipes[node], _READ)
        self._take: Callable[[int], None] = lambda _due_ns: None

    def join(self, take: Callable[[int], None]) -> None:
        """Begin a turn. `take` gets the arrivals (ns) that other processes hand over."""
        self._take = take
        self._watcher.start(self._read)

    def tell(self, *, free: bool) -> None:
        """Say whether an arrival would find a free user here."""
        self._free[self._node] = free

    def hand_over(self, due_ns: int) -> bool:
        """Give an arrival to another process with a free user; False if none has one."""
        self._free[self._node] = False
        if self._free.find(_YES) < 0:
            return False
        # No process leaves meanwhile, so one that has left has read all that was handed over.
        os.lockf(self._shared, os.F_LOCK, 0)
        try:
            node = max(self._free.find(_YES, self._node), self._free.find(_YES))
            return node >= 0 and os.write(self._pipes[node], _ARRIVAL.pack(due_ns)) > 0
        except BlockingIOError:
            return False
        finally:
            os.lockf(self._shared, os.F_ULOCK, 0)

    def leave(self) -> None:
        """End a turn: take what was handed over, but nothing from now on."""
        os.lockf(self._shared, os.F_LOCK, 0)
        self._free[self._node] = False
        os.lockf(self._shared, os.F_ULOCK, 0)
        self._watcher.stop()
        self._read()

    def close(self) -> None:
        self._watcher.close()
        self._free.close()
        for descriptor in (self._shared, *self._pipes):
            os.close(descriptor)

    def _read(self) -> None:
        try:
            told = os.read(self._pipes[self._node], _MOST)
        except BlockingIOError:
            return
        for (due_ns,) in _ARRIVAL.iter_unpack(told):
            self._take(due_ns)
