"""Load models: what can be written, what it means, and what contradicts itself."""

import pytest
from pydantic import ValidationError

from mcp_perf.scenario.model.load import Load


def load(**given):
    """Read a load."""
    return Load.model_validate(given)


@pytest.mark.parametrize(
    ("given", "most_users", "is_open", "peak"),
    [
        ({}, 1, False, 1),
        ({"users": 20}, 20, False, 20),
        ({"rate": "200/s"}, 200, True, 200),
        ({"rate": "2/s"}, 10, True, 2),  # a stall of some seconds is still seen
        ({"rate": "30/m"}, 10, True, 0.5),
        ({"rate": "2k/s"}, 200, True, 2000),
        ({"rate": "2k/s", "max_in_flight": 700}, 700, True, 2000),
        ({"stages": [{"users": 3, "for": "5s"}, {"users": 9, "to": 2, "for": "5s"}]}, 9, False, 9),
        ({"stages": [{"rate": "5/s", "to": "50/s", "for": "5s"}]}, 50, True, 50),
        ({"shape": "breakpoint"}, 200, True, 10_000),
        ({"replay": "calls.jsonl", "max_in_flight": 7}, 7, True, 1),
    ],
)
def test_a_load_needs_so_many_users_at_most(given, most_users, is_open, peak):
    """Closed loads have users, open ones a rate and as many users as may be in flight."""
    found = load(**given)
    assert (found.most_users, found.open, found.peak) == (most_users, is_open, peak)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"users": 3, "rate": "5/s"}, "the load has both users and a rate"),
        ({"arrivals": "poisson"}, "arrivals needs a load with a rate"),
        ({"users": 3, "max_in_flight": 5}, "max_in_flight needs a load with a rate"),
        ({"replay": "a.jsonl", "rate": "5/s"}, "the load has both rate and replay"),
        ({"replay": "a.jsonl", "think": "1s"}, "the load has both think and replay"),
        ({"rate": "5/s", "think": "1s"}, "think needs a load with users, not a rate"),
        ({"rate": "5/s", "calibrate": "70%"}, "for one number of users"),
        ({"users": 5, "shape": "ramp", "calibrate": "70%"}, "for one number"),
        (
            {"users": 5, "warmup": "0s", "calibrate": "70%"},
            "calibrate looks for one number of users in the warm-up, so the load cannot change",
        ),
        ({"users": 5, "calibrate": 0.7}, "has no percent sign"),
        ({"rate": 5}, "has no unit"),
        ({"rate": "0/s"}, "out of range"),
        ({"rate": "5/h"}, "is not a rate"),
        ({"shape": "wave"}, "should be"),
        ({"shape": "doubling", "users": None, "rate": "5/s"}, "users double"),
        (
            {"rate": "5/s", "journeys": 5},
            r"journeys \(the number in a round\) needs users, not a rate",
        ),
        ({"shape": "breakpoint", "users": 5}, "a load that searches"),
        ({"stages": []}, "at least 1"),
        ({"stages": [{"for": "5s"}]}, "neither users nor a rate"),
        ({"stages": [{"users": 1, "rate": "5/s", "for": "5s"}]}, "users and rate"),
        ({"stages": [{"users": 1, "to": "5/s", "for": "5s"}]}, "not a number of users"),
        ({"stages": [{"users": 1, "to": 0, "for": "5s"}]}, "not a number of users"),
        ({"stages": [{"rate": "1/s", "to": 9, "for": "5s"}]}, "has no unit"),
        (
            {"stages": [{"users": 1, "for": "5s"}], "users": 3},
            "the load has both users and stages",
        ),
        ({"stages": [{"users": 1, "for": "5s"}], "shape": "smoke"}, "shape and stages"),
        ({"stages": [{"users": 1, "for": "5s"}], "rounds": 3}, "rounds and stages"),
        (
            {"stages": [{"users": 1, "for": "5s"}, {"rate": "5/s", "for": "5s"}]},
            "some stages have users, others a rate",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(given, said):
    """Nothing in a load is ignored."""
    with pytest.raises(ValidationError, match=said):
        load(**given)


@pytest.mark.parametrize(
    ("given", "rounds", "round_s", "warmup_s"),
    [
        ({"shape": "smoke"}, 6, 1, 0),
        ({"shape": "smoke", "rounds": 5}, 5, 1, 0),
        ({"shape": "soak", "users": 5}, 120, 30, 3),
        ({"shape": "ramp", "users": 5}, 10, 5, 3),
        ({"stages": [{"users": 1, "for": "30s"}, {"users": 2, "for": "1m"}]}, 18, 5, 3),
        ({"stages": [{"users": 1, "for": "2s"}, {"users": 2, "for": "9s"}]}, 6, 2, 3),
        ({"stages": [{"users": 1, "for": "1s"}], "round": "9s"}, 1, 1, 3),
    ],
)
def test_a_shape_brings_its_rounds_and_stages_are_cut_into_rounds(given, rounds, round_s, warmup_s):
    """What a named load means can still be overridden; no round is longer than a stage."""
    found = load(**given)
    assert (found.round_count, found.round_s, found.warmup) == (rounds, round_s, warmup_s)
