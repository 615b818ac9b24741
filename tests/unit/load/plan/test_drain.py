"""How long a run waits for the last calls of a round."""

import pytest

from mcp_perf.load.plan.drain import CONNECT_S, connect_s, drain_s, longest_s, shortened
from mcp_perf.load.plan.schedule import Level, plan
from mcp_perf.scenario.loader import load_text

SCENARIO = """
name: drained
arms: {mcp: {mcp: "http://127.0.0.1:1/mcp", timeout: 4s}, rest: {http: "http://127.0.0.1:1"}}
journeys:
  short: {mcp: [{call: one}], rest: [{get: /}]}
  long:
    mcp: STEPS
    rest: [{get: /, timeout: 1s}]
limits: {drain: DRAIN}
"""


@pytest.fixture
def scenario(tmp_path):
    """Give a scenario with these steps of an MCP arm, and this longest drain."""

    def given(steps, drain="30s", load="{users: 1}"):
        text = SCENARIO.replace("STEPS", steps).replace("DRAIN", drain) + f"load: {load}\n"
        return load_text(text, "drained.yaml", tmp_path).scenario

    return given


@pytest.mark.parametrize(
    ("steps", "drain", "expected_s"),
    [
        ("[{call: one}]", "30s", 5.0),  # its timeout, and a moment to notice it
        ("[{call: one, timeout: 9s}]", "30s", 10.0),
        ("[{call: one}, {call: two, timeout: 9s}]", "30s", 14.0),
        ("[{call: one}, {wait: 2s}]", "30s", 7.0),
        ("[{parallel: [{call: one}, {call: two, timeout: 9s}]}]", "30s", 10.0),
        ("[{call: one, timeout: 60s}]", "30s", 30.0),
        ("[{call: one, timeout: 60s}]", "61s", 61.0),
        ("[{call: one}]", "0s", 0.0),
    ],
)
def test_promise_09_a_drain_is_as_long_as_the_timeouts_of_a_journey(
    scenario, steps, drain, expected_s
):
    """It does not depend on the round's length; `limits.drain` is the longest."""
    assert drain_s(scenario(steps, drain), "mcp") == expected_s


def test_promise_09_the_longest_time_of_a_run_is_known_before(scenario):
    """It has all turns and drains, and a search's waits before trials, but no connecting."""
    given = scenario("[{call: one}]")
    turns = plan(["mcp", "rest"], [Level(1)] * 2, 5.0, 1.0)
    assert longest_s(turns, given) == (22.0, 22.0 + 3 * 5.0 + 3 * 11.0)
    first = plan(["mcp"], [Level(1)], 5.0, 1.0)
    assert longest_s(first, given, trials=10) == (51.0, 51.0 + 21 * 5.0 + 10 * 35.0)


def test_a_load_whose_users_double_has_time_for_two_drains(scenario):
    """Rounds that may come too late are left out, whatever the calls do."""
    given = scenario("[{call: one}]", load="{shape: doubling}")
    turns = plan(["mcp"], [Level(1)] * 9, 5.0, 5.0)
    assert longest_s(turns, given) == (50.0, 50.0 + 2 * given.limits.drain)


def test_promise_09_timeouts_that_cannot_be_reached_are_told(scenario):
    """The message says which arm it is, and what to write."""
    assert list(shortened(scenario("[{call: one}]"))) == []
    (text,) = shortened(scenario("[{parallel: [{call: one, timeout: 60s}]}]"))
    assert text == (
        "arm mcp: the timeout of 60 s is longer than limits.drain (30 s). A call that is still "
        "unanswered 30 s after the end of its round is cut off, and counts as a timeout. To wait "
        "for it, write limits: {drain: 60s}"
    )


def test_users_wait_for_a_server_that_is_still_starting(scenario):
    """Users may take as long to connect as their server may take to start."""
    given = scenario("[{call: one}]")
    assert connect_s(given, []) == CONNECT_S
    assert connect_s(given, ["mcp"]) == 61.0
