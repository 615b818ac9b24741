"""mcp_targets/README.md lists the ways to call each tool set; every one is tried."""

import asyncio
import json
import re
import shlex
from pathlib import Path

import pytest

from mcp_perf.client.channels.inprocess import Code, PythonClient, find_function
from mcp_perf.client.mcp.streamable_http import Call
from mcp_perf.load.targets import clients
from mcp_perf.load.targets.targets import reach_all
from mcp_perf.outcomes import OK
from mcp_perf.scenario.loader import load_text
from mcp_targets.launcher.catalog import SYSTEMS
from mcp_targets.launcher.systems import Systems
from mcp_targets.twilio import tools
from tests.support import ROOT
from tests.support.bridges import ThreadBridge

pytestmark = pytest.mark.process
PAGE = (ROOT / "mcp_targets" / "README.md").read_text("utf-8")
ROWS = [
    [re.findall(r"`(.+?)`", cell) for cell in line.split("|")[1:-1]]
    for line in PAGE.splitlines()
    if line.startswith("| `")
]
DOORS = {name: [*inside, *http, *stdio] for ((name,), inside, http, stdio) in ROWS}
CALLS = {
    "echo": ("add", "add", {"a": 2, "b": 3}),
    "ladder": ("price", "price", {"item": "tea", "quantity": 3}),
    "twilio": ("TwilioApiV2010--ListMessage", "ListMessage", {"PageSize": 1}),
    "business_tools": ("docs_operation", "docs_operation", {"operation": "list"}),
    "dual_runtime": ("peer_metrics", "peer_metrics", {"peer_id": "p1"}),
}
"""One tool of each set: its name, its function's name, arguments."""
SCENARIO = """
name: doors
title: One tool
arms: {{it: {{{door}}}}}
journeys: {{one: {{steps: [{step}]}}}}
"""


@pytest.fixture(scope="module")
def systems(tmp_path_factory):
    """Start systems on first use."""
    with Systems(tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture
def bridge(monkeypatch):
    """Give targets in process a loop, and end it."""
    made = ThreadBridge()
    monkeypatch.setattr(clients, "bridge", lambda: made)
    yield made
    made.call(end_all)
    made.stop()


async def end_all():
    """Close clients that would otherwise last as long as the process."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if tools.PROVIDER._client is not None:
        await tools.PROVIDER._client.aclose()
        tools.PROVIDER._client = None


@pytest.fixture
def answers(systems, bridge, monkeypatch):
    """Call a set's tool in one way, as the engine does; return the tool's answer."""

    def call(name, door):
        inside = door.startswith("python:")
        tool, function, arguments = CALLS[name]
        step = f"{{run: {function}}}" if inside else f"{{call: {tool}}}"
        loaded = load_text(SCENARIO.format(door=door, step=step), "doors", Path())
        target = reach_all(loaded, systems, {}, {})["it"]
        if inside:
            assert isinstance(target.destination, Code)
            client = PythonClient(target.destination, bridge)
            reply = client.run(find_function(target.destination, function), arguments)
            said = reply.json()
        else:
            client = clients.session(target.url, target.destination, "auto")
            client.ready()
            reply = client.call(Call(client.list_tools()[tool], arguments))
            said = reply.json()["result"]["structuredContent"]
        client.close()
        assert reply.outcome == OK, reply.detail
        return said

    upstream = systems.face("twilio/rest").url
    monkeypatch.setenv("TWILIO_UPSTREAM", upstream)
    words = shlex.split(systems.face("dual_runtime/stdio").url)
    monkeypatch.setenv("DUAL_RUNTIME_UPSTREAM", words[-1])
    words = shlex.split(systems.face("business_tools/stdio").url)
    monkeypatch.setenv("BUSINESS_TOOLS_UPSTREAM", words[words.index("--upstream-ready") + 1])
    return call


def test_the_table_has_every_tool_set_and_every_face():
    """There is a row for each set and a cell for each way; only REST is left out."""
    assert sorted(DOORS) == sorted(SYSTEMS)
    assert all(cell for row in ROWS for cell in row)
    for name, doors in DOORS.items():
        faces = {f"mcp: system:{name}/{face}" for face in SYSTEMS[name].faces if face != "rest"}
        assert faces == {door for door in doors if "system:" in door}
        assert f"python: mcp_targets.{name}.tools" in doors


@pytest.mark.parametrize("name", DOORS)
def test_a_tool_says_the_same_at_every_door(name, answers):
    """Except for the account of each way to Twilio."""
    said = [re.sub("c00[0-9]", "c00X", json.dumps(answers(name, door))) for door in DOORS[name]]
    assert [json.loads(each) for each in said] == [json.loads(said[0])] * len(said)
