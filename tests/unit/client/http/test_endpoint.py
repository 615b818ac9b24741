"""What every request carries: who we are."""

import re

import pytest

from mcp_perf.client.http.endpoint import USER_AGENT, Endpoint


def test_every_request_says_that_it_is_a_load_test():
    """The owner of a server can look it up, and refuse it."""
    assert re.fullmatch(r"mcp-perf/\d+\.\d+\.\d+\S* \(load test\)", USER_AGENT)
    fields = Endpoint.of("http://127.0.0.1").fields([("Accept", "text/plain")])
    assert fields == f"User-Agent: {USER_AGENT}\r\nAccept: text/plain\r\n".encode()


@pytest.mark.parametrize("name", ["User-Agent", "user-agent"])
def test_a_user_agent_of_the_scenario_replaces_ours(name):
    """On the arm, on a step, or of each user."""
    arm = Endpoint.of("http://127.0.0.1", headers={name: "other"})
    assert arm.fields([]) == f"{name}: other\r\n".encode()
    assert Endpoint.of("http://127.0.0.1").fields([(name, "x")]) == f"{name}: x\r\n".encode()
    assert Endpoint.of("http://127.0.0.1", personal=[name]).fields([]) == b""
