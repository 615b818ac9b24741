"""What the terminal shows, followed record by record."""

import io
from types import SimpleNamespace

import gevent
import msgspec
import pytest
from rich.console import Console

from mcp_perf.cli.output import progress
from mcp_perf.cli.output.progress import Progress
from mcp_perf.load.plan.schedule import Level, plan
from mcp_perf.outcomes import HARNESS_ERROR, INTERRUPTED, OK, RATE_LIMITED, TIMEOUT, TOOL_ERROR
from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.journal.records import (
    SETUP,
    Cell,
    Health,
    Note,
    RunEnded,
    SessionCount,
    Slice,
    TurnEnded,
    TurnStarted,
)

HEALTH = Health(cpu_s=0, wall_s=1)
MS = 1_000_000


class Show:
    """A progress display on a fake terminal, or on a pipe."""

    def __init__(self, *, terminal=False, searching=False, users=1):
        self.out = io.StringIO()
        levels = [Level(1, 5.0)] if searching else [Level(1)] * 2
        turns = plan(["rest", "mcp"], levels, 5.0, 1.0)
        targets = {
            "rest": SimpleNamespace(url="http://127.0.0.1:1"),
            "mcp": SimpleNamespace(url="http://127.0.0.1:2/mcp"),
        }
        scenario = SimpleNamespace(title="A [bold]demo[/bold]")
        loaded = SimpleNamespace(scenario=scenario)
        self.run = SimpleNamespace(
            prepared=SimpleNamespace(
                targets=targets,
                turns=turns,
                users=users,
                loaded=loaded,
                searching=searching,
                announced=lambda: ["12 s of load"],
                rounds=12 if searching else 2,
            ),
            watchers=[],
        )
        console = Console(file=self.out, width=100, force_terminal=terminal, color_system=None)
        self.progress = Progress(self.run, console)
        self.turns = turns

    def see(self, *records):
        """Hand records to the display, as the run does."""
        for watch in self.run.watchers:
            watch(list(records))

    def play(self, turn, *pieces, busy_s=5.0):
        """Play a whole turn."""
        self.see(started(self.turns[turn]))
        self.see(*pieces)
        self.see(TurnEnded(turn=turn, node="local", users=1, busy_s=busy_s, planned=1))

    def end(self):
        """End the run; return what was printed."""
        self.see(RunEnded(at_s=0, reason="finished"))
        return self.text

    @property
    def text(self):
        """Return what was printed."""
        return self.out.getvalue()

    def picture(self):
        """Return the table as text."""
        console = Console(file=io.StringIO(), width=100, color_system=None)
        console.print(self.progress._picture())
        return console.file.getvalue()


def opened(node, users, sessions):
    """Return the record of a node whose users are being started."""
    return SessionCount(
        node=node, at_s=0, users=users, open={"mcp": sessions}, streams={"mcp": 0}, rss_bytes=1
    )


def test_the_start_of_many_users_is_told():
    """Users and sessions are counted over all processes, until the first turn."""
    show = Show(users=1000)
    show.see(opened("a", 100, 90))
    show.see(opened("b", 200, 150))
    assert "starting: 100 of 1 000 users, 90 sessions open\n" in show.text
    assert "starting: 300 of 1 000 users, 240 sessions open\n" in show.text
    show.see(started(show.turns[0]))
    show.see(opened("b", 900, 900))
    assert "900" not in show.text


def test_on_a_terminal_it_stands_in_the_picture():
    """In place of the turn that has not begun."""
    show = Show(users=1000, terminal=True)
    assert "opening sessions" in show.picture()
    show.see(opened("a", 100, 90))
    assert "100 of 1 000 users" in show.picture()


def test_the_start_of_a_few_users_is_not_worth_a_line():
    """It is over before it can be read."""
    show = Show(users=99)
    show.see(opened("a", 50, 50))
    assert "starting" not in show.text


def started(turn):
    """Return the record of a turn's start."""
    return TurnStarted(
        turn=turn.number,
        arm=turn.arm,
        phase=turn.phase,
        round=turn.round,
        at_s=0.0,
        planned_s=turn.seconds,
        rate=turn.rate,
    )


def piece(arm, counts, *, turn=2, seconds=1.0, ns=2 * MS, kind="call", node="local"):
    """Return a slice with so many calls of each class."""
    cells = []
    for cls, n in counts.items():
        histogram = Histogram()
        histogram.record(ns, n)
        cells.append(
            Cell(
                arm=arm, kind=kind, name="s", cls=cls, n=n, total_ns=n * ns, min_ns=ns, max_ns=ns,
                latency=histogram.pairs(),
            )
        )  # fmt: skip
    return Slice(node=node, turn=turn, at_s=0, seconds=seconds, cells=cells, health=HEALTH)


def test_the_beginning_names_what_runs_against_what():
    """Title and targets come first; markup in a title is text."""
    show = Show()
    show.progress.start()
    assert "A [bold]demo[/bold]" in show.text
    assert "rest → http://127.0.0.1:1, mcp → http://127.0.0.1:2/mcp" in show.text


