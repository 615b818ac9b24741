"""Promises 1 to 3 and 18: latency from the intended start, drops counted, late starts reported.

A server that freezes, in virtual time: nothing here waits.
"""

import contextlib
import heapq
import random
from functools import partial
from itertools import count, takewhile
from pathlib import Path

import gevent
import pytest
from gevent.event import Event
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_perf.client.reply import Reply
from mcp_perf.load.engine.turn_gate import TurnGate
from mcp_perf.load.hub.dispatch import Dispatcher
from mcp_perf.load.hub.neighbours import Neighbours, meeting_point
from mcp_perf.load.plan.arrivals import arrivals
from mcp_perf.load.plan.schedule import Turn, share_of
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.outcomes import OK
from mcp_perf.results.journal.records import Health, RunEnded, TurnEnded, TurnStarted
from mcp_perf.results.report.build import build
from tests.support.virtual_run import Round, journal, started

MS = 1_000_000
SECOND = 1_000_000_000


def served(asked_ns):
    """Return when a server answers: calls take 1 ms, in turn, and it is frozen from 5 s to 7 s."""
    begin_ns = 7 * SECOND if 5 * SECOND <= asked_ns < 7 * SECOND else asked_ns
    end_ns = begin_ns + MS
    return end_ns + 2 * SECOND if begin_ns < 5 * SECOND < end_ns else end_ns


def recorded(calls):
    """Pass calls (intended or None, sent, ended; ns) through recorder, journal and report."""
    records = [started(["mcp"], load={"model": "open"})]
    records.append(TurnStarted(turn=0, arm="mcp", phase="round", round=1, at_s=0, planned_s=10))
    recorder = Recorder("local", records.extend, lambda: 0)
    recorder.start()
    recorder.turn = 0
    track, journeys = recorder.track("mcp", "call", "ask"), recorder.track("mcp", "journey", "j")
    for intended_ns, sent_ns, ended_ns in calls:
        reply = Reply(sent_ns)
        reply.end_ns = ended_ns
        lag_ns = None if intended_ns is None else sent_ns - intended_ns
        recorder.call(track, "j", OK, reply, lag_ns)
        recorder.journey(journeys, OK, ended_ns - sent_ns, lag_ns)
    recorder.flush(Health(cpu_s=0.1, wall_s=10.0))
    records.append(TurnEnded(turn=0, node="local", users=1, busy_s=10.0, planned=len(calls)))
    records.append(RunEnded(at_s=10.0, reason="finished"))
    return build(records).arms["mcp"]


def milliseconds(latency):
    """Return the numbers of a latency, for comparison to the millisecond."""
    names = ("p50", "p90", "p95", "p99", "p99_9", "max")
    return pytest.approx([getattr(latency, name) for name in names], abs=0.999)


def open_plan():
    """Return the calls of 100/s for 10 s to that server, which has a queue."""
    calls, free_ns = [], 0
    for intended_ns in arrivals(100, 10, poisson=False, seed=""):
        sent_ns = max(intended_ns, free_ns)
        free_ns = served(sent_ns)
        calls.append((intended_ns, sent_ns, free_ns))
    return calls


def closed_loop():
    """Return the calls of one user, paced to 10 ms, who does not catch up."""
    calls, sent_ns = [], 0
    while sent_ns < 10 * SECOND:
        ended_ns = served(sent_ns)
        calls.append((None, sent_ns, ended_ns))
        sent_ns = max(sent_ns + 10 * MS, ended_ns)
    return calls


def test_promise_01_the_freeze_is_seen_from_the_intended_start_to_the_millisecond():
    """Two seconds of silence at 100/s delay 200 calls, and the percentiles say by how much."""
    arm = recorded(open_plan())
    assert arm.calls == 1000
    assert milliseconds(arm.latency_ms) == [1, 1101, 1551, 1911, 1992, 2001]
    assert arm.journey_ms == arm.latency_ms


def test_promise_01_service_time_is_kept_beside_it():
    """Measured from the actual send, the same run looks perfect except for one call."""
    arm = recorded(open_plan())
    assert milliseconds(arm.service_ms) == [1, 1, 1, 1, 1, 2001]


