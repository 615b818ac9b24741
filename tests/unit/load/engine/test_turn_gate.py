"""The gate of turns under greenlets and a clock that only the test moves."""

import time
from collections import defaultdict

import gevent
import pytest
from gevent.event import Event

from mcp_perf.load.engine.pace import Pace
from mcp_perf.load.engine.turn_gate import TurnGate
from mcp_perf.load.plan.schedule import Turn
from mcp_perf.load.steps.step import Interrupted
from mcp_perf.outcomes import INTERRUPTED, TIMEOUT
from tests.support.greenlets import until

ROUND = Turn(1, "mcp", "round", 1, 10.0, 1)
NEXT = Turn(2, "rest", "round", 1, 10.0, 1)
LONG_S = 1000.0
"""Nobody sits this out: what waits so long is woken by something else, or the test hangs."""


class Clock:
    """A clock in nanoseconds that stands still until a test moves it."""

    def __init__(self):
        self.ns = 0

    def __call__(self) -> int:
        """Return the time."""
        return self.ns

    def pass_s(self, seconds: float) -> None:
        """Move on."""
        self.ns += int(seconds * 1e9)


class Users:
    """Greenlets that take part in turns for ever, as Locust's users do."""

    def __init__(self, gate, clock, *, journey_s=1.0, think_s=0.0):
        self.gate = gate
        self.clock = clock
        self.journey_s = journey_s
        self.think_s = think_s
        self.walked: list[tuple[str, float]] = []
        """Arm, and when the journey began."""
        self.blocked: Event | None = None
        """If set, journeys wait for it in the middle."""
        self.interrupted = 0
        self.thinking = 0
        """How often one of them began to think."""
        self.greenlets: list[gevent.Greenlet] = []
        self.paces = defaultdict(lambda: Pace(self._think))

    def spawn(self, count):
        """Add users."""
        self.greenlets += [gevent.spawn(self._perform_for_ever) for _ in range(count)]
        gevent.sleep(0)

    def _perform_for_ever(self):
        while True:
            self.gate.take_part(lambda arm: lambda _at: self._journey(arm), self.paces)
            gevent.sleep(0)

    def _think(self):
        self.thinking += 1
        return self.think_s

    def _journey(self, arm):
        self.walked.append((arm, self.clock.ns / 1e9))
        if self.blocked is not None:
            try:
                self.blocked.wait(LONG_S)
            except Interrupted:
                self.interrupted += 1
                raise
        self.clock.pass_s(self.journey_s)
        gevent.sleep(0)


@pytest.fixture
def clock():
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def gate(clock):
    """Return a gate on that clock."""
    return TurnGate(clock)


@pytest.fixture
def users(gate, clock):
    """Return users who walk journeys of one second, none yet spawned."""
    users = Users(gate, clock)
    yield users
    gevent.killall(users.greenlets)


def test_nobody_walks_before_the_turn_opens(gate, users):
    """Users wait for a turn, and walk the arm whose turn it is."""
    users.spawn(2)
    gevent.sleep(0)
    assert users.walked == []
    gate.open(ROUND)
    until(lambda: len(users.walked) >= 2)
    assert {arm for arm, _ in users.walked} == {"mcp"}


def test_users_leave_by_the_clock_even_if_nobody_closes_the_turn(gate, users):
    """A hub too busy to close the turn in time does not make it longer."""
    users.spawn(1)
    open_turn = gate.open(ROUND)
    until(lambda: len(users.walked) == 10)
    assert gate.idle(LONG_S)
    for _ in range(20):
        gevent.sleep(0)
    assert [at_s for _, at_s in users.walked] == list(range(10))
    assert not open_turn.closed.is_set()
    assert open_turn.busy_ns == 10_000_000_000


def test_a_turn_with_a_number_of_journeys_ends_with_the_last_of_them(gate, users):
    """No more journeys begin, however many users there are; the next turn has as many."""
    gate.journeys = 7
    users.spawn(3)
    for turn, so_far in ((ROUND, 7), (NEXT, 14)):
        opened = gate.open(turn)
        until(opened.closed.is_set)
        assert gate.idle(LONG_S)
        for _ in range(20):
            gevent.sleep(0)
        assert len(users.walked) == so_far


