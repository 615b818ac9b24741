"""Every journey once on each arm, without load: requests and answers are shown."""

import json

import pytest

from mcp_perf.load.engine.dry_run import dry_run
from mcp_perf.load.prepare.permission import User
from mcp_perf.load.prepare.prepare import RunOptions
from mcp_perf.load.targets.refusal import Refusal
from tests.unit.load.survey.conftest import serve, start, tool

__all__ = ["serve", "start"]

SCENARIO = """\
name: shop
title: A shop
arms:
  mcp: {mcp: "URL"}
  again: {mcp: "URL", protocol: 2025-11-25}
journeys:
  first:
    weight: 99
    with: {text: {template: "t-${seq}"}}
    mcp: [{call: echo, arguments: {text: "${text}"}, save: {said: "content[0].text"}}, SECOND]
    again: [{ping: true}]
  second:
    steps: [{call: look, arguments: {text: x}}]
load: {users: 30, rounds: 20, round: 10s}
"""


@pytest.fixture
def tried(start, tmp_path, monkeypatch):
    """Try a scenario out; return whether all was ok, the calls shown, what was said, the server."""
    monkeypatch.chdir(tmp_path)

    def run(second="{call: look, arguments: {text: '${said}'}}"):
        server, given = start([tool("echo"), tool("look")])
        path = tmp_path / "shop.yaml"
        path.write_text(SCENARIO.replace("URL", given.line).replace("SECOND", second))
        calls, said = [], []
        user = User(lambda _question: False, said.append)
        fine = dry_run(RunOptions(str(path)), user, calls.append)
        return fine, [call for call in calls if call["journey"]], said, server

    return run


def test_each_journey_is_walked_once_on_each_arm(tried, tmp_path):
    """Its weight does not matter. There is one user, and no file is left behind."""
    fine, calls, said, server = tried()
    assert fine
    walked = [(call["arm"], call["journey"], call["step"], call["class"]) for call in calls]
    look = "tools/call look", "ok"
    assert sorted(walked) == [
        ("again", "first", "ping", "ok"),
        ("again", "second", *look),
        ("mcp", "first", "tools/call echo", "ok"),
        ("mcp", "first", *look),
        ("mcp", "second", *look),
    ]
    [after] = [call for call in calls if (call["journey"], call["step"]) == ("first", look[0])]
    assert json.loads(after["request"]) == {"call": "look", "arguments": {"text": "fine"}}
    assert json.loads(after["answer"])["content"] == [{"type": "text", "text": "fine"}]
    assert len(server.called) == 4
    assert [line.partition(" user")[0] for line in said] == ["at most 1"]
    assert [path.name for path in tmp_path.iterdir()] == ["shop.yaml"]


def test_a_step_that_is_not_ok_is_shown(tried):
    """Its journey ends there, as in a run; the others are still walked."""
    fine, calls, _, _ = tried("{call: look, arguments: {text: x}, expect: {equals: {a: 1}}}")
    assert not fine
    [wrong] = [call for call in calls if call["class"] != "ok"]
    assert (wrong["class"], wrong["journey"]) == ("check_failed", "first")
    assert wrong["detail"].startswith("expect a: found null, expected 1")
    assert len(calls) == 5


def test_what_a_run_refuses_is_refused(tried):
    """Arguments that the schema forbids are refused with their line, and nothing is called."""
    with pytest.raises(Refusal, match=r"shop.yaml:10: tool look: text: 5 is not of type"):
        tried("{call: look, arguments: {text: 5}}")
