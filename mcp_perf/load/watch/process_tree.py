"""What a tree of processes uses: CPU time that never goes back, memory, threads, descriptors."""

import contextlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

Parents = dict[int, int]
"""Process id -> its parent's."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was used so far, and what is in use now; None is unknown."""

    cpu_s: float | None = None
    rss_bytes: int | None = None
    threads: int | None = None
    fds: int | None = None
    processes: int | None = None
    by_process: dict[str, float] = field(default_factory=dict)
    """Seconds in which each process, by its id, ran or its main thread waited for a core."""


@dataclass(slots=True)
class _Known:
    """A process of the tree as it was last seen; CPU in seconds."""

    handle: psutil.Process
    own_s: float = 0.0
    waited_s: float = 0.0
    reaped_s: float = 0.0
    """The CPU time of its children that have ended and that it has waited for."""


@dataclass(frozen=True, slots=True)
class _Now:
    rss_bytes: int
    threads: int
    fds: int | None


def parents() -> Parents:
    """Return every process of the machine and its parent; finding children costs most here."""
    return {process.pid: process.info["ppid"] for process in psutil.process_iter(["ppid"])}


class ProcessTree:
    """The processes below some roots. A child that was found stays, even if its parent ends.

    A process that ends hands its CPU time to its parent, if the parent waits for it. Time that was
    counted while the process lived is not counted again, and is not lost if nobody waits.
    """

    blocks = True
    """Nothing else runs during a reading, because it does not wait for the network."""

    def __init__(self, roots: Iterable[int], find: Callable[[], Parents] = parents) -> None:
        """Begin with the processes that exist. Raises psutil.Error if a root does not."""
        self._find = find
        self._known = {pid: _Known(psutil.Process(pid)) for pid in roots}
        self._cpu_s = 0.0
        self._owed_s = 0.0
        """CPU time of processes that have ended, which their parents may not show yet."""
        self.refresh()

    @property
    def pids(self) -> set[int]:
        return set(self._known)

    def refresh(self) -> None:
        """Look for new processes; the load generator and what it has started are never among them.

        Parents come before their children. So a child that ends during a reading is missing from
        that reading, and its parent shows it in the next one.
        """
        children: defaultdict[int, list[int]] = defaultdict(list)
        for pid, parent in self._find().items():
            children[parent].append(pid)
        open_ = list(self._known)
        for pid in open_:
            for child in children[pid]:
                if child not in self._known and child != os.getpid():
                    with contextlib.suppress(psutil.Error):
                        self._known[child] = _Known(psutil.Process(child))
                        open_.append(child)

    def add(self, roots: Iterable[int]) -> None:
        """Add processes that have been started since; leave out those that have ended again."""
        for pid in list(roots):  # a copy at once: users start and stop servers meanwhile
            if pid not in self._known:
                with contextlib.suppress(psutil.Error):
                    self._known[pid] = _Known(psutil.Process(pid))

    def read(self) -> Reading:
        """Read all known processes. Raises ProcessLookupError if none of them is alive."""
        living: list[_Now] = []
        inherited_s = ended_s = 0.0
        for pid, known in list(self._known.items()):
            own_s, reaped_s = known.own_s, known.reaped_s
            try:
                living += _read(known)
            except psutil.Error:
                ended_s += own_s + reaped_s
                del self._known[pid]
            else:
                self._cpu_s += known.own_s - own_s
                inherited_s += known.reaped_s - reaped_s
        owed_s = ended_s + self._owed_s
        paid_s = min(inherited_s, owed_s)
        self._cpu_s += inherited_s - paid_s
        self._owed_s = min(ended_s, owed_s - paid_s)
        if not living:
            raise ProcessLookupError("its processes have ended.")
        fds = [now.fds for now in living if now.fds is not None]
        return Reading(
            cpu_s=self._cpu_s,
            rss_bytes=sum(now.rss_bytes for now in living),
            threads=sum(now.threads for now in living),
            fds=sum(fds) if len(fds) == len(living) else None,
            processes=len(living),
            by_process={str(pid): one.own_s + one.waited_s for pid, one in self._known.items()},
        )


def _waited_s(pid: int) -> float:
    """Return how long a process was ready to run while no core was free; 0 if that is unknown."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_bytes().split()[1]) / 1e9
    except (OSError, IndexError):  # proc(5): time on the CPU, time waiting, time slices
        return 0.0


def _read(known: _Known) -> list[_Now]:
    """Read a process; a zombie only has its CPU time."""
    handle = known.handle
    with handle.oneshot():
        times = handle.cpu_times()
        known.own_s = times.user + times.system
        known.waited_s = _waited_s(handle.pid)
        known.reaped_s = times.children_user + times.children_system
        if handle.status() == psutil.STATUS_ZOMBIE:
            return []
        fds: int | None = None
        # Other users' processes may not show their descriptors.
        with contextlib.suppress(psutil.AccessDenied):
            fds = handle.num_fds()
        return [_Now(handle.memory_info().rss, handle.num_threads(), fds)]
