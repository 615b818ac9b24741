"""Turns are a pure function of the load, so they are tested with tables and laws."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_perf.load.plan.schedule import (
    SHORTEST_ROUND_S,
    Level,
    Turn,
    _staged,
    fit,
    levels,
    plan,
    share_of,
)
from mcp_perf.scenario.model.load import Load

ROUNDS = st.integers(1, 200)
ROUND_S = st.floats(0.05, 60)
ALONE = Level(1)
ARMS = st.integers(1, 5)
TIME_S = st.floats(0.1, 5000)


@pytest.mark.parametrize(
    ("rounds", "round_s", "arms", "run_time_s", "expected"),
    [
        (10, 5.0, 2, None, (10, 5.0)),  # no bound: as the file says
        (10, 5.0, 2, 100.0, (10, 5.0)),  # exactly what the file says
        (10, 5.0, 2, 200.0, (20, 5.0)),  # twice the time: twice the rounds
        (10, 5.0, 2, 108.0, (10, 5.4)),  # not enough for one more: the rest makes them longer
        (10, 5.0, 2, 40.0, (10, 2.0)),  # less: shorter rounds, as many
        (10, 5.0, 2, 20.0, (10, 1.0)),  # down to the shortest
        (10, 5.0, 2, 12.0, (6, 1.0)),  # and then fewer: six pairs still make a verdict
        (10, 5.0, 2, 1.0, (1, 0.5)),  # at least one, however short
        (10, 5.0, 1, 40.0, (10, 4.0)),  # one arm has all of the time
        (10, 0.2, 2, 2.0, (5, 0.2)),  # a file may ask for shorter rounds than we would
        (3, 0.1, 1, 0.7, (7, 0.1)),  # 0.7 / 0.1 is 6.999… in floating point
    ],
)
def test_a_bound_on_the_time_is_met_as_the_table_says(rounds, round_s, arms, run_time_s, expected):
    """More time brings more rounds; less time brings shorter ones, and then fewer."""
    count, seconds = fit(rounds, round_s, arms, run_time_s)
    assert (count, seconds) == (expected[0], pytest.approx(expected[1]))


@given(st.integers(1, 20), ROUND_S, ARMS, st.floats(0.1, 200))
@example(10, 5.0, 2, 59.99999999999999)
def test_the_measured_time_fills_the_bound_and_no_more(rounds, round_s, arms, run_time_s):
    """All rounds of all arms together take the time that was asked for."""
    count, seconds = fit(rounds, round_s, arms, run_time_s)
    turns = plan([f"arm {n}" for n in range(arms)], [ALONE] * count, seconds, warmup_s=3.0)
    measured_s = sum(turn.seconds for turn in turns if turn.phase == "round")
    assert measured_s <= run_time_s * (1 + 1e-9)
    assert measured_s == pytest.approx(run_time_s)


@given(ROUNDS, ROUND_S, ARMS, TIME_S)
def test_rounds_keep_their_length_as_far_as_the_time_allows(rounds, round_s, arms, run_time_s):
    """With time to spare, no round gets shorter, and all together grow by less than one round."""
    count, seconds = fit(rounds, round_s, arms, run_time_s)
    if run_time_s >= rounds * round_s * arms:
        assert count >= rounds
        assert round_s * (1 - 1e-6) <= seconds < round_s * (1 + 1 / count) * (1 + 1e-9)
    else:
        assert 1 <= count <= rounds
        shortest_s = min(SHORTEST_ROUND_S, round_s)
        if count == rounds:
            assert shortest_s * (1 - 1e-9) <= seconds <= round_s or rounds == 1
        else:  # fewer only when even the shortest would not fit
            assert seconds < shortest_s * (1 + 1 / count)
            assert run_time_s / arms < rounds * shortest_s


@given(ROUNDS, ROUND_S, ARMS, TIME_S, TIME_S)
def test_more_time_never_means_fewer_rounds(rounds, round_s, arms, one, other):
    """The number of rounds rises with the time."""
    less, more = sorted((one, other))
    assert fit(rounds, round_s, arms, less)[0] <= fit(rounds, round_s, arms, more)[0]


def test_two_arms_alternate_in_mirrored_blocks():
    """The order is a b, b a, a b, …: ABBA, after one warm-up of each."""
    turns = plan(["a", "b"], [ALONE] * 4, 5.0, 3.0)
    assert "".join(turn.arm for turn in turns) == "ababbaabba"
    assert turns[0] == Turn(0, "a", "warmup", 0, 3.0, 1)
    assert turns[2] == Turn(2, "a", "round", 1, 5.0, 1)
    assert turns[4] == Turn(4, "b", "round", 2, 5.0, 1)


@given(ARMS, ROUNDS, st.sampled_from([0.0, 0.5, 3.0]))
def test_promise_11_every_plan_is_balanced_and_mirrored(arms, rounds, warmup_s):
    """Each round has each arm once, in the reverse order of the round before; warm-ups lead."""
    names = [f"arm {n}" for n in range(arms)]
    turns = plan(names, [ALONE] * rounds, 2.0, warmup_s)
    warmups = turns[: arms if warmup_s else 0]
    measured = turns[len(warmups) :]
    assert [turn.number for turn in turns] == list(range(len(turns)))
    assert [(t.arm, t.phase, t.round, t.seconds) for t in warmups] == [
        (name, "warmup", 0, warmup_s) for name in names[: len(warmups)]
    ]
    assert all(turn.phase == "round" and turn.seconds == 2.0 for turn in measured)
    blocks = [measured[n * arms : (n + 1) * arms] for n in range(rounds)]
    assert len(measured) == rounds * arms
    for number, block in enumerate(blocks, 1):
        expected = names if number % 2 else names[::-1]
        assert [turn.arm for turn in block] == expected
        assert {turn.round for turn in block} == {number}


@given(st.integers(2, 5), st.integers(1, 60), st.floats(-1, 1))
def test_promise_11_a_steady_drift_favours_no_arm(arms, blocks, drift):
    """Over an even number of rounds, the mean position in time is the same for every arm."""
    names = [f"arm {n}" for n in range(arms)]
    turns = plan(names, [ALONE] * 2 * blocks, 1.0, 0.0)
    cost = {name: sum(1 + drift * t.number for t in turns if t.arm == name) for name in names}
    assert list(cost.values()) == pytest.approx([cost[names[0]]] * arms)


def test_one_arm_alone_has_every_turn():
    """With one arm there is nothing to alternate with."""
    assert [turn.arm for turn in plan(["mcp"], [ALONE] * 3, 1.0, 1.0)] == ["mcp"] * 4


def level_table(rounds, most_users=None, **given):
    """Give the levels of a load, users or rates."""
    load = Load.model_validate(given)
    found = levels(load, rounds, load.most_users if most_users is None else most_users)
    return [level.rate if load.open else level.users for level in found]


@pytest.mark.parametrize(
    ("given", "rounds", "expected"),
    [
        ({"users": 20}, 3, [20, 20, 20]),
        ({"users": 20, "shape": "soak"}, 2, [20, 20]),
        ({"users": 20, "shape": "ramp"}, 5, [4, 8, 12, 16, 20]),
        ({"users": 3, "shape": "ramp"}, 10, [1, 1, 1, 1, 2, 2, 2, 2, 3, 3]),
        ({"rate": "100/s", "shape": "ramp"}, 4, [25, 50, 75, 100]),
        ({"users": 20, "shape": "step"}, 10, [4, 4, 8, 8, 12, 12, 16, 16, 20, 20]),
        ({"users": 20, "shape": "step"}, 2, [10, 20]),
        ({"users": 20, "shape": "doubling"}, 6, [1, 2, 4, 8, 16, 20]),
        ({"users": 256, "shape": "doubling"}, 3, [1, 2, 4]),
        ({"rate": "100/s", "shape": "spike"}, 10, [10] * 4 + [100] * 2 + [10] * 4),
        ({"users": 9, "shape": "spike"}, 1, [9]),
        ({"users": 20, "shape": "spike"}, 2, [2, 20]),
        ({"stages": [{"users": 10, "for": "10s"}, {"users": 50, "for": "20s"}]}, 6,
         [10, 10, 50, 50, 50, 50]),
        ({"stages": [{"rate": "10/s", "to": "50/s", "for": "20s"}]}, 4, [15, 25, 35, 45]),
        ({"stages": [{"users": 10, "for": "10s"}, {"users": 50, "for": "20s"}]}, 3, [10, 50, 50]),
    ],
)  # fmt: skip
def test_every_shape_has_its_levels(given, rounds, expected):
    """A level per round: ramps rise by a step a round, spikes have a calm before and after."""
    assert level_table(rounds, **given) == pytest.approx(expected)


def test_the_end_of_the_stages_is_their_last_level():
    """A moment that rounding moves to the very end is still in the last stage."""
    load = Load.model_validate(
        {"stages": [{"users": 10, "for": "10s"}, {"users": 20, "to": 50, "for": "1s"}]}
    )
    assert _staged(load.stages, 1.0) == 50


def test_another_number_of_users_scales_the_whole_shape():
    """`-u 40` on a ramp to 20 is a ramp to 40; in an open load it bounds what is in flight."""
    assert level_table(4, most_users=40, users=20, shape="ramp") == [10, 20, 30, 40]
    open_levels = levels(Load.model_validate({"rate": "100/s"}), 2, 7)
    assert open_levels == [Level(7, 100.0)] * 2


@given(st.integers(0, 500), st.integers(1, 9))
def test_users_dealt_out_to_nodes_are_all_there(users, nodes):
    """The nodes' parts of a level add up to it and differ by at most one."""
    parts = [share_of(users, node, nodes) for node in range(nodes)]
    assert sum(parts) == users
    assert max(parts) - min(parts) <= 1


@given(st.sampled_from(["constant", "smoke", "ramp", "step", "spike", "soak"]), st.integers(1, 60))
def test_every_shape_reaches_its_level_and_never_leaves_its_bounds(shape, rounds):
    """All of the load is met at least once, and no round has more, or none at all."""
    found = level_table(rounds, rate="100/s", shape=shape)
    assert max(found) == pytest.approx(100)
    assert min(found) > 0


def test_all_arms_meet_the_same_levels_and_warm_up_at_the_first():
    """A round's number stands for its level, whichever arm runs."""
    found = levels(Load.model_validate({"rate": "40/s", "shape": "ramp"}), 4, 7)
    turns = plan(["a", "b"], found, 1.0, 1.0)
    assert [turn.rate for turn in turns] == [10, 10, 10, 10, 20, 20, 30, 30, 40, 40]
    assert {turn.users for turn in turns} == {7}
