"""Runs that did other things are not compared; a message says what differs."""

import pytest

from mcp_perf.results.compare.comparable import differences, warnings
from tests.support.earlier_runs import identity


def test_equal_runs_can_be_compared():
    """Nothing differs, so there is no warning."""
    assert differences(identity(), identity()) == warnings(identity(), identity()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scenario": "twilio"}, "scenario: echo in the base, twilio now"),
        (
            {"workload": {"control": "c0", "mcp": "a1"}},
            "workload: what the arm mcp does: a0 in the base, a1 now",
        ),
        ({"workload": {"other": "x"}}, "arms: control, mcp in the base, other now"),
        ({"workload": {}}, "workload: the new run does not say what it did"),
        ({"load": {"users": 8, "round_s": 5.0}}, "load.users: 4 in the base, 8 now"),
        ({"load": {"users": 4}}, "load.round_s: 5.0 in the base, nothing now"),
        (
            {"machine": {"cpu": "slow", "cores": 2, "os": "Linux"}},
            "machine.cpu: fast in the base, slow now",
        ),
    ],
)
def test_what_differs_is_named_with_both_values(changes, said):
    """Another scenario, work, load or machine is refused."""
    [line] = differences(identity(), identity(**changes))
    assert line.startswith(said)


@pytest.mark.parametrize(
    ("shape", "said"),
    [("breakpoint", "mcp.capacity >= 100/s"), ("doubling", "constant load, such as --users 10")],
)
@pytest.mark.parametrize("which", [0, 1])
def test_loads_that_look_for_a_level_are_not_compared_round_by_round(which, shape, said):
    """Their rounds have different levels; the message says what to write instead."""
    runs = [identity(), identity(load={"shape": shape})]
    [line] = differences(runs[which], runs[1 - which])
    assert line.startswith("load: the rounds of a search")
    assert said in line
    alike = identity(load={"shape": shape})
    assert differences(alike, alike) == [line]


def test_all_that_differs_is_said_at_once():
    """Two mistakes, two lines."""
    other = identity(load={"users": 8, "round_s": 1.0})
    assert len(differences(identity(), other)) == 2


def test_an_arm_that_only_one_has_makes_no_difference_here():
    """The comparison reports it, and never passes it."""
    assert differences(identity(), identity(workload={"mcp": "a0"})) == []
    assert differences(identity(workload={"mcp": "a0"}), identity()) == []


def test_other_versions_are_a_warning():
    """They may matter, and need not."""
    other = identity(versions={"python": "3.12.0"})
    assert differences(identity(), other) == []
    assert warnings(identity(), other) == ["versions.python: 3.11.7 in the base, 3.12.0 now"]
