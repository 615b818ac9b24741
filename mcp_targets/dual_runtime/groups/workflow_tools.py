"""Tools for workflows: steps that depend on each other."""

from typing import Any, Literal

import anyio
import msgspec

from mcp_targets.dual_runtime.groups.fields import Id, Limit, Object, Result, WaitMs
from mcp_targets.dual_runtime.p2p.workflows import diagrams, workflow_graph
from mcp_targets.dual_runtime.p2p.workflows.workflows import Workflow, Workflows
from mcp_targets.dual_runtime.tooling.metadata import p2p_metadata

State = Literal["running", "completed", "failed", "cancelled"]


class WorkflowTools:
    """Submit, follow and cancel workflows; show what depends on what."""

    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    @p2p_metadata(category="p2p.workflows", priority=8)
    async def workflow_submit(self, name: Id, steps: list[Object]) -> Result:
        """Start a workflow of steps {id, kind, payload, depends_on, retries, timeout_ms}."""
        return self._workflows.submit(name, steps).shown()

    @p2p_metadata(category="p2p.workflows")
    async def workflow_status(self, workflow_id: Id) -> Result:
        """Show the state of a workflow, step by step."""
        workflow = self._workflows.get(workflow_id)
        return {**workflow.shown(), "states": {k: run.state for k, run in workflow.runs.items()}}

    @p2p_metadata(category="p2p.workflows", priority=9)
    async def workflow_cancel(self, workflow_id: Id) -> Result:
        """Stop a running workflow; it stays cancelled."""
        return self._workflows.cancel(workflow_id).shown()

    @p2p_metadata(category="p2p.workflows")
    async def workflow_list(self, state: State | None = None, limit: Limit = 50) -> Result:
        """List workflows, the newest first."""
        return {"workflows": [flow.shown() for flow in self._workflows.listed(state, limit)]}

    @p2p_metadata(category="p2p.workflows")
    async def workflow_dependencies(
        self, workflow_id: Id, form: Literal["json", "dot", "mermaid"] = "json"
    ) -> Result:
        """Show what depends on what, and the critical path."""
        workflow = self._workflows.get(workflow_id)
        path, least_ms = workflow_graph.critical_path(workflow.graph)
        result = {"workflow_id": workflow_id, "critical_path": path, "critical_path_ms": least_ms}
        if form == "dot":
            return {**result, "text": diagrams.dot(workflow.graph, path)}
        if form == "mermaid":
            return {**result, "text": diagrams.mermaid(workflow.graph, path)}
        edges = {name: list(step.depends_on) for name, step in workflow.graph.items()}
        return {**result, "depends_on": edges}

    @p2p_metadata(category="p2p.workflows", timeout_seconds=70)
    async def workflow_result(self, workflow_id: Id, wait_ms: WaitMs = 0) -> Result:
        """Return the steps' results, and the time taken next to the critical path's."""
        workflow = self._workflows.get(workflow_id)
        with anyio.move_on_after(wait_ms / 1000):
            await workflow.done.wait()
        return {**workflow.shown(), **_times(workflow), "results": _results(workflow)}


def _times(workflow: Workflow) -> dict[str, Any]:
    _, least_ms = workflow_graph.critical_path(workflow.graph)
    elapsed_s = workflow.elapsed_s
    elapsed_ms = None if elapsed_s is None else round(elapsed_s * 1000, 3)
    return {"elapsed_ms": elapsed_ms, "critical_path_ms": least_ms}


def _results(workflow: Workflow) -> dict[str, Any]:
    return {name: msgspec.structs.asdict(run) for name, run in workflow.runs.items()}
