"""Tools for single tasks."""

from typing import Literal

import anyio

from mcp_targets.dual_runtime.groups.fields import (
    Id,
    Limit,
    Object,
    Priority,
    Result,
    Timeout,
    WaitMs,
    Words,
)
from mcp_targets.dual_runtime.p2p.queue import work
from mcp_targets.dual_runtime.p2p.queue.task_queue import ENDED, TaskQueue
from mcp_targets.dual_runtime.tooling.metadata import p2p_metadata

State = Literal["queued", "running", "completed", "failed", "cancelled"]


class TaskTools:
    """Submit, follow, change and cancel tasks."""

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue

    @p2p_metadata(category="p2p.tasks", priority=8)
    async def task_submit(
        self,
        kind: str,
        payload: Object | None = None,
        priority: Priority = 5,
        requires: Words | None = None,
        timeout_ms: Timeout = 30_000,
    ) -> Result:
        """Queue a task: echo, sleep, sum, hash or fail."""
        work.check_kind(kind)
        task = self._queue.submit(kind, payload or {}, priority, requires or (), timeout_ms / 1000)
        return task.shown()

    @p2p_metadata(category="p2p.tasks")
    async def task_status(self, task_id: Id) -> Result:
        """Show the state of a task."""
        return self._queue.get(task_id).shown()

    @p2p_metadata(category="p2p.tasks", priority=9)
    async def task_cancel(self, task_id: Id) -> Result:
        """Stop a task that has not ended; it stays cancelled."""
        return self._queue.cancel(task_id).shown()

    @p2p_metadata(category="p2p.tasks")
    async def task_list(self, state: State | None = None, limit: Limit = 50) -> Result:
        """List tasks, the newest first."""
        return {"tasks": [task.shown() for task in self._queue.listed(state, limit)]}

    @p2p_metadata(category="p2p.tasks")
    async def task_priority(self, task_id: Id, priority: Priority) -> Result:
        """Move a queued task forward or back."""
        return self._queue.set_priority(task_id, priority).shown()

    @p2p_metadata(category="p2p.tasks", timeout_seconds=70)
    async def task_result(self, task_id: Id, wait_ms: WaitMs = 0) -> Result:
        """Return the result of a task, or its error."""
        task = self._queue.get(task_id)
        with anyio.move_on_after(wait_ms / 1000):
            await task.done.wait()
        ended = task.state in ENDED
        return {**task.shown(), "ended": ended, "result": task.result, "error": task.error}

    @p2p_metadata(category="p2p.tasks")
    async def task_retry(self, task_id: Id) -> Result:
        """Queue a failed or cancelled task again."""
        return self._queue.retry(task_id).shown()