def test_on_a_pipe_each_turn_is_one_line():
    """The log of a CI job gets plain lines: place, arm, rate, percentile, errors."""
    show = Show()
    show.progress.start()
    show.play(0, piece("rest", {OK: 100}, turn=0), busy_s=1.0)
    show.play(2, piece("rest", {OK: 300}), piece("rest", {OK: 199, TOOL_ERROR: 1}), busy_s=2.0)
    lines = show.end().splitlines()[3:]
    assert lines[0] == "warm-up  rest: 100 calls/s, p95 2.00 ms, 0 errors in 100 calls"
    assert lines[1] == "round 1 of 2  rest: 250 calls/s, p95 2.00 ms, 1 error in 500 calls"


def test_the_line_that_closes_a_round_shows_all_of_that_round():
    """Not its last second, in which the calls in flight have drained."""
    show = Show()
    fast = [piece("rest", {OK: 11_237}) for _ in range(4)]
    last = [piece("rest", {OK: 7599}, seconds=0.7), piece("rest", {TIMEOUT: 4}, ns=9 * MS)]
    show.play(2, *fast, *last, piece("rest", {}), busy_s=4.7)
    [line] = show.end().splitlines()
    assert "rest: 11 181 calls/s, p95 2.00 ms, 4 errors in 52 551 calls, 4 unanswered" in line


def test_a_round_of_seldom_calls_has_its_rate():
    """Hundreds of calls, but none in the last seconds: the rate counts the whole round."""
    show = Show()
    show.play(2, piece("rest", {OK: 300}), *[piece("rest", {}) for _ in range(4)])
    assert "rest: 60.0 calls/s, p95 2.00 ms, 0 errors in 300 calls" in show.end()


def test_two_nodes_of_a_round_are_added_up():
    """What both did over the mean time of their users, as in the report."""
    show = Show()
    show.see(started(show.turns[2]))
    for node, busy_s in (("one", 1.0), ("two", 2.0)):
        show.see(piece("rest", {OK: 100}, node=node))
        show.see(TurnEnded(turn=2, node=node, users=1, busy_s=busy_s, planned=1))
    assert "rest: 133 calls/s" in show.end()


def test_calls_that_could_not_be_made_are_in_no_rate():
    """They take no time, and would look like a very fast server, so they are counted apart."""
    show = Show()
    show.play(2, piece("rest", {OK: 10, HARNESS_ERROR: 5000}), busy_s=1.0)
    assert "2 000" not in show.picture()
    assert "5 000 harness_errors: calls that could not be made" in show.picture()
    assert (
        "rest: 10.0 calls/s, p95 2.00 ms, 0 errors in 10 calls, 5 000 harness_errors" in show.end()
    )


def test_failures_make_no_percentile_shorter():
    """Calls that were refused at once rank last, while a round goes on and when it is over."""
    show = Show()
    show.see(started(show.turns[2]))
    show.see(piece("rest", {OK: 99}, ns=20 * MS), piece("rest", {RATE_LIMITED: 1}, ns=1))
    assert show.progress._arms["rest"].p95_ms == pytest.approx(20, rel=0.01)
    show.see(piece("rest", {RATE_LIMITED: 9}, ns=1))
    assert show.progress._arms["rest"].p95_ms is None
    show.see(TurnEnded(turn=2, node="local", users=1, busy_s=1.0, planned=1))
    assert (
        "rest: 109 calls/s, p95 falls on a failed call (20.0 ms of those that were ok), "
        "10 errors in 109 calls, 10 rate_limited"
    ) in show.end()


def test_a_slow_rate_is_not_rounded_to_a_whole_number():
    """Half a call per second is not none; without a call that was ok there is no other time."""
    show = Show()
    show.play(2, piece("rest", {RATE_LIMITED: 2}), busy_s=4.0)
    assert "rest: 0.500 calls/s, p95 falls on a failed call, 2 errors in 2 calls" in show.end()


def test_an_arm_that_waits_for_its_turn_shows_its_last_round():
    """In the table, too, what is over is shown as a whole."""
    show = Show()
    show.play(2, piece("rest", {OK: 500}), piece("rest", {OK: 1}))
    show.see(started(show.turns[3]))
    row = next(line for line in show.picture().splitlines() if " rest " in line)
    assert row.split()[1] == "100"


def test_what_a_calibration_has_found_is_said_at_once():
    """Other notes wait for the report."""
    show = Show()
    show.see(Note(at_s=1, code="calibrated", text="Calibrated: 7 of at most 20 users."))
    show.see(Note(at_s=1, code="resources_shared", text="One process."))
    assert show.end().splitlines() == ["Calibrated: 7 of at most 20 users."]


