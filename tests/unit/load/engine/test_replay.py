"""A replay: sessions of a recording begin when they did, each as its own journey."""

import json

import gevent
import pytest

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.load.engine.user import UserPool
from mcp_perf.load.plan.schedule import fit, levels, plan
from mcp_perf.load.prepare.prepare import choose
from mcp_perf.load.prepare.relay import Task
from mcp_perf.load.steps import journey as journeys
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.scenario.effects import told
from mcp_perf.scenario.loader import ScenarioError, load_text
from tests.support.greenlets import until

SCENARIO = """\
name: again
arms: {mcp: {mcp: "http://127.0.0.1:1/mcp"}}
journeys:
  session-1: {steps: [{call: one}], tags: [first]}
  session-2: {steps: [{call: two}]}
load: {replay: calls.jsonl}
"""
HEAD = {"schema": "mcp-perf/recording/1", "started": "2026-11-30T00:00:00+00:00"}
STARTS_MS = {"a": 0, "b": 30, "c": 50}
TOOLS = {"a": "one", "b": "two", "c": "one"}


@pytest.fixture
def loaded(tmp_path):
    """Load the scenario next to its recording."""
    head = {**HEAD, "target": "http://127.0.0.1:1/mcp", "arguments": True}
    common = {"ms": 20, "transport": "http", "outcome": "ok", "bytes_out": 1, "arguments": {}}
    calls = [
        {**common, "session": name, "at_ms": 5 + at, "method": "tools/call", "tool": TOOLS[name]}
        for name, at in STARTS_MS.items()
    ]
    lines = [json.dumps(line) + "\n" for line in (head, *calls)]
    (tmp_path / "calls.jsonl").write_text("".join(lines))
    return lambda text=SCENARIO: load_text(text, "again.yaml", tmp_path, environ={})


def pool_of(loaded, *how):
    """Return users for a scenario."""
    where = Endpoint.of("http://127.0.0.1:1/mcp")
    tools = {name: Tool(name, {}) for name in ("one", "two")}
    target = ArmTarget("mcp", "mcp", "http:", where, {}, "2026-07-28", tools)
    task = Task(loaded, {"mcp": target}, 3, *how)
    return UserPool(task, Recorder("local", lambda _records: None), print)


def test_a_replay_is_an_open_load_as_long_as_its_recording(loaded):
    """All rounds would be the same, so there is only one, without a warm-up."""
    load = loaded().scenario.load
    assert (load.open, load.rate, load.round, load.max_in_flight) == (True, 3, 1, 3)
    rounds, round_s = fit(load.round_count, load.round_s, 1, None)
    [turn] = plan(["mcp"], levels(load, rounds, 3), round_s, load.warmup)
    assert (turn.phase, turn.seconds, turn.rate) == ("round", 1, 3)


def test_sessions_begin_at_the_recorded_times_as_their_own_journeys(loaded, monkeypatch):
    """The latency of a journey runs from there, as in any open load."""
    walked = []
    pool = pool_of(loaded())
    monkeypatch.setattr(
        journeys.Walk,
        "journey",
        lambda self, due_ns: walked.append((self._routes[self._dealt.pop()][0], due_ns)) or "ok",
    )
    users = [pool.add() for _ in range(3)]
    greenlets = [gevent.spawn(pool.take_part, user) for user in users]
    [turn] = plan(["mcp"], levels(pool._loaded.scenario.load, 1, 3), 1, 0)
    opened = pool.gate.open(turn, pool.arrivals(turn))
    until(lambda: len(walked) == 3)
    pool.gate.close(early=True)
    gevent.killall(greenlets)
    assert [(name, due_ns - opened.start_ns) for name, due_ns in walked] == [
        ("session-1", 0),
        ("session-2", 30_000_000),
        ("session-1", 50_000_000),
    ]


def test_promise_04_the_sessions_of_all_processes_are_those_of_the_recording(loaded):
    """Each process has a part of them, and does not hand any over."""
    found = loaded()
    [turn] = plan(["mcp"], levels(found.scenario.load, 1, 2), 1, 0)
    parts = [[*pool_of(found, node, 2).arrivals(turn)] for node in (0, 1)]
    assert parts == [[0, 50_000_000], [30_000_000]]
    assert Task(found, {}, 2, nodes=2, meeting="/").neighbours() is None


def test_journeys_that_are_not_selected_take_their_sessions_with_them(loaded):
    """They are left out by --tags; the others begin when they did."""
    assert choose(loaded(), ["first"], []).replay.starts_ns == (0, 50_000_000)


def test_a_replay_needs_its_recording_and_its_journeys(loaded):
    """A refusal names what is missing, with the line. A run reads the file, too."""
    scenario = loaded().scenario
    assert "reads calls.jsonl" in told(scenario, {"mcp": "http://127.0.0.1:1/mcp"}, {})
    for text, message in (
        (SCENARIO.replace("calls.jsonl", "gone.jsonl"), "there is no file 'gone.jsonl'"),
        (SCENARIO.replace("calls.jsonl", "/etc/passwd"), "outside the scenario's folder"),
        (SCENARIO.replace("session-2", "mine"), "the recording has a session session-2"),
    ):
        with pytest.raises(ScenarioError) as refused:
            loaded(text)
        [problem] = refused.value.problems
        assert (problem.line, message in problem.message) == (6, True)
