"""The conductor leads fake nodes in virtual time: nothing here waits for a clock."""

import heapq
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_perf.load.engine import conductor
from mcp_perf.load.engine.conductor import Conductor
from mcp_perf.load.plan.schedule import Level, Turn, plan
from mcp_perf.load.watch.upstreams import Together
from mcp_perf.results.journal.records import Note, TurnEnded, TurnStarted


class World:
    """Virtual time: a wait runs whatever is due until then."""

    def __init__(self):
        self.now_s = 0.0
        self._due = []
        self._number = itertools.count()

    def at(self, delay_s, act):
        """Do something after a delay."""
        heapq.heappush(self._due, (self.now_s + delay_s, next(self._number), act))

    def run_until(self, condition, timeout_s):
        """Let time pass until the condition holds; tell whether it came to."""
        end_s = self.now_s + timeout_s
        while not condition():
            if not self._due or self._due[0][0] > end_s:
                self.now_s = end_s
                return False
            self.now_s, _, act = heapq.heappop(self._due)
            act()
        return True


class VirtualEvent:
    def __init__(self, world):
        self._world = world
        self._set = False

    def set(self):
        """Let the waiting go on."""
        self._set = True

    def is_set(self):
        """Tell whether the waiting is over."""
        return self._set

    def wait(self, timeout_s):
        """Let virtual time pass."""
        return self._world.run_until(lambda: self._set, timeout_s)


class Node:
    """Answers as a well-behaved process does, after the times it was given."""

    def __init__(self, name, *, ready_s=0.1, drain_s=0.2, late=0, silent_on="", fails_on=""):
        self.name = name
        self.ready_s = ready_s
        self.drain_s = drain_s
        self.late = late
        self.silent_on = silent_on
        self.fails_on = fails_on
        self.turn = None
        """The number of the turn that is open here."""
        self.opened: list[tuple[int, float, float]] = []


NOBODY = Together(())


class Conducted:
    """A conductor with its nodes, and a log of all that happened."""

    def __init__(self, monkeypatch, turns, nodes, *, drain_s=1.0, observer=NOBODY):
        self.world = World()
        self.nodes = {node.name: node for node in nodes}
        self.log: list[tuple[float, str, str, int]] = []
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.written = []
        monkeypatch.setattr(
            conductor,
            "_Waiting",
            lambda kind, turn, missing: WAITING(kind, turn, missing, VirtualEvent(self.world)),
        )
        self.conductor = Conductor(
            turns=turns,
            nodes=lambda: set(self.nodes),
            tell=self.tell,
            write=self.written.extend,
            now_s=lambda: self.world.now_s,
            drain_s=lambda _arm: drain_s,
            observer=observer,
            _stopping=VirtualEvent(self.world),
        )

    def tell(self, order, data):
        """Hand an order to every node, as Locust's messages would."""
        self.told.append((order, data))
        for node in list(self.nodes.values()):
            if node.silent_on == order:
                continue
            if node.fails_on == order:
                self.world.at(0.01, lambda n=node: self.answer(n, "failed", data["turn"]))
            elif order == "prepare":
                self.world.at(node.ready_s, lambda n=node: self.answer(n, "ready", data["turn"]))
            elif order == "leave":
                self.world.at(node.drain_s, lambda n=node: self.answer(n, "gone", data["turn"]))
            elif order == "go":
                self.begin(node, data)
            elif node.turn is not None:
                self.end(node, node.turn, 0.0 if data["hard"] else node.drain_s)

    def begin(self, node, data):
        """Open a turn on a node; its clock will end it."""
        node.turn = data["turn"]
        node.opened.append((data["turn"], self.world.now_s, 0.0))
        self.log.append((self.world.now_s, "open", node.name, data["turn"]))
        self.world.at(
            Turn(*data["plan"]).seconds, lambda: self.end(node, data["turn"], node.drain_s)
        )

    def end(self, node, turn, drain_s):
        """End a node's turn, if it is still open."""
        if node.turn == turn:
            node.turn = None
            self.world.at(drain_s, lambda: self.answer(node, "done", turn))

    def answer(self, node, kind, turn):
        """Answer the conductor, unless the node is gone."""
        if node.name not in self.nodes:
            return
        self.log.append((self.world.now_s, kind, node.name, turn))
        ended = {"turn": turn, "node": node.name, "users": 3, "busy_s": 5.0, "planned": 7}
        ended = {**ended, "type": "turn_end"}
        self.conductor.hear(kind, node.name, {"turn": turn, "late": node.late, "ended": ended})

    def of(self, kind):
        """Return the records of one kind."""
        return [record for record in self.written if isinstance(record, kind)]

    def orders(self):
        """Return the orders that were given, with their turns."""
        return [(order, data.get("turn")) for order, data in self.told]


