"""Runs workflows on the server's loop: a step starts when the last it depends on has ended."""

from collections.abc import Awaitable, Callable, Iterable

import anyio
from anyio.abc import TaskGroup

from mcp_targets.dual_runtime.p2p.queue.task_runner import attempt
from mcp_targets.dual_runtime.p2p.workflows.workflows import Workflow, Workflows
from mcp_targets.dual_runtime.tooling.crossing import soon


class WorkflowEngine:
    """Begin workflows as they are submitted, side by side."""

    def __init__(
        self, workflows: Workflows, sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    ) -> None:
        self._workflows = workflows
        self._sleep = sleep
        self._scopes: dict[str, anyio.CancelScope] = {}

    async def run(self, group: TaskGroup) -> None:
        """Work until cancelled; workflows run in `group`."""
        call_soon = soon()
        self._workflows.stop = lambda name: call_soon(lambda: self._stop(name))
        while True:
            self._workflows.changed.clear()
            while (workflow := self._workflows.take()) is not None:
                group.start_soon(self._do, workflow)
            await self._workflows.changed.wait()

    async def _do(self, workflow: Workflow) -> None:
        if workflow.state != "running":
            return
        with anyio.CancelScope() as scope:
            self._scopes[workflow.workflow_id] = scope
            async with anyio.create_task_group() as group:
                self._start_ready(workflow, workflow.graph, group)
        self._scopes.pop(workflow.workflow_id, None)

    def _start_ready(self, workflow: Workflow, names: Iterable[str], group: TaskGroup) -> None:
        for name in self._workflows.ready(workflow, names):
            group.start_soon(self._step, workflow, name, group)

    async def _step(self, workflow: Workflow, name: str, group: TaskGroup) -> None:
        step = workflow.graph[name]
        pause_s = step.backoff_ms / 1000
        for left in range(step.retries, -1, -1):
            if not self._workflows.begin(workflow, name):
                return
            result, error = await attempt(step.kind, step.payload, step.timeout_ms / 1000)
            if error is None or not left:
                break
            await self._sleep(pause_s)
            pause_s *= 2
        self._workflows.finish(workflow, name, result, error)
        self._start_ready(workflow, workflow.children[name], group)

    def _stop(self, workflow_id: str) -> None:
        scope = self._scopes.pop(workflow_id, None)
        if scope is not None:
            scope.cancel()