def test_promise_20_no_journey_starts_after_the_close(gate, users, clock):
    """A close ends the turn at once: users finish the journey they are in, and begin no other."""
    users.blocked = Event()
    users.spawn(3)
    gate.open(ROUND)
    until(lambda: len(users.walked) == 3)
    clock.pass_s(2.0)
    gate.close()
    users.blocked.set()
    assert gate.idle(LONG_S)
    for _ in range(20):
        gevent.sleep(0)
    assert len(users.walked) == 3


def test_promise_20_no_journey_starts_after_the_clock_ran_out_in_a_pause(gate, clock):
    """A user who was thinking when the time ran out does not begin another journey."""
    walked = []

    def think():
        clock.pass_s(11.0)
        return 0.000_001

    gate.open(ROUND)
    paces = {ROUND.arm: Pace(think)}
    user = gevent.spawn(gate.take_part, lambda _arm: lambda _at: walked.append(clock.ns), paces)
    with gevent.Timeout(5):
        while not walked or gate._busy:
            gevent.sleep(0.001)
    user.kill()
    assert walked == [0]


def test_a_user_that_comes_after_the_end_starts_nothing(gate, users, clock):
    """A user that enters a turn whose time is over leaves it again without a journey."""
    gate.open(ROUND)
    clock.pass_s(10.5)
    users.spawn(1)
    for _ in range(20):
        gevent.sleep(0)
    assert users.walked == []
    assert not gate._busy


def test_a_close_ends_the_pauses_of_users_who_think(gate, users):
    """Thinking users leave at the close, not at the end of their pause."""
    users.think_s = LONG_S
    users.spawn(3)
    gate.open(ROUND)
    until(lambda: len(users.walked) == 3)
    assert not gate.idle(0)
    gate.close()
    assert gate.idle(LONG_S)
    assert len(users.walked) == 3
    assert users.interrupted == 0


def test_users_whose_pause_ends_with_the_turn_come_back_for_the_next(gate, users):
    """If all pauses end at the same time as the turn, no user misses the next turn."""
    users.think_s = 0.01
    users.spawn(8)
    gate.open(ROUND)
    closing = gevent.spawn_later(0.005, gate.close)
    until(lambda: users.thinking == 8)
    time.sleep(0.02)  # nobody runs meanwhile: all of it is due at once
    closing.join()
    opened = gate.open(NEXT)
    until(lambda: opened.users == 8)


def test_an_arrival_handed_out_at_the_very_end_is_waited_for(gate, users):
    """The gate counts its user as busy, even if nothing has run since it was handed out."""
    users.blocked = Event()
    users.spawn(1)
    opened = gate.open(Turn(1, "mcp", "round", 1, 10.0, 1, 1.0), [0])
    until(lambda: opened.dispatcher.planned == 1)
    assert users.walked == []
    gate.close()
    assert not gate.idle(0)
    assert len(users.walked) == 1


def test_cut_off_interrupts_only_those_in_a_call(gate, users):
    """Users who have left are not disturbed; users in a call are interrupted there."""
    users.spawn(2)
    gate.open(ROUND)
    until(lambda: len(users.walked) >= 2)
    gate.close()
    assert gate.idle(LONG_S)
    assert gate.cut_off() == 0

    users.blocked = Event()
    gate.open(NEXT)
    until(lambda: len(users.walked) >= 4 and len(gate._busy) == 2)
    gate.close()
    assert not gate.idle(0)
    assert gate.cut_off() == 2
    assert users.interrupted == 2
    assert gate.idle(0)


def cut_off(gate, users, clock, *, whole_drain):
    """Let a turn end with a call in flight; return what is thrown into its user."""
    seen = []
    users.blocked = Event()
    judged = users._journey

    def journey(arm):
        try:
            judged(arm)
        except Interrupted as cut:
            seen.append(cut.judge(clock.ns - 1))
            raise

    users._journey = journey
    users.spawn(1)
    opened = gate.open(ROUND)
    until(lambda: users.walked)
    clock.pass_s(10.0)
    gate.close()
    gate.cut_off(opened.bell_ns if whole_drain else 0)
    return seen


def test_promise_09_a_call_that_had_the_whole_drain_is_a_timeout(gate, users, clock):
    """It began before the bell, so it had all the time that it was promised."""
    assert cut_off(gate, users, clock, whole_drain=True) == [TIMEOUT]