WAITING = conductor._Waiting
ALONE = Level(1)
TURNS = plan(["rest", "mcp"], [ALONE] * 2, 5.0, 1.0)


@pytest.fixture
def conducted(monkeypatch):
    """Return a function that puts a conductor before fake nodes."""
    return lambda *nodes, turns=TURNS, **options: Conducted(monkeypatch, turns, nodes, **options)


def test_each_turn_is_prepared_then_run_in_order(conducted):
    """Every turn gets a prepare and a go, in the order of the plan."""
    run = conducted(Node("local"))
    run.conductor.conduct()
    assert run.orders() == [(order, turn.number) for turn in TURNS for order in ("prepare", "go")]
    assert run.conductor.reason == "finished"
    assert run.conductor.current is None


class Observer:
    """Something measured next to the load; it takes a second to begin."""

    def __init__(self):
        self.run = None
        self.log = []

    def begin(self, turn):
        """Begin before any node has an order to go."""
        self.log.append(("begin", turn.number, self.run.orders()[-1]))
        self.run.world.now_s += 1.0
        return [Note(at_s=0, code="x", text=f"begin {turn.number}")]

    def end(self, turn):
        """End, after the last answer."""
        self.log.append(("end", turn.number, self.run.log[-1][1:]))
        return [Note(at_s=0, code="x", text=f"end {turn.number}")]


def test_what_is_measured_next_to_the_load_encloses_each_turn(conducted):
    """It begins before the turn's clock and its first call, and ends after its last one."""
    observer = Observer()
    run = observer.run = conducted(Node("local"), turns=TURNS[:2], observer=observer)
    run.conductor.conduct()
    assert observer.log == [
        *(("begin", 0, ("prepare", 0)), ("end", 0, ("done", "local", 0))),
        *(("begin", 1, ("prepare", 1)), ("end", 1, ("done", "local", 1))),
    ]
    written = [r.text if isinstance(r, Note) else type(r).__name__ for r in run.written]
    assert written == [
        *("TurnStarted", "begin 0", "TurnEnded", "end 0"),
        *("TurnStarted", "begin 1", "TurnEnded", "end 1"),
    ]
    assert run.of(TurnStarted)[0].at_s == pytest.approx(1.1)  # ready after 0.1 s


def test_an_order_says_what_a_node_needs(conducted):
    """A node hears the arm and the level when it prepares, and the whole turn when it goes."""
    run = conducted(Node("local"), drain_s=2.0)
    run.conductor.conduct()
    assert run.told[0] == ("prepare", {"turn": 0, "arm": "rest", "users": 1})
    assert run.told[5] == (
        "go",
        {
            "turn": 2,
            "plan": (2, "rest", "round", 1, 5.0, 1, 0.0, 0.0),
            "drain_s": 2.0,
            "at_s": pytest.approx(0.1 + 1.2 + 0.1 + 1.2 + 0.1),
        },
    )


def test_the_journal_has_start_and_end_of_each_turn(conducted):
    """A turn is written when it starts, and for each node when its calls have drained."""
    run = conducted(Node("a"), Node("b", drain_s=0.4))
    run.conductor.conduct()
    kinds = [(type(record).__name__, record.turn) for record in run.written]
    one = ["TurnStarted", "TurnEnded", "TurnEnded"]
    assert kinds == [(kind, turn.number) for turn in TURNS for kind in one]
    started = run.of(TurnStarted)[3]
    assert (started.arm, started.phase, started.round, started.planned_s) == ("mcp", "round", 1, 5)
    assert {ended.node for ended in run.of(TurnEnded)} == {"a", "b"}
    assert run.of(TurnEnded)[0] == TurnEnded(turn=0, node="a", users=3, busy_s=5.0, planned=7)


DELAYS = st.floats(0, 3)
NODES = st.lists(st.tuples(DELAYS, DELAYS), min_size=1, max_size=4)


