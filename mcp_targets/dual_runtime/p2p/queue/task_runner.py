"""Does the queue's tasks on the server's loop."""

from typing import Any

import anyio
from anyio.abc import TaskGroup

from mcp_targets.dual_runtime.errors import TimedOut, ToolFailure
from mcp_targets.dual_runtime.p2p.queue import work
from mcp_targets.dual_runtime.p2p.queue.task_queue import Task, TaskQueue
from mcp_targets.dual_runtime.tooling.crossing import soon


class TaskRunner:
    """Take tasks from a queue as soon as there are any, and do them side by side."""

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue
        self._scopes: dict[tuple[str, int], anyio.CancelScope] = {}

    async def run(self, group: TaskGroup) -> None:
        """Work until cancelled; tasks run in `group`."""
        call_soon = soon()
        self._queue.stop = lambda *key: call_soon(lambda: self._stop(*key))
        while True:
            self._queue.changed.clear()
            while (taken := self._queue.take()) is not None:
                group.start_soon(self._do, *taken)
            await self._queue.changed.wait()

    async def _do(self, task: Task, start: int) -> None:
        with anyio.CancelScope() as scope:
            self._scopes[task.task_id, start] = scope
            result, error = await attempt(task.kind, task.payload, task.timeout_s)
            self._queue.finish(task, start, result, error)
        self._scopes.pop((task.task_id, start), None)

    def _stop(self, task_id: str, start: int) -> None:
        scope = self._scopes.pop((task_id, start), None)
        if scope is not None:
            scope.cancel()


async def attempt(
    kind: str, payload: dict[str, Any], timeout_s: float
) -> tuple[Any, dict[str, Any] | None]:
    """Do a piece of work within a time; return its result, or None and the error."""
    try:
        with anyio.move_on_after(timeout_s) as scope:
            return await work.do(kind, payload), None
        assert scope.cancelled_caught  # noqa: S101 -- nothing else leads here
        raise TimedOut("TIMED_OUT", f"{kind} took longer than {timeout_s:g} s")
    except ToolFailure as failure:
        return None, failure.body()["error"]
