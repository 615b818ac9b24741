"""Workflows of the dual-runtime system: their graph, and when steps start, in virtual time."""

import itertools

import anyio
import pytest
import trio
import trio.testing

from mcp_targets.dual_runtime.errors import Conflict, ToolFailure
from mcp_targets.dual_runtime.p2p.queue import work
from mcp_targets.dual_runtime.p2p.workflows import diagrams, workflow_graph
from mcp_targets.dual_runtime.p2p.workflows.workflow_engine import WorkflowEngine
from mcp_targets.dual_runtime.p2p.workflows.workflows import Workflows


def step(name, *parents, kind="sleep", ms=10, **more):
    """Return a step that sleeps."""
    payload = {"ms": ms} if kind == "sleep" else {}
    return {"id": name, "kind": kind, "payload": payload, "depends_on": list(parents), **more}


@pytest.mark.parametrize(
    ("steps", "code", "message"),
    [
        ([], "BAD_WORKFLOW", "1 to 1000"),
        ([{"kind": "echo"}], "BAD_WORKFLOW", "missing required field `id`"),
        ([step("a", whatever=1)], "BAD_WORKFLOW", "unknown field `whatever`"),
        ([step("a"), step("a")], "DUPLICATE_STEP", "'a'"),
        ([step("a", "b")], "MISSING_DEPENDENCY", "'a' depends on 'b', which does not exist"),
        ([step("a", kind="magic")], "UNKNOWN_KIND", "magic"),
        ([step("a", "a")], "CYCLE", "a -> a"),
        ([step("a", "c"), step("b", "a"), step("c", "b")], "CYCLE", " -> "),
    ],
)
def test_a_workflow_that_cannot_be_done_is_refused(steps, code, message):
    """With the reason, and nothing is started."""
    with pytest.raises(ToolFailure, match=message) as refusal:
        workflow_graph.build(steps)
    assert refusal.value.code == code


def test_a_cycle_is_told_with_its_path():
    """Each step of the path depends on the next one, and the last is the first."""
    steps = [step("x"), step("a", "x", "c"), step("b", "a"), step("c", "b")]
    with pytest.raises(ToolFailure) as refusal:
        workflow_graph.build(steps)
    path = refusal.value.details["path"]
    assert sorted(path[:-1]) == ["a", "b", "c"]
    assert path[0] == path[-1]
    parents = {each["id"]: each["depends_on"] for each in steps}
    assert all(parent in parents[name] for name, parent in itertools.pairwise(path))


def test_the_critical_path_is_the_longest_chain():
    """By the time of its steps, not their number."""
    steps = [step("a", ms=10), step("b", "a", ms=10), step("c", "b", ms=10), step("d", ms=70)]
    graph = workflow_graph.build([*steps, step("end", "c", "d", ms=5)])
    assert workflow_graph.critical_path(graph) == (["d", "end"], 75.0)


def test_diagrams_show_every_edge_and_mark_the_critical_path():
    """Names are quoted by the rules of each language."""
    graph = workflow_graph.build([step('say "hi"'), step("b", 'say "hi"')])
    path, _ = workflow_graph.critical_path(graph)
    dot = diagrams.dot(graph, path)
    assert '"say \\"hi\\"" -> "b";' in dot
    assert dot.count("style=bold") == 2
    mermaid = diagrams.mermaid(graph, path)
    assert 's0["say #quot;hi#quot;"]' in mermaid
    assert "s0 --> s1" in mermaid
    assert "class s0,s1 critical" in mermaid


def engine(scenario):
    """Run `scenario(workflows)` together with an engine, in virtual time."""
    numbers = itertools.count(1)

    async def main():
        workflows = Workflows(trio.current_time, lambda: f"f{next(numbers)}")
        async with anyio.create_task_group() as group:
            group.start_soon(WorkflowEngine(workflows).run, group)
            await scenario(workflows)
            group.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def states(workflow):
    """Return the states by step."""
    return {name: run.state for name, run in workflow.runs.items()}


def test_a_step_starts_when_the_last_that_it_depends_on_has_ended():
    """The child of a 50 ms step starts at 50 ms, although its 1 s sibling still runs."""

    async def scenario(workflows):
        flow = workflows.submit("probe", [step("a", ms=50), step("b", ms=1000), step("c", "a")])
        await flow.done.wait()
        assert flow.runs["a"].started_s == pytest.approx(0, abs=0.001)
        assert flow.runs["b"].started_s == pytest.approx(0, abs=0.001)
        assert flow.runs["c"].started_s == pytest.approx(0.050, abs=0.001)
        assert flow.elapsed_s == pytest.approx(1.0, abs=0.001)
        assert flow.state == "completed"

    engine(scenario)


