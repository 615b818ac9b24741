"""A node's side of a round: prepare, open, close, drain, report."""

from collections import defaultdict

import gevent
import pytest
from gevent.event import Event

from mcp_perf.client.errors import ConnectError
from mcp_perf.load.engine.pace import Pace
from mcp_perf.load.engine.turn_gate import TurnGate
from mcp_perf.load.engine.turn_runner import _CONNECTS_AT_ONCE, TurnRunner
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.results.journal.records import SETUP, Slice
from tests.support.greenlets import until

LONG_S = 1000.0


class User:
    """Takes part in turns; its journeys wait for `go_on`."""

    def __init__(self, node):
        self.node = node
        self.asked: list[str] = []
        self.failure: Exception | None = None

    def ready(self, arm, at_work=None):
        """Note which arm was asked for, and for how many users."""
        self.asked.append((arm, at_work))
        if self.failure is not None:
            raise self.failure

    def live(self):
        """Walk journeys for ever."""
        while True:
            paces = defaultdict(lambda: Pace(lambda: LONG_S))
            self.node.gate.take_part(lambda _arm: lambda _at: self._journey(), paces)
            gevent.sleep(0)

    def _journey(self):
        self.node.recorder.calls += 1
        self.node.go_on.wait(LONG_S)


class Node:
    """One process with users, whose answers are kept."""

    def __init__(self, count=2):
        self.gate = TurnGate()
        self.records = []
        self.recorder = Recorder("node 7", self.records.extend)
        self.go_on = Event()
        self.users = [User(self) for _ in range(count)]
        self.answers: list[tuple[str, dict]] = []
        self.turn_runner = TurnRunner(
            self.gate,
            self.recorder,
            lambda: self.users,
            lambda *answer: self.answers.append(answer),
        )
        self.greenlets = [gevent.spawn(user.live) for user in self.users]
        gevent.sleep(0)

    def answer(self):
        """Wait for the next answer and return it."""
        until(lambda: self.answers)
        return self.answers.pop(0)

    def slices(self):
        """Return the slices written so far."""
        return [record for record in self.records if isinstance(record, Slice)]


@pytest.fixture
def node():
    """Return a node with two users."""
    node = Node()
    yield node
    gevent.killall(node.greenlets)


def go(turn=3, *, seconds=LONG_S, drain_s=LONG_S, at_s=30.0):
    """Return the order to run a turn."""
    return {
        "turn": turn,
        "plan": (turn, "mcp", "round", 2, seconds, 1, 0.0),
        "drain_s": drain_s,
        "at_s": at_s,
    }


def test_every_users_connection_is_checked_before_a_turn(node):
    """Prepare asks each user for the arm's connection, and answers when all have one."""
    node.turn_runner.prepare({"turn": 3, "arm": "mcp", "users": 2})
    assert node.answer() == ("ready", {"turn": 3, "users": 2})
    assert [user.asked for user in node.users] == [[("mcp", None)], [("mcp", None)]]


def test_users_know_how_many_are_at_work(node):
    """At a low level the last users of a process do not have a session, so each gets the number."""
    node.gate.at_work = lambda level: level // 2
    node.turn_runner.prepare({"turn": 3, "arm": "mcp", "users": 6})
    node.answer()
    assert [user.asked for user in node.users] == [[("mcp", 3)], [("mcp", 3)]]


def test_sessions_are_counted_between_preparing_and_answering():
    """The count of sessions is as old as the first reading of the turn's resources."""
    node = Node()
    order = []
    node.turn_runner = TurnRunner(
        node.gate,
        node.recorder,
        lambda: [order.append("users") or node.users[0]],
        lambda *_answer: order.append("answer"),
        prepared=lambda: order.append((len(node.users[0].asked), "counted")),
    )
    node.turn_runner.prepare({"turn": 0, "arm": "mcp", "users": 1})
    until(lambda: "answer" in order)
    assert order == ["users", (1, "counted"), "answer"]
    gevent.killall(node.greenlets)


def test_a_target_that_cannot_be_reached_does_not_hold_up_the_round(node):
    """A connection that fails in preparation will fail in the round, where it is counted."""
    node.users[0].failure = ConnectError("refused")
    node.turn_runner.prepare({"turn": 3, "arm": "mcp", "users": 2})
    assert node.answer() == ("ready", {"turn": 3, "users": 2})


def test_not_all_users_connect_at_once():
    """A thousand users do not run into the server's queue of new connections together."""
    node = Node(count=0)
    at_once, most = 0, 0

    class Slow:
        def ready(self, _arm, _at_work):
            """Count who is connecting."""
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            gevent.sleep(0)
            at_once -= 1

    node.users = [Slow() for _ in range(200)]
    node.turn_runner.prepare({"turn": 0, "arm": "mcp", "users": 2})
    assert node.answer()[1]["users"] == 200
    assert most == _CONNECTS_AT_ONCE