@settings(max_examples=60)
@given(NODES, st.integers(1, 3))
def test_rounds_never_overlap(delays, rounds):
    """No node opens a turn before every node has ended the last one and is ready for the next."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        turns = plan(["a", "b"], [ALONE] * rounds, 2.0, 1.0)
        nodes = [Node(str(n), ready_s=r, drain_s=d) for n, (r, d) in enumerate(delays)]
        run = Conducted(monkeypatch, turns, nodes)
        run.conductor.conduct()
    for turn in turns:
        opened = [s for s, kind, _, number in run.log if (kind, number) == ("open", turn.number)]
        ready = [s for s, kind, _, number in run.log if (kind, number) == ("ready", turn.number)]
        ended = [s for s, kind, _, n in run.log if (kind, n) == ("done", turn.number - 1)]
        assert len(opened) == len(ready) == len(nodes)
        assert len(ended) == (len(nodes) if turn.number else 0)
        assert max([*ended, *ready]) <= min(opened)


def test_an_answer_to_another_order_is_not_counted(conducted):
    """A late answer of an earlier turn, or of the wrong kind, does not complete this one."""
    run = conducted(Node("local", silent_on="go"))
    run.world.at(1.0, lambda: run.conductor.hear("done", "local", {"turn": 7}))
    run.world.at(1.0, lambda: run.conductor.hear("ready", "local", {"turn": 0}))
    run.conductor.conduct()
    assert run.of(TurnEnded) == []
    assert run.conductor.lost == {"local"}


def test_a_stop_in_a_turn_ends_it_after_the_calls_in_flight(conducted):
    """A stop closes the turn at once, waits for its end, and no other turn begins."""
    run = conducted(Node("local", drain_s=0.3))
    run.world.at(3.0, lambda: run.conductor.stop("signal"))
    run.conductor.conduct()
    assert run.told[-1] == ("close", {"hard": False})
    assert run.log[-1] == (pytest.approx(3.3), "done", "local", 2)
    assert [ended.turn for ended in run.of(TurnEnded)] == [0, 1, 2]
    assert run.conductor.reason == "signal"


def test_a_stop_while_preparing_starts_no_turn(conducted):
    """A stop that comes between two turns keeps the next one from starting."""
    run = conducted(Node("local", ready_s=2.0))
    run.world.at(1.0, lambda: run.conductor.stop("stopped"))
    run.conductor.conduct()
    assert run.of(TurnStarted) == []
    assert run.orders() == [("prepare", 0), ("close", None)]
    assert run.conductor.reason == "stopped"


def test_a_turn_begins_after_its_rest_and_a_stop_ends_the_rest(conducted):
    """A target is left alone before a probe, as long as the turn says."""
    for stop_s, told in ((9.0, ["prepare", "go"]), (2.0, ["close"])):
        run = conducted(Node("local"))
        run.conductor.turns = [Turn(0, "mcp", "probe", 3, 1.0, 1, 5.0, rest_s=3.0)]
        run.world.at(stop_s, lambda run=run: run.conductor.stop("signal"))
        run.conductor.conduct()
        assert [order for order, _ in run.told] == told
        assert [one.phase for one in run.of(TurnStarted)] == ["probe"] * (len(told) - 1)


def test_a_stop_before_the_first_turn_does_nothing_at_all(conducted):
    """A run that is stopped before it began sends nothing."""
    run = conducted(Node("local"))
    run.conductor.stop("signal")
    run.conductor.conduct()
    assert run.orders() == [("close", None)]


def test_the_second_stop_is_hard_and_the_first_reason_stays(conducted):
    """A second signal cuts off the calls in flight; the run's reason is still the first."""
    run = conducted(Node("local", drain_s=0.9))
    run.world.at(0.5, lambda: run.conductor.stop("signal"))
    run.world.at(0.6, lambda: run.conductor.stop("stopped", hard=True))
    run.conductor.conduct()
    closes = [data for order, data in run.told if order == "close"]
    assert closes == [{"hard": False}, {"hard": True}]
    assert run.conductor.reason == "signal"


