"""The graph of a workflow: steps that depend on each other, without cycles. Pure."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Final

import msgspec

from mcp_targets.dual_runtime.errors import ToolFailure
from mcp_targets.dual_runtime.p2p.queue import work

MAX_STEPS: Final = 1000


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One piece of work in a workflow."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    kind: str
    payload: dict[str, Any] = {}
    depends_on: tuple[str, ...] = ()
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    backoff_ms: Annotated[float, msgspec.Meta(ge=0, le=work.MAX_MS)] = 100.0
    """The pause before the first retry; it doubles with each."""
    timeout_ms: Annotated[float, msgspec.Meta(gt=0, le=work.MAX_MS)] = 30_000.0
    """For each attempt."""


Graph = Mapping[str, Step]


def build(steps: list[dict[str, Any]]) -> dict[str, Step]:
    """Return the steps by id. Raises a ToolFailure that says what is wrong, with a cycle's path."""
    if not 1 <= len(steps) <= MAX_STEPS:
        raise ToolFailure("BAD_WORKFLOW", f"a workflow has from 1 to {MAX_STEPS} steps")
    try:
        known = msgspec.convert(steps, list[Step])
    except msgspec.ValidationError as error:
        raise ToolFailure("BAD_WORKFLOW", str(error)) from None
    graph = {step.id: step for step in known}
    if len(graph) < len(known):
        names = [step.id for step in known]
        twice = next(name for name in names if names.count(name) > 1)
        raise ToolFailure("DUPLICATE_STEP", f"two steps are called {twice!r}")
    for step in known:
        work.check_kind(step.kind)
        for name in step.depends_on:
            if name not in graph:
                message = f"step {step.id!r} depends on {name!r}, which does not exist"
                raise ToolFailure("MISSING_DEPENDENCY", message, step=step.id, dependency=name)
    order(graph)
    return graph


def order(graph: Graph) -> list[str]:
    """Return the ids, dependencies first. Raises ToolFailure with the path of a cycle."""
    sorter = TopologicalSorter({name: step.depends_on for name, step in graph.items()})
    try:
        return list(sorter.static_order())
    except CycleError as error:
        path = list(reversed(error.args[1]))
        message = f"the steps depend on each other in a circle: {' -> '.join(path)}"
        raise ToolFailure("CYCLE", message, path=path) from None


def children(graph: Graph) -> dict[str, list[str]]:
    """Return, for each step, the steps that depend on it."""
    found: dict[str, list[str]] = {name: [] for name in graph}
    for name, step in graph.items():
        for parent in dict.fromkeys(step.depends_on):
            found[parent].append(name)
    return found


def critical_path(graph: Graph) -> tuple[list[str], float]:
    """Return the longest chain of steps, and the least time it takes in milliseconds."""
    ends_ms: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for name in order(graph):
        step = graph[name]
        parent = max(step.depends_on, key=ends_ms.__getitem__, default=None)
        start_ms = 0.0 if parent is None else ends_ms[parent]
        ends_ms[name] = start_ms + work.expected_ms(step.kind, step.payload)
        before[name] = parent
    last: str | None = max(ends_ms, key=ends_ms.__getitem__)
    total_ms = ends_ms[str(last)]
    path: list[str] = []
    while last is not None:
        path.append(last)
        last = before[last]
    return path[::-1], total_ms
