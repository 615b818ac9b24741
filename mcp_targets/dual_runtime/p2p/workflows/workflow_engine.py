"""Runs workflows on the server's loop: a step starts once everything it depends on has ended."""

from collections.abc import Iterable

import anyio
from anyio.abc import TaskGroup

from mcp_targets.dual_runtime.p2p.queue.task_runner import Doer, attempt
from mcp_targets.dual_runtime.p2p.workflows.workflows import Workflow, Workflows


class WorkflowEngine(Doer):
    """Starts workflows when they are submitted, and runs them concurrently."""

    _source: Workflows

    async def _do(self, workflow: Workflow) -> None:
        if workflow.state != "running":
            return
        with self._stoppable(workflow.workflow_id):
            async with anyio.create_task_group() as group:
                self._start_ready(workflow, workflow.graph, group)

    def _start_ready(self, workflow: Workflow, names: Iterable[str], group: TaskGroup) -> None:
        for name in self._source.ready(workflow, names):
            group.start_soon(self._step, workflow, name, group)

    async def _step(self, workflow: Workflow, name: str, group: TaskGroup) -> None:
        step = workflow.graph[name]
        pause_s = step.backoff_ms / 1000
        for left in range(step.retries, -1, -1):
            if not self._source.begin(workflow, name):
                return
            result, error = await attempt(step.kind, step.payload, step.timeout_ms / 1000)
            if error is None or not left:
                break
            await anyio.sleep(pause_s)
            pause_s *= 2
        self._source.finish(workflow, name, result, error)
        self._start_ready(workflow, workflow.children[name], group)
