"""Tools for the queue and its workers."""

from typing import Annotated

from pydantic import Field

from mcp_targets.dual_runtime.groups.fields import Id, Result, Words
from mcp_targets.dual_runtime.p2p.queue.task_queue import TaskQueue
from mcp_targets.dual_runtime.tooling.metadata import p2p_metadata

Slots = Annotated[int, Field(ge=1, le=1000, description="How many tasks it does at once.")]


class QueueTools:
    """Look at the queue, hold it, empty it; add and remove workers."""

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue

    @p2p_metadata(category="p2p.queue")
    async def queue_stats(self) -> Result:
        """Count tasks by state, workers and slots."""
        return self._queue.stats()

    @p2p_metadata(category="p2p.queue", priority=9)
    async def queue_pause(self) -> Result:
        """Start no more tasks; running ones continue."""
        self._queue.pause(paused=True)
        return self._queue.stats()

    @p2p_metadata(category="p2p.queue", priority=9)
    async def queue_resume(self) -> Result:
        """Start tasks again."""
        self._queue.pause(paused=False)
        return self._queue.stats()

    @p2p_metadata(category="p2p.queue", priority=9)
    async def queue_clear(self, confirm: bool = False) -> Result:
        """Cancel every queued task; needs confirm: true."""
        return {"cancelled": self._queue.clear(confirm=confirm)}

    @p2p_metadata(category="p2p.workers")
    async def worker_register(
        self, worker_id: Id, capabilities: Words | None = None, slots: Slots = 4
    ) -> Result:
        """Add a worker, which gets tasks at once."""
        return self._queue.register(worker_id, capabilities or (), slots).shown()

    @p2p_metadata(category="p2p.workers")
    async def worker_unregister(self, worker_id: Id) -> Result:
        """Remove a worker; its running tasks are queued again."""
        return {"worker_id": worker_id, "requeued": self._queue.unregister(worker_id)}

    @p2p_metadata(category="p2p.workers")
    async def worker_status(self, worker_id: Id | None = None) -> Result:
        """Show one worker, or all."""
        workers = self._queue.workers
        found = workers.all() if worker_id is None else [workers.get(worker_id)]
        return {"workers": [worker.shown() for worker in found]}
