"""Think times that run on across rounds, and pauses after failures, in virtual time."""

import random
from functools import partial

import gevent
import pytest

from mcp_perf.load.engine.pace import FIRST_S, LONGEST_S, Pace, backoff_s
from mcp_perf.load.engine.turn_gate import TurnGate
from mcp_perf.load.plan.schedule import Turn
from mcp_perf.outcomes import CHECK_FAILED, INTERRUPTED, OK, TIMEOUT

SECOND_NS = 1_000_000_000
ARMS = ("control", "mcp")


def paces(think=lambda: 0.0, spread=lambda: 0.0, told_s=lambda _arm: 0.0):
    """Return a user's pace by arm; its first journeys begin after that part of a think time."""
    return {arm: Pace(think, partial(told_s, arm), spread() * think()) for arm in ARMS}


class VirtualUser:
    """One user with a separate clock: users of a closed load do not wait for each other."""

    def __init__(self, paces, service_s, outcome=OK):
        self.ns = 0
        self.paces = paces
        self.service_s = service_s
        self.outcome = outcome
        self.gate = TurnGate(lambda: self.ns)
        self.begun_s: list[float] = []

    def round(self, seconds, arm="mcp"):
        """Take part in a turn; return it."""
        opened = self.gate.open(Turn(1, arm, "round", 1, seconds, 1))
        opened.closed = VirtualEnd(self, opened.end_ns)
        self.begun_s = []
        user = gevent.spawn(self.gate.take_part, lambda _arm: self._journey, self.paces)
        user.join()
        assert user.exception is None
        self.gate.close()
        return opened

    def _journey(self, _intended_ns):
        self.begun_s.append((self.ns - self.gate.open_turn.start_ns) / SECOND_NS)
        self.ns += int(self.service_s * SECOND_NS)
        return self.outcome


class VirtualEnd:
    """The end of a turn by a user's own clock."""

    def __init__(self, user, end_ns):
        self.user = user
        self.end_ns = end_ns

    def is_set(self):
        """Tell whether the turn is over."""
        return self.user.ns >= self.end_ns

    def wait(self, seconds=None):
        """Move to the end of a pause, or of the turn; tell whether it is over."""
        asked_ns = self.end_ns if seconds is None else self.user.ns + int(seconds * SECOND_NS)
        self.user.ns = max(self.user.ns, min(asked_ns, self.end_ns))
        return asked_ns > self.end_ns

    def set(self):
        """Do nothing: the clock decides."""


@pytest.mark.parametrize(
    ("users", "think_s", "service_s", "round_s", "rounds"),
    [
        (200, 4.0, 0.01, 5.0, 10),  # in phase it was 80/s, but 49.9/s is right
        (200, 4.0, 0.01, 1.0, 50),  # a round is shorter than a think time
        (100, 1.0, 0.5, 0.7, 40),
        (100, 0.5, 2.0, 5.0, 20),
    ],
)
def test_promise_32_a_closed_load_makes_as_many_journeys_as_think_and_service_allow(
    users, think_s, service_s, round_s, rounds
):
    """N / (R + Z) a second within 3 %, however short the rounds are, with two arms in turn."""
    draw = random.Random(1).random
    done = busy_ns = 0
    for _ in range(users):
        user = VirtualUser(paces(lambda: think_s, draw), service_s)
        user.round(round_s)  # the warm-up
        for _ in range(rounds):
            user.round(round_s, "control")
            opened = user.round(round_s)
            done += len(user.begun_s)
            busy_ns += opened.busy_ns
    rate = done / (busy_ns / users / SECOND_NS)
    assert rate == pytest.approx(users / (service_s + think_s), rel=0.03)


def test_promise_32_first_starts_are_spread():
    """The users of a round do not begin together: neither in the first one, nor later."""
    draw = random.Random(1).random
    users = [VirtualUser(paces(lambda: 4.0, draw), 0.01) for _ in range(200)]
    for _ in range(3):
        begun = []
        for user in users:
            user.round(4.0)
            begun += user.begun_s
        within_s = [sum(second <= at_s < second + 1 for at_s in begun) for second in range(4)]
        assert all(35 <= number <= 65 for number in within_s), within_s