def test_promise_02_a_closed_loop_is_never_corrected_silently():
    """One user saw one slow call, and the report has exactly that: 801 samples, not 1000."""
    arm = recorded(closed_loop())
    assert arm.calls == 801
    assert milliseconds(arm.latency_ms) == [1, 1, 1, 1, 2001, 2001]
    assert arm.service_ms is None  # the same


class World:
    """Virtual time for gates: journeys and waits end only when the clock moves."""

    def __init__(self, journey_s, *, random_times=False):
        self.ns = SECOND
        self.journey_s = journey_s
        self.random_times = random_times
        """Whether only the mean is `journey_s`; a journey's time depends on when it begins."""
        self.due: list[tuple[int, bool, int, Event]] = []
        self.lags: list[int] = []
        self.oversleep_ns = 0
        """How late each wait ends, as in a generator that is kept from running."""
        self._order = count()

    def clock(self):
        """Return the time."""
        return self.ns

    def wait_until(self, at_ns):
        """Sleep until then; journeys that end at the same moment end first."""
        self._wait(at_ns + self.oversleep_ns, True)

    def close(self):
        """Do nothing."""

    def journey(self, intended_ns):
        """Walk one journey."""
        self.lags.append(self.ns - intended_ns)
        draw = random.Random(intended_ns).expovariate
        takes_s = draw(1 / self.journey_s) if self.random_times else self.journey_s
        self._wait(self.ns + int(takes_s * SECOND), False)

    def go_on(self):
        """Move the clock until nothing is left to wait for."""
        self._settle()
        while self.due:
            self.ns, *_, ended = heapq.heappop(self.due)
            ended.set()
            self._settle()

    def _wait(self, at_ns, sleeping):
        ended = Event()
        heapq.heappush(self.due, (max(at_ns, self.ns), sleeping, next(self._order), ended))
        ended.wait()

    def _settle(self):
        for _ in range(3):
            gevent.idle()  # messages between processes have to arrive, too


def run_turn(
    world, rate, seconds, users, *, poisson=False, seed="1", dropped=lambda _lag_ns: None, nodes=1
):
    """Run one open turn in virtual time, in `nodes` processes; return what it planned, dropped."""
    turn = Turn(0, "mcp", "round", 1, seconds, users, rate)
    with contextlib.ExitStack() as held, gevent.Timeout(20):
        folder = Path(held.enter_context(meeting_point(nodes)))
        meeting = [Neighbours(folder, node, nodes) for node in range(nodes if nodes > 1 else 0)]
        gates, greenlets = [], []
        for node, neighbours in enumerate(meeting or [None]):
            gate = TurnGate(
                world.clock,
                dispatch=partial(
                    Dispatcher,
                    clock=world.clock,
                    alarm=world,
                    on_drop=dropped,
                    neighbours=neighbours,
                ),
            )
            greenlets += [
                gevent.spawn(gate.take_part, lambda _arm: world.journey, {}, number)
                for number in range(share_of(users, node, nodes))
            ]
            gates.append(gate)
        gevent.sleep(0)
        opened = []
        for node, gate in enumerate(gates):
            plan = arrivals(
                rate, seconds, poisson=poisson, seed=seed, users=users, node=node, nodes=nodes
            )
            opened.append(gate.open(turn, plan))
            greenlets += [gevent.spawn(ring, world, gate, opened[-1].end_ns)]
        world.go_on()
        gevent.joinall(greenlets)
        for neighbours in meeting:
            neighbours.close()
    dispatchers = [one.dispatcher for one in opened]
    return sum(one.planned for one in dispatchers), sum(one.dropped for one in dispatchers)


def ring(world, gate, end_ns):
    """End a turn."""
    world.wait_until(end_ns)
    gate.close()


@pytest.mark.parametrize(
    ("rate", "journey_s", "users", "planned", "dropped"),
    [
        (10, 0.05, 1, 100, 0),
        (10, 1.0, 10, 100, 0),  # just enough: the tenth ends as the next one comes
        (10, 1.0, 9, 100, 10),
        (10, 1.0, 2, 100, 80),
        (50, 1.0, 2, 500, 480),
    ],
)
def test_promise_03_an_arrival_that_finds_nobody_free_is_dropped_and_counted(
    rate, journey_s, users, planned, dropped
):
    """With at most n in flight and a second each, n per second are served and the rest dropped."""
    world = World(journey_s)
    assert run_turn(world, rate, 10, users) == (planned, dropped)
    assert len(world.lags) == planned - dropped
    assert set(world.lags) <= {0}