def test_a_lost_node_is_named_and_the_run_goes_on(conducted):
    """The turns go on without a node that was lost, and the journal names it once."""
    run = conducted(Node("a"), Node("b"))

    def lose():
        del run.nodes["b"]
        run.conductor.lose("b")
        run.conductor.lose("b")

    run.world.at(2.0, lose)
    run.conductor.conduct()
    (note,) = run.of(Note)
    assert (note.code, note.node, note.at_s) == ("worker_lost", "b", 2.0)
    assert "b" in note.text
    assert [ended.turn for ended in run.of(TurnEnded) if ended.node == "a"] == [0, 1, 2, 3, 4, 5]
    assert {ended.turn for ended in run.of(TurnEnded) if ended.node == "b"} == {0}


def test_the_last_node_lost_ends_the_wait(conducted):
    """When the only node is lost in a turn, the wait is over."""
    run = conducted(Node("a"))

    def lose():
        del run.nodes["a"]
        run.conductor.lose("a")

    run.world.at(2.0, lose)
    run.conductor.conduct()
    assert run.world.now_s == 2.0
    assert run.conductor.lost == {"a"}


@pytest.mark.parametrize(
    ("order", "lost_at_s"),
    [
        ("prepare", 60.0),  # what preparing may take
        ("go", 0.1 + 1.0 + 1.0 + 15.0),  # ready, the turn, its drain, and the margin
    ],
)
def test_a_node_that_never_answers_is_lost_in_the_end(conducted, order, lost_at_s):
    """Silence counts as loss, after the longest time an answer could take."""
    run = conducted(Node("a"), Node("mute", silent_on=order), drain_s=1.0)
    run.conductor.conduct()
    (note,) = run.of(Note)
    assert (note.node, note.at_s) == ("mute", pytest.approx(lost_at_s))
    assert [ended.turn for ended in run.of(TurnEnded) if ended.node == "a"] == [0, 1, 2, 3, 4, 5]


def test_the_report_waits_for_the_last_records_of_every_node(conducted):
    """It waits however long a node takes; a node that never hands them over is lost in the end."""
    run = conducted(Node("a"), Node("slow", drain_s=30.0))
    run.conductor.dismiss()
    assert (run.orders(), run.world.now_s) == ([("leave", -1)], 30.0)
    assert run.conductor.lost == set()
    run.nodes["slow"].silent_on = "leave"
    run.conductor.dismiss()
    assert run.world.now_s == pytest.approx(90.0)
    assert run.conductor.lost == {"slow"}


def test_nothing_is_awaited_after_a_fault_of_our_own(conducted):
    """A node that has failed may be gone already."""
    run = conducted(Node("a", silent_on="leave"))
    run.conductor.stop("error")
    run.conductor.dismiss()
    assert (run.world.now_s, run.of(Note)) == (0.0, [])


@pytest.mark.parametrize("order", ["prepare", "go"])
def test_a_fault_of_our_own_ends_the_run(conducted, order):
    """A node that fails stops the run at once; the reason is an error, not a finish."""
    run = conducted(Node("a"), Node("b", fails_on=order))
    run.conductor.conduct()
    assert run.conductor.reason == "error"
    assert ("close", {"hard": False}) in run.told
    assert {data["turn"] for name, data in run.told if name == "go"} <= {0}
    assert run.world.now_s < 1.0


@pytest.mark.parametrize(
    ("node", "late", "turns", "users", "when"),
    [
        ("slow", 4, TURNS[:1], "4 users on worker slow", "the warm-up of rest"),
        ("local", 1, TURNS[2:3], "1 user", "round 1 of rest"),
    ],
)
def test_calls_that_were_cut_off_are_noted(conducted, node, late, turns, users, when):
    """If a drain was too short, the note says whose calls were cut off, and after which turn."""
    run = conducted(Node(node, late=late), turns=turns)
    run.conductor.conduct()
    (note,) = run.of(Note)
    assert (note.code, note.count) == ("interrupted_calls", late)
    drain = f"still in flight at the end of the drain after {when}"
    assert note.text == f"The calls of {users} were {drain}, and were cut off."


def test_the_current_turn_is_known_while_it_runs(conducted):
    """The turn in progress can be asked for, and there is none between turns."""
    run = conducted(Node("a", ready_s=1.0))
    seen = []
    run.world.at(0.5, lambda: seen.append(run.conductor.current))
    run.world.at(1.5, lambda: seen.append(run.conductor.current))
    run.conductor.conduct()
    assert seen == [None, TURNS[0]]
