"""Runs the queue's tasks on the server's loop."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup

from mcp_targets.dual_runtime.errors import TimedOut, ToolFailure
from mcp_targets.dual_runtime.p2p.queue import work
from mcp_targets.dual_runtime.p2p.queue.task_queue import Task, TaskQueue
from mcp_targets.dual_runtime.tooling.crossing import soon


class Doer:
    """Take work from a source as soon as there is any, and run `_do` for each piece concurrently.

    A source has `take`, which returns None if there is nothing, `changed`, and `stop`, which is
    called with the key of a scope.
    """

    _do: Callable[[Any], Coroutine[Any, Any, None]]

    def __init__(self, source: Any) -> None:
        self._source = source
        self._scopes: dict[tuple[Any, ...], anyio.CancelScope] = {}

    async def run(self, group: TaskGroup) -> None:
        """Take work until cancelled; it runs in `group`."""
        call_soon = soon()
        self._source.stop = lambda *key: call_soon(lambda: self._stop(*key))
        while True:
            self._source.changed.clear()
            while (taken := self._source.take()) is not None:
                group.start_soon(self._do, taken)
            await self._source.changed.wait()

    @contextmanager
    def _stoppable(self, *key: Any) -> Iterator[None]:
        with anyio.CancelScope() as self._scopes[key]:
            yield
        self._scopes.pop(key, None)

    def _stop(self, *key: Any) -> None:
        if scope := self._scopes.pop(key, None):
            scope.cancel()


class TaskRunner(Doer):
    """Runs a queue's tasks."""

    _source: TaskQueue

    async def _do(self, taken: tuple[Task, int]) -> None:
        task, start = taken
        with self._stoppable(task.task_id, start):
            result, error = await attempt(task.kind, task.payload, task.timeout_s)
            self._source.finish(task, start, result, error)


async def attempt(
    kind: str, payload: dict[str, Any], timeout_s: float
) -> tuple[Any, dict[str, Any] | None]:
    """Do a piece of work within a time limit; return its result, or None and the error."""
    try:
        with anyio.move_on_after(timeout_s) as scope:
            return await work.do(kind, payload), None
        assert scope.cancelled_caught  # noqa: S101 -- nothing else leads here
        raise TimedOut("TIMED_OUT", f"{kind} took longer than {timeout_s:g} s")
    except ToolFailure as failure:
        return None, failure.body()["error"]