def test_workflows_take_as_long_as_their_critical_path_side_by_side():
    """A hundred diamonds at once each take the time of one."""

    async def scenario(workflows):
        diamond = [step("a"), step("b", "a", ms=40), step("c", "a"), step("d", "b", "c")]
        flows = [workflows.submit("diamond", diamond) for _ in range(100)]
        for flow in flows:
            await flow.done.wait()
        assert {round(flow.elapsed_s, 3) for flow in flows} == {0.06}

    engine(scenario)


def test_a_failure_skips_everything_that_depends_on_it_and_nothing_else():
    """Over any number of steps; the workflow fails once all have ended."""

    async def scenario(workflows):
        steps = [step("bad", kind="fail"), step("b", "bad"), step("c", "b"), step("ok", ms=30)]
        flow = workflows.submit("x", [*steps, step("both", "ok", "c")])
        await flow.done.wait()
        assert states(flow) == {
            "bad": "failed",
            "b": "skipped",
            "c": "skipped",
            "ok": "completed",
            "both": "skipped",
        }
        assert flow.state == "failed"
        assert flow.runs["bad"].error["code"] == "TASK_FAILED"

    engine(scenario)


@pytest.mark.parametrize(
    ("retries", "attempts", "elapsed_s"), [(0, 1, 0.0), (1, 2, 0.1), (3, 4, 0.7)]
)
def test_retries_wait_twice_as_long_each_time(retries, attempts, elapsed_s):
    """100, 200, 400 ms; without retries a failing step runs once."""

    async def scenario(workflows):
        flow = workflows.submit("x", [step("a", kind="fail", retries=retries)])
        await flow.done.wait()
        assert flow.runs["a"].attempts == attempts
        assert flow.elapsed_s == pytest.approx(elapsed_s, abs=0.001)

    engine(scenario)


def test_a_step_that_takes_too_long_fails():
    """The time limit applies to each attempt."""

    async def scenario(workflows):
        flow = workflows.submit("x", [step("a", ms=5000, timeout_ms=200)])
        await flow.done.wait()
        assert flow.runs["a"].error["code"] == "TIMED_OUT"
        assert flow.elapsed_s == pytest.approx(0.2, abs=0.001)

    engine(scenario)


def test_a_cancelled_workflow_stops_and_stays_cancelled():
    """Ended steps keep their results; running and waiting ones are cancelled; none starts later."""

    async def scenario(workflows):
        steps = [step("a"), step("b", "a", ms=1000), step("c", "b", kind="echo")]
        flow = workflows.submit("x", steps)
        await trio.sleep(0.5)
        workflows.cancel(flow.workflow_id)
        expected = {"a": "completed", "b": "cancelled", "c": "cancelled"}
        assert states(flow) == expected
        await trio.sleep(10)
        assert states(flow) == expected
        assert flow.state == "cancelled"
        assert flow.elapsed_s == pytest.approx(0.5, abs=0.001)
        with pytest.raises(Conflict, match="is cancelled"):
            workflows.cancel(flow.workflow_id)

    engine(scenario)


def test_the_work_of_a_cancelled_workflow_ends(monkeypatch):
    """At the moment of cancelling, in every step that runs."""
    stopped = []

    async def slow(_):
        try:
            await trio.sleep_forever()
        finally:
            stopped.append(trio.current_time())

    monkeypatch.setitem(work.KINDS, "sleep", slow)

    async def scenario(workflows):
        flow = workflows.submit("x", [step("a"), step("b")])
        began = trio.current_time()
        await trio.sleep(0.5)
        workflows.cancel(flow.workflow_id)
        await trio.sleep(10)
        assert stopped == [pytest.approx(began + 0.5)] * 2

    engine(scenario)


def test_a_step_that_ends_after_its_workflow_was_cancelled_changes_nothing():
    """Its result comes too late."""
    workflows = Workflows(lambda: 0.0, lambda: "f1")
    flow = workflows.submit("x", [step("a")])
    workflows.ready(flow, flow.graph)
    assert workflows.begin(flow, "a")
    workflows.cancel("f1")
    workflows.finish(flow, "a", "late", None)
    assert (flow.runs["a"].state, flow.runs["a"].result) == ("cancelled", None)
    assert flow.state == "cancelled"
    assert not workflows.begin(flow, "a")


def test_a_workflow_that_is_cancelled_between_two_attempts_is_not_tried_again():
    """Cancelling ends the pause, too."""

    async def scenario(workflows):
        flow = workflows.submit("x", [step("a", kind="fail", retries=5, backoff_ms=1000)])
        await trio.sleep(0.5)
        workflows.cancel(flow.workflow_id)
        await trio.sleep(100)
        assert flow.runs["a"].attempts == 1

    engine(scenario)