@pytest.mark.parametrize(
    ("counts", "calls", "errors"),
    [
        ({OK: 5}, 5, 0),
        ({OK: 5, TIMEOUT: 2, TOOL_ERROR: 1}, 8, 3),
        ({OK: 5, INTERRUPTED: 2}, 5, 0),  # cut off by us: no answer, no error
    ],
)
def test_calls_and_errors_add_up(counts, calls, errors):
    """What the target answered for is counted, and its failures."""
    show = Show()
    show.play(2, piece("rest", counts))
    assert f"{errors} errors in {calls} calls" in show.end()
    unanswered = counts.get(INTERRUPTED, 0) + counts.get(TIMEOUT, 0)
    assert (f", {unanswered} unanswered" in show.text) is bool(unanswered)


def test_journeys_and_the_opening_of_sessions_are_no_calls():
    """Only calls of a turn move the numbers."""
    show = Show()
    show.play(
        2,
        piece("rest", {OK: 5}),
        piece("rest", {OK: 7}, kind="journey"),
        piece("rest", {OK: 9}, turn=SETUP),
    )
    assert "0 errors in 5 calls" in show.end()


def test_the_rate_of_a_turn_that_goes_on_is_that_of_the_last_seconds():
    """Old seconds drop out, a turn starts anew, and a sliver of a second does not inflate it."""
    show = Show()
    show.see(started(show.turns[2]))
    show.see(piece("rest", {OK: 9000}), *[piece("rest", {OK: 100}) for _ in range(3)])
    show.see(piece("rest", {OK: 50}, seconds=0.001))
    assert show.progress._arms["rest"].rate == 100
    assert show.progress._arms["rest"].calls == 9350
    show.see(started(show.turns[5]))
    assert show.progress._arms["rest"].rate == 0


def test_nodes_work_side_by_side():
    """Two workers of a hundred calls a second make two hundred."""
    show = Show()
    show.see(started(show.turns[2]))
    for _ in range(4):
        show.see(piece("rest", {OK: 100}, node="one"), piece("rest", {OK: 100}, node="two"))
    assert show.progress._arms["rest"].rate == 200


def test_the_table_shows_both_arms_and_where_the_run_is(monkeypatch):
    """The running arm is marked; below the bar are the round and the time that is left."""
    now = [100.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    show = Show()
    assert "opening sessions" in show.picture()
    show.play(0)
    show.play(1)
    show.play(2, piece("rest", {OK: 1234, TIMEOUT: 2}))
    show.see(started(show.turns[3]))
    now[0] += 2.0
    picture = show.picture()
    rows = {line.split()[0]: line for line in picture.splitlines() if line.strip()}
    assert "1 236" in rows["rest"]
    assert "1/2" in rows["rest"]
    assert "▶" in rows
    assert "mcp" in rows["▶"]
    assert "round 1 of 2" in picture
    assert "0:13 left" in picture  # 22 s in all: 7 before this turn, 2 of it


def test_a_turn_that_runs_over_does_not_count_twice(monkeypatch):
    """Draining takes longer than planned: the bar waits at the turn's end."""
    now = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    show = Show()
    show.play(0)
    show.play(1)
    show.see(started(show.turns[2]))
    now[0] += 60.0
    assert show.progress._done() == (7.0, "round 1 of 2")


def test_a_search_shows_the_rate_on_trial_and_the_most_that_is_left():
    """The number of trials is not known, so their time is shown as a bound."""
    show = Show(searching=True)
    show.play(0)
    show.play(1)
    show.play(2, piece("rest", {OK: 25}))
    picture = show.picture()
    assert "trial 1, 5.00/s offered" in picture
    assert "at most 2:00 left" in picture  # 2 s and twelve trials of 5 s each; 2 s are over
    assert "1/12" not in picture
    assert "trial 1, 5.00/s offered  rest: 5.00 calls/s" in show.end()


@pytest.mark.parametrize(
    ("planned_s", "calls"), [(10, ["1 000"]), (35, ["1 000", "2 000", "3 000", "3 500"])]
)
def test_a_long_turn_is_heard_of_every_ten_seconds(planned_s, calls):
    """On a pipe a turn of 10 s has one line, its last; one of 35 s has three more."""
    show = Show()
    show.see(msgspec.structs.replace(started(show.turns[2]), planned_s=float(planned_s)))
    for second in range(planned_s):
        show.see(msgspec.structs.replace(piece("rest", {OK: 100}), at_s=float(second)))
    assert [
        line.rpartition(" in ")[2].removesuffix(" calls") for line in show.end().splitlines()
    ] == calls


def test_a_terminal_gets_a_table_and_is_left_as_it_was():
    """On a terminal nothing is printed per turn, and the painter ends with the run."""
    show = Show(terminal=True)
    show.progress.start()
    painter = show.progress._painter
    show.play(2, piece("rest", {OK: 5}))
    gevent.sleep(0)
    show.progress.stop()
    show.progress.stop()
    assert painter.dead
    assert "▶" in show.text
    assert "calls/s, p95" not in show.text
    assert show.progress._live is None
