"""The task queue: tasks that wait, run and have ended. Pure: no loop, no sockets.

A task is queued -> running -> completed | failed | cancelled; `retry` queues a failed or cancelled
one again. A cancelled task stays cancelled, whatever its work does later: each start of a task has
a number, and only the current start can end the task.
"""

import bisect
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from mcp_targets.dual_runtime.errors import Conflict, NotFound, ToolFailure
from mcp_targets.dual_runtime.p2p.queue.workers import Worker, Workers
from mcp_targets.dual_runtime.tooling.crossing import Signal

STATES: Final = ("queued", "running", "completed", "failed", "cancelled")
ENDED: Final = frozenset({"completed", "failed", "cancelled"})
KEPT: Final = 10_000
"""Ended tasks that are remembered; older ones are forgotten."""


class Task(msgspec.Struct):
    """A task and its outcome."""

    task_id: str
    kind: str
    payload: dict[str, Any]
    priority: int
    requires: frozenset[str]
    timeout_s: float
    submitted_s: float
    serial: int
    state: str = "queued"
    starts: int = 0
    worker_id: str | None = None
    result: Any = None
    error: dict[str, Any] | None = None
    done: Signal = msgspec.field(default_factory=Signal)

    def shown(self) -> dict[str, Any]:
        return {
            "task_id": self.task_id,
            "kind": self.kind,
            "state": self.state,
            "priority": self.priority,
            "requires": sorted(self.requires),
            "starts": self.starts,
            "worker_id": self.worker_id,
            "submitted_s": self.submitted_s,
        }


