"""Both presets of the dual-runtime system do the same: every tool, on both faces."""

import asyncio

import httpx
import pytest
from mcp import Client

PRESETS = ("control", "dual")
VARYING = {
    "duration_ms",
    "elapsed_ms",
    "ended_s",
    "last_seen_s",
    "output",
    "started_s",
    "submitted_s",
}
"""Fields with times, or with texts that contain times."""
DIAMOND = [
    {"id": "a", "kind": "sleep", "payload": {"ms": 1}},
    {"id": "b", "kind": "sum", "payload": {"numbers": [1, 2]}, "depends_on": ["a"]},
    {"id": "c", "kind": "fail", "depends_on": ["a"]},
    {"id": "d", "kind": "echo", "depends_on": ["b", "c"]},
]


class Caller:
    """Call tools of one system and remember their answers, without ids and times."""

    def __init__(self, call):
        self._call = call
        self._ids = {}
        self.answers = []
        self.called = set()

    async def __call__(self, tool, **arguments):
        """Call a tool; return its whole answer."""
        failed, answer = await self._call(tool, arguments)
        self.called.add(tool)
        self.answers.append((tool, failed, self._alike(answer)))
        return answer

    def _alike(self, value, key=""):
        if key in VARYING:
            return None if value is None else "…"
        if isinstance(value, dict):
            return {name: self._alike(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self._alike(item, key) for item in value]
        if isinstance(value, str) and (key in {"task_id", "workflow_id"} or value in self._ids):
            return self._ids.setdefault(value, f"id {len(self._ids)}")
        if isinstance(value, str):
            for name, number in self._ids.items():
                value = value.replace(name, number)
        return value


async def tasks(call):
    """Use everything about tasks, the queue and workers."""
    await call("queue_pause")
    low = (await call("task_submit", kind="echo", payload={"value": [1]}, priority=2))["task_id"]
    high = (await call("task_submit", kind="fail", priority=9, requires=["gpu"]))["task_id"]
    await call("task_priority", task_id=low, priority=3)
    await call("task_list", state="queued")
    await call("queue_clear")
    await call("worker_register", worker_id="w", capabilities=["gpu", "big"], slots=2)
    await call("worker_register", worker_id="w")
    await call("queue_resume")
    await call("task_result", task_id=low, wait_ms=20_000)
    await call("task_result", task_id=high, wait_ms=20_000)
    await call("task_cancel", task_id=high)
    await call("task_retry", task_id=high)
    await call("task_result", task_id=high, wait_ms=20_000)
    await call("task_status", task_id=high)
    await call("worker_status", worker_id="w")
    await call("worker_unregister", worker_id="w")
    await call("queue_clear", confirm=True)
    await call("queue_stats")
    await call("task_status", task_id="nobody's")
    await call("task_submit", kind="magic")
    await call("task_submit", kind="echo", priority=11)


async def workflows(call):
    """Use everything about workflows."""
    flow = (await call("workflow_submit", name="diamond", steps=DIAMOND))["workflow_id"]
    await call("workflow_result", workflow_id=flow, wait_ms=20_000)
    await call("workflow_status", workflow_id=flow)
    for form in ("json", "dot", "mermaid"):
        await call("workflow_dependencies", workflow_id=flow, form=form)
    long = [{"id": "x", "kind": "sleep", "payload": {"ms": 50_000}}]
    flow = (await call("workflow_submit", name="long", steps=long))["workflow_id"]
    await call("workflow_cancel", workflow_id=flow)
    await call("workflow_cancel", workflow_id=flow)
    await call("workflow_list")
    await call(
        "workflow_submit", name="bad", steps=[{"id": "a", "kind": "echo", "depends_on": "b"}]
    )


async def peers(call):
    """Use everything about peers."""
    await call("peer_connect", peer_id="p1", address="10.0.0.1:1", capabilities=["a", "b"])
    await call("peer_connect", peer_id="../p", address="x")
    await call("peer_list", connected=True)
    await call("peer_discover", capabilities=["b"], deadline_ms=20_000)
    await call("peer_metrics", peer_id="p1")
    await call("bootstrap_network", enough=5, node_timeout_ms=20_000)
    await call("peer_disconnect", peer_id="p1")
    await call("peer_disconnect", peer_id="p1")
    await call("peer_list")


async def cores(call):
    """Use the cores."""
    await call("index_create", name="i", dimension=2)
    await call("index_add", name="i", vectors={"a": [1, 0], "b": [1, 1]})
    await call("index_optimise", name="i")
    await call("index_load", name="i")
    await call("index_search", name="i", vector=[0, 1], count=1)
    await call("index_metrics", name="i")
    await call("index_metrics", name="j")
    await call("run_tests", path="nowhere")
    await call("pubmed_search", term="asthma", limit=2)
    await call("trials_search", condition="asthma")
    await call("biomolecule_search", name="insulin")
    await call("medical_search", topic="asthma", limit=1)


async def meta(call):
    """Use the tools about tools."""
    await call("tools_list_categories")
    await call("tools_list_tools", category="p2p.queue")
    await call("tools_get_schema", name="task_submit")
    await call("tools_dispatch", name="index_search", arguments={"name": "i", "vector": [1, 0]})
    await call("tools_dispatch", name="peer_metrics", arguments={"peer_id": "p"})
    await call("tools_dispatch", name="tools_dispatch")
    await call("tools_dispatch", name="nothing")


async def everything(call):
    """Call every tool, with right and wrong arguments."""
    for part in (tasks, workflows, peers, cores, meta):
        await part(call)


async def by_rest(url):
    """Do everything on the face `rest`; return the caller and the existing tools."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def call(tool, arguments):
            reply = await client.post(f"/tools/{tool}", json=arguments)
            assert reply.status_code != 500
            return reply.is_error, reply.json()

        caller = Caller(call)
        await everything(caller)
        return caller, set((await client.get("/tools")).json()["tools"])


async def by_mcp(url):
    """Do everything on the face `mcp`; return the caller and the existing tools."""
    async with Client(url) as client:

        async def call(tool, arguments):
            result = await client.call_tool(tool, arguments)
            return result.is_error, result.structured_content

        caller = Caller(call)
        await everything(caller)
        return caller, {tool.name for tool in (await client.list_tools()).tools}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Do everything with fresh systems: by preset and face."""
    from mcp_targets.launcher.systems import Systems

    found = {}
    for face, work in (("rest", by_rest), ("mcp", by_mcp)):
        with Systems(tmp_path_factory.mktemp(face)) as systems:
            for preset in PRESETS:
                url = systems.face(f"dual_runtime/{face}?preset={preset}").url
                found[preset, face] = asyncio.run(asyncio.wait_for(work(url), 100))
    return found


@pytest.mark.process
@pytest.mark.parametrize("other", [("dual", "rest"), ("control", "mcp"), ("dual", "mcp")])
def test_every_tool_answers_alike_on_both_presets_and_faces(results, other):
    """Apart from ids and times; refusals included."""
    expected = results["control", "rest"][0].answers
    for one, same in zip(expected, results[other][0].answers, strict=True):
        assert same[:2] == one[:2]
        # The SDK refuses malformed arguments before the tool's check.
        wrong_form = (one[2].get("error") or {}).get("code") == "BAD_ARGUMENTS"
        assert same[2] == one[2] or (wrong_form and other[1] == "mcp")


def test_no_tool_is_left_out(results):
    """26 peer-to-peer tools, the cores' tools, and four about tools."""
    for caller, tools in results.values():
        assert caller.called == tools
    caller, names = results["dual", "rest"]
    (counts,) = [
        answer["categories"]
        for tool, _, answer in caller.answers
        if tool == "tools_list_categories"
    ]
    assert sum(count for name, count in counts.items() if name.startswith("p2p.")) == 26
    assert counts["p2p.peers"] == 6
    assert counts["meta"] == 4
    assert sum(counts.values()) == len(names)