def test_promise_31_users_who_cannot_connect_do_not_make_their_process_a_lost_one():
    """A server that never opens sessions holds up hundreds of users for minutes: do not wait."""
    node = Node(count=0)
    node.turn_runner.connect_s = 0.05
    ended = []

    class Hanging:
        def ready(self, _arm, _at_work):
            """Wait for a session that does not come."""
            try:
                gevent.sleep(LONG_S)
            finally:
                ended.append(self)

    node.users = [Hanging() for _ in range(2 * _CONNECTS_AT_ONCE)]
    node.turn_runner.prepare({"turn": 0, "arm": "mcp", "users": 2})
    assert node.answer()[0] == "ready"
    assert len(ended) == _CONNECTS_AT_ONCE


def test_a_turn_ends_when_its_last_call_has(node):
    """`done` comes after the close and the drain, with what the turn was."""
    node.turn_runner.go(go())
    until(lambda: node.recorder.calls == 2)
    node.turn_runner.close({})
    for _ in range(20):
        gevent.sleep(0)
    assert node.answers == []  # two calls are still in flight
    node.go_on.set()
    kind, data = node.answer()
    assert (kind, data["turn"], data["late"]) == ("done", 3, 0)
    ended = data["ended"]
    assert (ended["turn"], ended["node"], ended["users"]) == (3, "node 7", 2)
    assert ended["planned"] == 2
    assert ended["busy_s"] > 0


def test_a_turn_ends_by_its_clock(node):
    """Without a close, the turn's length decides."""
    node.go_on.set()
    node.turn_runner.go(go(seconds=0.0))
    assert node.answer()[0] == "done"


def test_what_a_turn_recorded_carries_its_number(node):
    """What came before the turn is flushed before it, what came in it is flushed with it."""
    node.turn_runner.go(go())
    until(lambda: node.recorder.calls == 2)
    assert node.recorder.turn == 3
    node.turn_runner.close({})
    until(lambda: node.recorder.draining)
    node.go_on.set()
    node.answer()
    drained = [(SETUP, False), (3, False), (3, True)]  # the calls in flight at the close end last
    assert [(piece.turn, piece.draining) for piece in node.slices()] == drained
    assert node.slices()[1].at_s == pytest.approx(30.0, abs=0.001)
    assert node.recorder.turn == SETUP


def test_promise_09_calls_longer_than_the_drain_are_cut_off(node):
    """With the drain used up the calls in flight are cut off, and their number is answered."""
    node.turn_runner.go(go(drain_s=0.0))
    until(lambda: node.recorder.calls == 2)
    node.turn_runner.close({})
    kind, data = node.answer()
    assert (kind, data["late"]) == ("done", 2)


def test_a_hard_close_does_not_wait_for_the_drain(node):
    """The second signal cuts off the calls in flight at once."""
    node.turn_runner.go(go())
    until(lambda: node.recorder.calls == 2)
    node.turn_runner.close({"hard": True})
    assert node.answer()[1]["late"] == 2


def test_a_hard_close_while_draining_cuts_off_what_is_left(node):
    """A second signal in the drain ends it, within one look at the clock."""
    node.turn_runner.go(go(drain_s=LONG_S))
    until(lambda: node.recorder.calls == 2)
    node.turn_runner.close({"hard": False})
    gevent.sleep(0)
    node.turn_runner.close({"hard": True})
    assert node.answer()[1]["late"] == 2


def test_a_close_that_comes_right_after_the_go_is_not_lost(node):
    """Both messages may arrive together: a turn that was not open yet must not open then."""
    node.go_on.set()
    node.turn_runner.go(go())
    node.turn_runner.close({"hard": False})
    assert node.answer()[0] == "done"


def test_a_fault_of_our_own_is_answered(node, caplog):
    """The conductor does not wait for a node whose own code failed."""

    def broken():
        raise RuntimeError("our bug")

    node.turn_runner.users = broken
    node.turn_runner.prepare({"turn": 5, "arm": "mcp", "users": 2})
    assert node.answer() == ("failed", {"turn": 5})
    assert "our bug" in caplog.text


def test_a_node_without_users_still_answers():
    """A worker that got no users does not hold up the others; its busy time is the turn's."""
    node = Node(count=0)
    node.turn_runner.go(go(seconds=0.0))
    kind, data = node.answer()
    assert kind == "done"
    assert (data["ended"]["users"], data["ended"]["busy_s"]) == (0, 0.0)


def test_stopping_flushes_what_is_left(node):
    """The last calls are handed over when the test stops, and the watch ends."""
    node.turn_runner.start()
    node.turn_runner.stop()
    assert len(node.slices()) == 1
    assert node.turn_runner._flusher.dead
