"""The digest of an arm's work: the same for the same work, whatever else the file says."""

import pytest

from mcp_perf.load.plan.workload import workload
from mcp_perf.scenario.loader import load, load_text, shipped

TEXT = """
name: one
title: One
seed: 5
vars: {word: hello}
arms:
  mcp: {mcp: "http://127.0.0.1:1/mcp"}
  rest: {http: "http://127.0.0.1:1"}
journeys:
  say:
    with: {text: {one_of: [a, b]}}
    mcp: [{call: echo, arguments: {message: "${word}"}}]
    rest: [{get: /echo}]
load: {users: 2}
gates: [mcp.p95 < 1s]
"""


def digest(tmp_path, old="", new=""):
    """Return the digests of the file with a change."""
    assert old in TEXT
    return workload(load_text(TEXT.replace(old, new), "x", tmp_path).scenario)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: One", "title: Two"),
        ("mcp.p95 < 1s", "mcp.p95 < 2s"),
        ("users: 2", "users: 9"),
        ("http://127.0.0.1:1/mcp", "http://127.0.0.1:2/mcp"),
        ("gates:", "limits: {loop_lag_p99: 1s}\ngates:"),
        ("get: /echo}", "get: /echo, on_error: stop}"),
    ],
)
def test_digests_depend_only_on_the_work(old, new, tmp_path):
    """They ignore titles, gates, limits, the load, addresses, and defaults that are written out."""
    assert digest(tmp_path, old, new) == digest(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "arms"),
    [
        ("seed: 5", "seed: 6", {"mcp", "rest"}),
        ("word: hello", "word: bye", {"mcp", "rest"}),
        ("one_of: [a, b]", "one_of: [b, a]", {"mcp", "rest"}),
        ("  say:\n", "  say:\n    weight: 2\n", {"mcp", "rest"}),
        ("  say:\n", "  say:\n    answers: {elicitation: {action: decline}}\n", {"mcp", "rest"}),
        ("call: echo", "call: sleep", {"mcp"}),
        ('message: "${word}"', "message: 1", {"mcp"}),
        ("get: /echo", "post: /echo", {"rest"}),
        ('1:1/mcp"', '1:1/mcp", protocol: 2025-11-25', {"mcp"}),
    ],
)
def test_different_work_changes_the_digest_of_its_arms(old, new, arms, tmp_path):
    """The seed, values, journeys, steps and a pinned protocol count."""
    before, after = digest(tmp_path), digest(tmp_path, old, new)
    assert {arm for arm in before if before[arm] != after[arm]} == arms


def test_a_digest_outlives_new_versions(tmp_path):
    """What a later version adds to the model, but this file does not use, does not count."""
    assert digest(tmp_path) == {"mcp": "8f5bf8c55f29", "rest": "978912cf2099"}


def test_every_shipped_scenario_has_a_digest_for_each_arm():
    """Every value in a file can be digested."""
    for path in shipped():
        scenario = load(path, environ={}).scenario
        found = workload(scenario)
        assert found.keys() == scenario.arms.keys()
        assert all(len(one) == 12 for one in found.values())
