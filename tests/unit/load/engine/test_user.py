"""The users of a process."""

from pathlib import Path

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.load.engine.user import UserPool
from mcp_perf.load.prepare.relay import Task
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.scenario.loader import load_text

SCENARIO = """\
name: demo
title: A demo
arms: {rest: {http: "http://127.0.0.1:1"}}
journeys: {look: {steps: [{get: /}]}}
"""


def test_a_new_user_gets_the_number_of_one_that_has_left():
    """No two users at work have the same number, and with it the same values."""
    loaded = load_text(SCENARIO, "demo.yaml", Path(), environ={})
    where = Endpoint.of("http://127.0.0.1:1")
    task = Task(loaded, {"rest": ArmTarget("rest", "http", "http://127.0.0.1:1", where, {})}, 3)
    pool = UserPool(task, Recorder("local", lambda _records: None), print)
    first, second, _third = (pool.add() for _ in range(3))
    pool.remove(second)
    pool.remove(first)
    assert [pool.add().number for _ in range(3)] == [0, 1, 3]
    pool.close()