def test_promise_09_a_call_that_we_cut_short_is_interrupted(gate, users, clock):
    """A second signal, or a drain of no length, says nothing about the target."""
    assert cut_off(gate, users, clock, whole_drain=False) == [INTERRUPTED]


def test_a_call_that_began_in_the_drain_is_interrupted():
    """It had only what was left of the drain."""
    cut = Interrupted(drained_from_ns=100)
    assert (cut.judge(100), cut.outcome) == (INTERRUPTED, INTERRUPTED)
    assert (cut.judge(99), cut.outcome) == (TIMEOUT, TIMEOUT)


def test_users_that_were_cut_off_can_still_be_found_by_locust(gate, users):
    """Locust finds a user by the arguments of its greenlet, to call its on_stop."""
    users.blocked = Event()
    users.greenlets.append(gevent.spawn(lambda _user: users._perform_for_ever(), "the user"))
    gate.open(ROUND)
    until(lambda: users.walked)
    gate.close()
    assert gate.cut_off() == 1
    assert users.greenlets[0].args == ("the user",)


def test_interrupted_users_come_back_for_the_next_turn(gate, users):
    """A user that was cut off is at work again when the next turn opens."""
    users.blocked = Event()
    users.spawn(2)
    gate.open(ROUND)
    until(lambda: len(users.walked) == 2)
    gate.close()
    gate.cut_off()
    users.blocked = None
    open_turn = gate.open(NEXT)
    until(lambda: len(users.walked) >= 4)
    gate.close()
    assert gate.idle(LONG_S)
    assert [arm for arm, _ in users.walked[2:4]] == ["rest", "rest"]
    assert open_turn.users == 2


def test_a_turn_is_joined_once_by_each_user(gate, users):
    """A user who left a turn waits for the next one, and does not come in again."""
    users.journey_s = 6.0
    users.spawn(3)
    open_turn = gate.open(ROUND)
    until(lambda: users.walked and not gate._busy)
    for _ in range(20):
        gevent.sleep(0)
    assert open_turn.users == 3
    gate.close()
    assert gate.open(NEXT).users == 0


@pytest.mark.parametrize(
    ("journey_s", "busy_s"),
    [
        (4.0, 12.0),  # the third journey begins at 8 s and ends at 12 s: that work took 12 s
        (2.5, 10.0),  # done exactly at the end
        (3.0, 12.0),
        (30.0, 30.0),
    ],
)
def test_busy_time_runs_to_the_end_of_the_last_journey(gate, users, journey_s, busy_s):
    """The denominator of throughput covers all of the counted work."""
    users.journey_s = journey_s
    users.spawn(1)
    open_turn = gate.open(ROUND)
    until(lambda: users.walked and not gate._busy)
    assert open_turn.busy_ns == busy_s * 1e9


def test_busy_time_is_at_least_the_turns_length(gate, users, clock):
    """A user who thinks at the end of the turn was there for all of it."""
    users.think_s = LONG_S
    users.spawn(1)
    open_turn = gate.open(ROUND)
    until(lambda: users.thinking)
    clock.pass_s(9.0)
    gate.close()
    assert gate.idle(LONG_S)
    assert open_turn.busy_ns == 10_000_000_000


def test_a_turn_that_was_stopped_early_counts_only_the_time_it_had(gate, users, clock):
    """After a stop the denominator is the time until the stop, not the planned one."""
    users.think_s = LONG_S
    users.spawn(1)
    open_turn = gate.open(ROUND)
    until(lambda: users.thinking)
    clock.pass_s(2.0)  # a journey of one second, then two of thought
    gate.close()
    assert gate.idle(LONG_S)
    assert open_turn.busy_ns == 3_000_000_000


def test_closing_twice_or_without_a_turn_is_fine(gate):
    """Closing does nothing if no turn is open."""
    gate.close()
    open_turn = gate.open(ROUND)
    gate.close()
    gate.close()
    assert open_turn.closed.is_set()
    assert gate.open_turn is None


def test_a_user_that_is_killed_leaves_the_gate(gate, users):
    """The gate does not wait for a user that Locust has killed in a journey."""
    users.blocked = Event()
    users.spawn(1)
    gate.open(ROUND)
    until(lambda: users.walked)
    gevent.killall(users.greenlets)
    assert gate.idle(0)