def test_promise_32_a_think_time_runs_on_in_the_arms_next_round():
    """The rest of it at the end of a round is waited for in the next one, and no more."""
    user = VirtualUser(paces(lambda: 4.0, lambda: 0.5), 1.0)
    user.round(5.0)
    assert user.begun_s == [2.0]  # ends at 3 s, and the next is due at 7 s
    user.round(5.0, "control")
    assert user.begun_s == [2.0]
    user.round(5.0)
    assert user.begun_s == [2.0]
    user.round(1.5)
    assert user.begun_s == []  # due at 2 s again
    user.round(1.5)
    assert user.begun_s == [0.5]


def test_users_who_do_not_think_begin_at_once():
    """Without a think time there is nothing to spread."""
    user = VirtualUser(paces(), 0.5)
    user.round(2.0)
    assert user.begun_s == [0.0, 0.5, 1.0, 1.5]


def test_users_back_off_after_three_failed_journeys():
    """From the third failure in a row on they wait 0.1 s, twice that, and so on up to 5 s."""
    assert [backoff_s(failed) for failed in range(5)] == [0, 0, 0, FIRST_S, 2 * FIRST_S]
    assert backoff_s(8) == 3.2
    assert backoff_s(9) == backoff_s(10_000) == LONGEST_S
    user = VirtualUser(paces(), 0.0, TIMEOUT)
    opened = user.round(1.0)
    assert user.begun_s == pytest.approx([0, 0, 0, 0.1, 0.3, 0.7])
    assert opened.backed_off_ns == pytest.approx(SECOND_NS)  # the last wait ended with the round
    user.round(1.0)
    assert user.begun_s == [0.0]  # and the next failure waits longer than the round


def test_one_good_journey_ends_the_back_off():
    """The count of failures begins anew."""
    pace = Pace()
    failed = [pace.after(outcome)[1] for outcome in (CHECK_FAILED, TIMEOUT, TIMEOUT, TIMEOUT)]
    assert failed == [0, 0, FIRST_S, 2 * FIRST_S]
    assert pace.after(OK) == (0, 0)
    assert [pace.after(TIMEOUT)[1] for _ in range(3)] == [0, 0, FIRST_S]


def test_what_we_cut_short_neither_lengthens_nor_ends_the_back_off():
    """A call that we cut short says nothing about the target."""
    pace = Pace()
    failed = [pace.after(outcome)[1] for outcome in (TIMEOUT, TIMEOUT, INTERRUPTED, TIMEOUT)]
    assert failed == [0, 0, 0, FIRST_S]


def test_a_back_off_runs_at_the_same_time_as_the_think_time():
    """A user who thinks for longer than the back-off does not wait any longer."""
    user = VirtualUser(paces(lambda: 0.3), 0.0, TIMEOUT)
    opened = user.round(2.0)
    assert user.begun_s == pytest.approx([0, 0.3, 0.6, 0.9, 1.2, 1.6])
    assert opened.backed_off_ns == pytest.approx(0.2 * SECOND_NS)


def test_a_target_that_asks_to_be_left_alone_is():
    """After a failed journey, a user waits for Retry-After, up to the end of the round."""
    user = VirtualUser(paces(told_s=lambda arm: 1.5 if arm == "mcp" else 9.0), 0.0, TIMEOUT)
    user.round(4.0)
    assert user.begun_s == pytest.approx([0, 1.5, 3.0])
    user.round(4.0, "control")
    assert user.begun_s == [0]


def test_promise_31_users_who_did_not_come_to_a_journey_are_counted():
    """They had time for one in a round but did not begin one. Thinking users do not count."""
    thinking = VirtualUser(paces(lambda: 9.0, lambda: 0.5), 1.0)
    assert thinking.round(2.0).without_journey == 0
    assert VirtualUser(paces(), 1.0).round(2.0).without_journey == 0
    assert VirtualUser(paces(), 1.0).round(0.0).without_journey == 1
