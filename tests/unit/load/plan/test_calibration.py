"""How many users keep the targets below saturation: found in the warm-ups, by pure functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.load.plan.calibration import turns, users_below
from mcp_perf.load.plan.schedule import Level, plan
from mcp_perf.results.journal.records import ResourceSample, RunStarted, TurnStarted
from mcp_perf.results.tally.tally import RunTally, fold

TURNS = plan(["control", "dual"], [Level(20)] * 2, 5.0, 3.0)


@given(
    bound=st.floats(0.05, 1),
    most=st.integers(1, 1000),
    tried=st.integers(1, 250),
    used=st.lists(st.floats(0, 4), min_size=1, max_size=5),
)
def test_users_stay_below_the_bound_in_proportion(bound, most, tried, used):
    """It is the largest number that does, but at least one, even if that is too many."""
    users = users_below(bound, most, tried, used)
    each = max(used) / tried
    assert 1 <= users <= most
    assert users == 1 or users * each <= bound * (1 + 1e-9)
    assert users == most or (users + 1) * each > bound * (1 - 1e-9)


@pytest.mark.parametrize(
    ("used", "users", "said"),
    [
        ({"control": 0.1, "dual": 0.5}, 7, "control 0.1, dual 0.5"),
        ({"control": 0.1, "dual": 0.05}, 20, "control 0.1, dual 0.05"),
        ({"control": 0.0, "dual": 0.0}, 20, "control 0, dual 0"),
        ({"control": 0.1, "dual": 9.0}, 1, "control 0.1, dual 9"),
        ({"control": 0.1, "dual": None}, 5, "control 0.1, dual an unknown part"),
    ],
)
def test_the_rounds_have_the_users_that_the_warm_ups_have_found(used, users, said):
    """The busiest target decides. If its use could not be read, the users are not raised."""
    tally, noted, given_users = _tally(), [], []
    for turn in turns(TURNS, 0.7, tally, lambda code, text: noted.append((code, text))):
        given_users.append(turn.users)
        _happen(tally, turn, used[turn.arm])
    assert given_users == [5, 5, users, users, users, users]
    [(code, text)] = noted
    assert code == "calibrated"
    assert text == (
        f"Calibrated: {users} of at most 20 users make calls. With 5 users the targets "
        f"used this many CPU cores: {said}; the limit is 0.7."
    )


def test_the_load_of_a_calibrated_run_is_the_one_that_it_had():
    """A run with another number of users is then not compared with it."""
    tally = _tally()
    for turn in turns(TURNS, 0.7, tally, lambda *_: None):
        _happen(tally, turn, 0.5)
    assert tally.load == {"users": 7, "calibrate": 0.7}
    assert _tally().load == {"users": 20, "calibrate": 0.7}


def _tally() -> RunTally:
    about = {"run_id": "r", "started": "2026-01-01T00:00:00Z", "scenario": "s", "title": "s"}
    about |= {"scenario_text": "", "seed": 0, "arms": {}, "gates": [], "limits": {}}
    about |= {"load": {"users": 20, "calibrate": 0.7}, "environment": {}}
    return fold([RunStarted(**about)])


def _happen(tally, turn, processors):
    at_s = 10.0 * turn.number
    told = {name: getattr(turn, name) for name in ("arm", "phase", "round", "users", "rate")}
    tally.take(TurnStarted(turn=turn.number, at_s=at_s, planned_s=turn.seconds, **told))
    for passed_s in (0.0, turn.seconds):
        cpu_s = None if processors is None else 100 + processors * passed_s
        read = ResourceSample(
            turn=turn.number,
            at_s=at_s + passed_s,
            arm=turn.arm,
            cpu_s=cpu_s,
            rss_bytes=None,
            threads=None,
            fds=None,
            processes=None,
        )
        tally.take(read)