@settings(deadline=None, max_examples=40)
@given(st.floats(1, 80), st.floats(0.001, 0.5), st.integers(1, 8), st.booleans())
def test_promise_03_planned_is_started_plus_dropped(rate, journey_s, users, poisson):
    """No arrival is lost and none is invented, whatever the target does."""
    world = World(journey_s)
    planned, dropped = run_turn(world, rate, 2, users, poisson=poisson)
    plan = list(arrivals(rate, 2, poisson=poisson, seed="1"))
    assert planned == len(plan) == len(world.lags) + dropped


@pytest.mark.parametrize("seed", "abc")
@pytest.mark.parametrize("poisson", [False, True])
def test_promise_03_three_processes_drop_what_one_would_drop(seed, poisson):
    """`max_in_flight` is one number for the run, even if journeys take random times."""
    one, three = World(0.5, random_times=True), World(0.5, random_times=True)
    found = run_turn(one, 22, 10, 8, poisson=poisson, seed=seed)
    assert 20 < found[1] < 120
    assert run_turn(three, 22, 10, 8, poisson=poisson, seed=seed, nodes=3) == found
    assert set(three.lags) == {0}


def test_promise_18_a_generator_that_comes_late_says_by_how_much():
    """Late starts are measured, not hidden: here every one is 20 ms late."""
    world = World(0.001)
    world.oversleep_ns = 20 * MS
    run_turn(world, 10, 2, 3)
    assert len(world.lags) == 20
    assert all(lag == 20 * MS for lag in world.lags[1:])


def test_promise_18_an_arrival_that_is_seen_late_and_dropped_counts_as_late():
    """A generator that was stopped finds nobody free when it resumes: not the target's fault."""
    world = World(100)
    world.oversleep_ns = 20 * MS
    seen = []
    assert run_turn(world, 10, 2, 1, dropped=seen.append) == (20, 19)
    assert seen == [20 * MS] * 19
    records = []
    recorder = Recorder("local", records.extend, lambda: 0, late_ns=5 * MS)
    for lag_ns in (0, *seen):
        recorder.dropped(lag_ns)
    recorder.flush(Health(cpu_s=0, wall_s=1))
    assert (records[0].health.starts, records[0].health.late_starts) == (20, 19)


def late_run(late, starts):
    """Return the report of a run with this many late starts."""
    health = Health(cpu_s=0.3, wall_s=1.0, lag=[10_000, 20], starts=starts, late_starts=late)
    return build(journal({"mcp": [Round()]}, health=health))


@pytest.mark.parametrize(
    ("late", "verdict", "code"), [(0, "PASS", 0), (10, "PASS", 0), (11, "INVALID", 91)]
)
def test_promise_18_more_than_one_percent_of_late_starts_is_invalid(late, verdict, code):
    """The plan was not kept, so the run shows nothing about the target; it says what to do."""
    report = late_run(late, 1000)
    assert (report.verdict, report.exit_code) == (verdict, code)
    assert report.generator.late_starts == late
    if late > 10:
        assert "saw 1.1 % of the arrivals late" in report.reasons[0].text
        assert "--processes" in report.reasons[0].text


def test_promise_18_the_recorder_counts_starts_and_those_beyond_the_limit():
    """A start at exactly the limit is in time; one nanosecond later is late."""
    records = []
    recorder = Recorder("local", records.extend, lambda: 0, late_ns=5 * MS)
    track = recorder.track("mcp", "start", "j")
    for lag_ns in (0, 5 * MS, 5 * MS + 1, SECOND):
        recorder.started(track, lag_ns)
    recorder.flush(Health(cpu_s=0, wall_s=1))
    health = records[0].health
    assert (health.starts, health.late_starts) == (4, 2)
    assert next(takewhile(lambda cell: cell.kind == "start", records[0].cells)).n == 4
