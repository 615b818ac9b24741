"""The turns of a load whose users double, taken one by one as the conductor does."""

import pytest

from mcp_perf.load.plan.doubling import turns
from mcp_perf.load.plan.schedule import levels, plan
from mcp_perf.results.tally.tally import fold
from mcp_perf.scenario.model.load import Load
from tests.support.virtual_run import Round, started, turn


def conducted(server, *, users=256, drain_s=5.0, slow_s=0.0, arms=("mcp",)):
    """Return arm and users of each turn; `server` gives the result of a number of users."""
    load = Load.model_validate({"shape": "doubling", "users": users})
    planned = plan(arms, levels(load, load.round_count, users), load.round, load.warmup)
    tally = fold([started(arms, load={"shape": "doubling"})])
    made = []
    for one in turns(planned, drain_s, tally):
        made.append((one.arm, one.users))
        assert tally.last_s + one.seconds + drain_s <= 9 + 60
        at_s = tally.last_s or 9.0
        for record in turn(one.number, one.arm, one.round, server(one), at_s=at_s):
            tally.take(record)
        tally.last_s += slow_s
    return made


def of_capacity(most):
    """Return a server that takes 10 ms, and twice as long for each user above `most`."""

    def serve(one):
        return Round(ms=10 if one.users <= most else 50, users=one.users, busy_s=one.seconds)

    return serve


@pytest.mark.parametrize(("most", "last"), [(1, 2), (5, 8), (10**6, 256)])
def test_users_double_until_the_target_does_not_keep_up(most, last):
    """The level above the capacity is the last one, and is run once."""
    made = [users for _, users in conducted(of_capacity(most))]
    assert made == [1, *(2**n for n in range(last.bit_length()))]


def test_the_most_users_are_a_level_of_their_own():
    """They need not be a power of two."""
    assert [users for _, users in conducted(of_capacity(99), users=10)] == [1, 1, 2, 4, 8, 10]


def test_an_arm_goes_on_without_the_one_that_does_not_keep_up():
    """Each arm ends separately."""

    def serve(one):
        return Round(ms=10 if one.users < 4 or one.arm == "b" else 50, busy_s=one.seconds)

    made = conducted(serve, users=8, arms=("a", "b"))
    assert [users for arm, users in made if arm == "a"] == [1, 1, 2, 4]
    assert [users for arm, users in made if arm == "b"] == [1, 1, 2, 4, 8]


@pytest.mark.parametrize(("slow_s", "rounds"), [(0.0, 9), (0.5, 9), (2.0, 7), (5.0, 5)])
def test_no_turn_begins_that_may_end_too_late(slow_s, rounds):
    """All turns take 50 s, and two drains of 5 s are allowed, however long drains really take."""
    assert len(conducted(of_capacity(999), slow_s=slow_s)) == 1 + rounds