class TaskQueue:
    """Tasks and workers; thread-safe.

    `stop` is called with the id of a running task and the number of the start that has to end.
    """

    def __init__(self, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._lock = threading.RLock()
        self._tasks: dict[str, Task] = {}
        self._waiting: list[tuple[int, int, str]] = []
        self._ended: list[str] = []
        self._serial = 0
        self._paused = False
        self.workers = Workers()
        self.changed = Signal()
        """Set whenever there may be something to take."""
        self.stop: Callable[[str, int], None] = lambda _, __: None

    def submit(
        self,
        kind: str,
        payload: dict[str, Any],
        priority: int,
        requires: Iterable[str],
        timeout_s: float,
    ) -> Task:
        with self._lock:
            task_id, now_s = self._new_id(), self._clock()
            task = Task(task_id, kind, payload, priority, frozenset(requires), timeout_s, now_s, 0)
            self._tasks[task_id] = task
            self._queue(task)
        self.changed.set()
        return task

    def get(self, task_id: str) -> Task:
        """Return a task. Raises NotFound."""
        task = self._tasks.get(task_id)
        if task is None:
            raise NotFound("UNKNOWN_TASK", f"there is no task {task_id!r}")
        return task

    def listed(self, state: str | None, limit: int) -> list[Task]:
        """Return the newest tasks, of one state or of all."""
        with self._lock:
            found = [task for task in self._tasks.values() if state in (None, task.state)]
        return found[-limit:][::-1]

    def cancel(self, task_id: str) -> Task:
        """Cancel a task that has not ended, and stop its work. Raises NotFound, Conflict."""
        with self._lock:
            task = self.get(task_id)
            self._refuse(task, ENDED, "CANNOT_CANCEL")
            was_running = task.state == "running"
            self._drop(task)
            self._end(task, "cancelled")
        if was_running:
            self.stop(task_id, task.starts)
        self.changed.set()
        return task

    def set_priority(self, task_id: str, priority: int) -> Task:
        """Move a queued task within the queue. Raises NotFound, Conflict."""
        with self._lock:
            task = self.get(task_id)
            self._refuse(task, {"running", *ENDED}, "NOT_QUEUED")
            self._drop(task)
            task.priority = priority
            self._queue(task, keep_serial=True)
        return task

    def retry(self, task_id: str) -> Task:
        """Queue a failed or cancelled task again. Raises NotFound, Conflict."""
        with self._lock:
            task = self.get(task_id)
            self._refuse(task, {"queued", "running", "completed"}, "CANNOT_RETRY")
            self._ended.remove(task_id)
            task.result = task.error = task.worker_id = None
            task.done.clear()
            self._queue(task)
        self.changed.set()
        return task

    def pause(self, *, paused: bool) -> None:
        """Stop or resume starting tasks; running ones continue."""
        with self._lock:
            self._paused = paused
        self.changed.set()

    def clear(self, *, confirm: bool) -> int:
        """Cancel all queued tasks and return how many there were. Raises ToolFailure."""
        if not confirm:
            hint = "pass confirm: true to cancel all queued tasks"
            raise ToolFailure("NOT_CONFIRMED", "nothing was cleared", hint)
        with self._lock:
            queued = [self._tasks[task_id] for _, _, task_id in self._waiting]
            self._waiting.clear()
            for task in queued:
                self._end(task, "cancelled")
        return len(queued)

    def stats(self) -> dict[str, Any]:
        """Return counts by state, of workers, and whether the queue is paused."""
        with self._lock:
            counts = dict.fromkeys(STATES, 0)
            for task in self._tasks.values():
                counts[task.state] += 1
            workers = self.workers.all()
        slots = sum(worker.slots for worker in workers)
        return {"paused": self._paused, "tasks": counts, "workers": len(workers), "slots": slots}

    # Workers.

    def register(self, worker_id: str, capabilities: Iterable[str], slots: int) -> Worker:
        """Add a worker, which gets tasks at once. Raises Conflict."""
        with self._lock:
            worker = self.workers.add(worker_id, capabilities, slots)
        self.changed.set()
        return worker

    def unregister(self, worker_id: str) -> list[str]:
        """Remove a worker; its running tasks are queued again, and returned. Raises NotFound."""
        with self._lock:
            tasks = [self._tasks[name] for name in sorted(self.workers.remove(worker_id).running)]
            for task in tasks:
                self._queue(task, keep_serial=True)
            starts = {task.task_id: task.starts for task in tasks}
        for task_id, start in starts.items():
            self.stop(task_id, start)
        self.changed.set()
        return list(starts)

    # Called by the runner.

    def take(self) -> tuple[Task, int] | None:
        """Start the first task that a worker can do; return it with the number of this start."""
        with self._lock:
            if self._paused:
                return None
            for entry in self._waiting:
                task = self._tasks[entry[2]]
                worker = self.workers.free_for(task.requires)
                if worker is not None:
                    self._waiting.remove(entry)
                    worker.running.add(task.task_id)
                    task.state, task.worker_id = "running", worker.worker_id
                    task.starts += 1
                    return task, task.starts
        return None

    def finish(self, task: Task, start: int, result: Any, error: dict[str, Any] | None) -> bool:
        """End a task if `start` is still its current one, and return whether it was."""
        with self._lock:
            current = task.state == "running" and task.starts == start
            if current:
                task.result, task.error = result, error
                self.workers.ended(task.worker_id or "", task.task_id, failed=error is not None)
                self._end(task, "completed" if error is None else "failed")
        self.changed.set()
        return current

    def _queue(self, task: Task, *, keep_serial: bool = False) -> None:
        if not keep_serial:
            self._serial += 1
            task.serial = self._serial
        task.state, task.worker_id = "queued", None
        bisect.insort(self._waiting, (-task.priority, task.serial, task.task_id))

    def _drop(self, task: Task) -> None:
        if task.state == "queued":
            self._waiting.remove((-task.priority, task.serial, task.task_id))
        elif task.worker_id is not None:
            self.workers.dropped(task.worker_id, task.task_id)

    def _end(self, task: Task, state: str) -> None:
        task.state = state
        task.done.set()
        self._ended.append(task.task_id)
        if len(self._ended) > KEPT:
            del self._tasks[self._ended.pop(0)]

    @staticmethod
    def _refuse(task: Task, states: Iterable[str], code: str) -> None:
        if task.state in states:
            raise Conflict(code, f"task {task.task_id} is {task.state}", state=task.state)
