"""The workers that do tasks, with their slots and capabilities."""

from collections.abc import Iterable
from typing import Any

import msgspec

from mcp_targets.dual_runtime.errors import Conflict, NotFound


class Worker(msgspec.Struct):
    """A worker and its current tasks."""

    worker_id: str
    capabilities: frozenset[str]
    slots: int
    running: set[str] = msgspec.field(default_factory=set)
    completed: int = 0
    failed: int = 0

    def can(self, requires: frozenset[str]) -> bool:
        """Return whether it has a free slot and all required capabilities."""
        return len(self.running) < self.slots and requires <= self.capabilities

    def shown(self) -> dict[str, Any]:
        return {
            "worker_id": self.worker_id,
            "capabilities": sorted(self.capabilities),
            "slots": self.slots,
            "running": sorted(self.running),
            "completed": self.completed,
            "failed": self.failed,
        }


class Workers:
    """The workers by name. Not thread-safe: the queue's lock guards it."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}

    def add(self, worker_id: str, capabilities: Iterable[str], slots: int) -> Worker:
        """Add a worker. Raises Conflict."""
        if worker_id in self._workers:
            raise Conflict("WORKER_EXISTS", f"worker {worker_id!r} is registered already")
        worker = self._workers[worker_id] = Worker(worker_id, frozenset(capabilities), slots)
        return worker

    def remove(self, worker_id: str) -> Worker:
        """Remove a worker and return it, with its tasks. Raises NotFound."""
        worker = self.get(worker_id)
        del self._workers[worker_id]
        return worker

    def get(self, worker_id: str) -> Worker:
        """Return a worker. Raises NotFound."""
        if worker_id not in self._workers:
            raise NotFound("UNKNOWN_WORKER", f"there is no worker {worker_id!r}")
        return self._workers[worker_id]

    def ended(self, worker_id: str, task_id: str, *, failed: bool) -> None:
        """Free the slot of a task that has ended, if the worker still has it."""
        worker = self._workers.get(worker_id)
        if worker is not None and task_id in worker.running:
            worker.running.discard(task_id)
            worker.failed += failed
            worker.completed += not failed

    def dropped(self, worker_id: str, task_id: str) -> None:
        """Free the slot of a task that was taken away."""
        if worker_id in self._workers:
            self._workers[worker_id].running.discard(task_id)

    def free_for(self, requires: frozenset[str]) -> Worker | None:
        """Return the least busy worker that can do a task with these requirements, or None."""
        able = [worker for worker in self._workers.values() if worker.can(requires)]
        return min(able, key=lambda worker: len(worker.running) / worker.slots, default=None)

    def all(self) -> list[Worker]:
        return list(self._workers.values())
