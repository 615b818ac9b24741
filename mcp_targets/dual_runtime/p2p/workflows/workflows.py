"""Workflows and their states. Pure: no loop, no sockets; the lock makes it safe across threads.

A step is pending -> ready -> running -> completed | failed. Cancelling marks every step that has
not ended as cancelled; a failure skips every step that depends on it. An ended step never changes.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from mcp_targets.dual_runtime.errors import Conflict, NotFound
from mcp_targets.dual_runtime.p2p.workflows import workflow_graph
from mcp_targets.dual_runtime.p2p.workflows.workflow_graph import Step
from mcp_targets.dual_runtime.tooling.crossing import Signal

STEP_STATES: Final = ("pending", "ready", "running", "completed", "failed", "cancelled", "skipped")
ENDED: Final = frozenset({"completed", "failed", "cancelled", "skipped"})
KEPT: Final = 5_000
"""Ended workflows that are remembered; older ones are forgotten."""


class StepRun(msgspec.Struct):
    """The outcome of a step; times are seconds since the workflow was submitted."""

    state: str = "pending"
    attempts: int = 0
    started_s: float | None = None
    ended_s: float | None = None
    result: Any = None
    error: dict[str, Any] | None = None


class Workflow(msgspec.Struct):
    """A submitted workflow and its state."""

    workflow_id: str
    name: str
    graph: dict[str, Step]
    children: dict[str, list[str]]
    submitted_s: float
    runs: dict[str, StepRun]
    state: str = "running"
    """running, then completed, failed or cancelled."""
    elapsed_s: float | None = None
    done: Signal = msgspec.field(default_factory=Signal)

    def shown(self) -> dict[str, Any]:
        counts = dict.fromkeys(STEP_STATES, 0)
        for run in self.runs.values():
            counts[run.state] += 1
        return {
            "workflow_id": self.workflow_id,
            "name": self.name,
            "state": self.state,
            "steps": counts,
        }


class Workflows:
    """The workflows by id; `stop` is called with the id of a workflow whose work has to end."""

    def __init__(self, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._lock = threading.RLock()
        self._workflows: dict[str, Workflow] = {}
        self._submitted: deque[Workflow] = deque()
        self._ended: deque[str] = deque()
        self.changed = Signal()
        self.stop: Callable[[str], None] = lambda _: None
        self.on_end: Callable[[Workflow], None] = lambda _: None

    def submit(self, name: str, steps: list[dict[str, Any]]) -> Workflow:
        """Check a workflow and start it. Raises ToolFailure."""
        graph = workflow_graph.build(steps)
        with self._lock:
            workflow = Workflow(
                self._new_id(),
                name,
                graph,
                workflow_graph.children(graph),
                self._clock(),
                {name: StepRun() for name in graph},
            )
            self._workflows[workflow.workflow_id] = workflow
            self._submitted.append(workflow)
        self.changed.set()
        return workflow

    def get(self, workflow_id: str) -> Workflow:
        """Return a workflow. Raises NotFound."""
        workflow = self._workflows.get(workflow_id)
        if workflow is None:
            raise NotFound("UNKNOWN_WORKFLOW", f"there is no workflow {workflow_id!r}")
        return workflow

    def listed(self, state: str | None, limit: int) -> list[Workflow]:
        """Return the newest workflows, of one state or of all."""
        with self._lock:
            found = [flow for flow in self._workflows.values() if state in (None, flow.state)]
        return found[-limit:][::-1]

    def cancel(self, workflow_id: str) -> Workflow:
        """Stop a running workflow; it stays cancelled. Raises NotFound, Conflict."""
        with self._lock:
            workflow = self.get(workflow_id)
            if workflow.state != "running":
                message = f"workflow {workflow_id} is {workflow.state}"
                raise Conflict("CANNOT_CANCEL", message, state=workflow.state)
            for run in workflow.runs.values():
                if run.state not in ENDED:
                    self._close(workflow, run, "cancelled")
            self._end(workflow, "cancelled")
        self.stop(workflow_id)
        return workflow

    # Called by the engine.

    def take(self) -> Workflow | None:
        """Return the next workflow that has not been started, or None."""
        with self._lock:
            return self._submitted.popleft() if self._submitted else None

    def ready(self, workflow: Workflow, names: Iterable[str]) -> list[str]:
        """Return the steps whose dependencies are done, each only once."""
        with self._lock:
            found = [
                name
                for name in names
                if workflow.runs[name].state == "pending"
                and all(
                    workflow.runs[parent].state == "completed"
                    for parent in workflow.graph[name].depends_on
                )
            ]
            for name in found:
                workflow.runs[name].state = "ready"
        return found

    def begin(self, workflow: Workflow, name: str) -> bool:
        """Count an attempt, and return whether the step may run."""
        with self._lock:
            run = workflow.runs[name]
            if run.state in ENDED:
                return False
            run.state = "running"
            run.attempts += 1
            if run.started_s is None:
                run.started_s = self._clock() - workflow.submitted_s
            return True

    def finish(
        self, workflow: Workflow, name: str, result: Any, error: dict[str, Any] | None
    ) -> None:
        """End a step; skip what depends on a failure; with the last step, end the workflow."""
        with self._lock:
            run = workflow.runs[name]
            if run.state in ENDED:
                return
            run.result, run.error = result, error
            self._close(workflow, run, "completed" if error is None else "failed")
            if error is not None:
                self._skip_below(workflow, name)
            states = {other.state for other in workflow.runs.values()}
            if states <= ENDED:
                self._end(workflow, "failed" if "failed" in states else "completed")

    def _skip_below(self, workflow: Workflow, name: str) -> None:
        below = deque(workflow.children[name])
        while below:
            child = below.popleft()
            if workflow.runs[child].state == "pending":
                self._close(workflow, workflow.runs[child], "skipped")
                below += workflow.children[child]

    def _close(self, workflow: Workflow, run: StepRun, state: str) -> None:
        run.state = state
        run.ended_s = self._clock() - workflow.submitted_s

    def _end(self, workflow: Workflow, state: str) -> None:
        workflow.state = state
        workflow.elapsed_s = self._clock() - workflow.submitted_s
        self.on_end(workflow)
        workflow.done.set()
        self._ended.append(workflow.workflow_id)
        if len(self._ended) > KEPT:
            del self._workflows[self._ended.popleft()]
