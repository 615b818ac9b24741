"""Bursts without a server: who begins when, what is counted, how it ends."""

import asyncio
import contextlib
import io
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from mcp_perf.client.channels.stdio import Command, StdioChannel
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.http.rest import RestClient
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.lifetime import close_session, open_session
from mcp_perf.client.mcp.streamable_http import HttpClient
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import Reply
from mcp_perf.load.steps import burst as burst_module
from mcp_perf.load.steps.burst import BurstStep, opens_by_steps, undecided, widest
from mcp_perf.load.steps.compile import compile_journeys
from mcp_perf.load.steps.journey import CompiledJourney, Walk
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.steps.step import CallContext, CompiledStep, Interrupted
from mcp_perf.load.targets.clients import SharedSession, for_bursts
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.outcomes import HARNESS_ERROR, INTERRUPTED, OK, TIMEOUT, TOOL_ERROR
from mcp_perf.results.journal.records import Health, Slice
from mcp_perf.scenario.loader import load_text
from mcp_perf.scenario.values.generators import compile_generators

ENDPOINT = Endpoint.of("http://127.0.0.1:1/mcp")


class Called(CompiledStep):
    """A call that waits until all calls of its burst have begun, and ends as the test wants."""

    def __init__(self, user, outcome=OK, *, goes_on=False, hangs=False):
        super().__init__(track=user.recorder.track("a", "call", "tools/call x"), goes_on=goes_on)
        self._user = user
        self._outcome = outcome
        self._hangs = hangs

    def call(self, context):
        """Begin, wait for the others, end."""
        user = self._user
        user.begun.append((context, context.journey, context.intended_ns))
        if len(user.begun) == user.width:
            user.all_begun.set()
        assert user.all_begun.wait(5), "the calls do not begin at once"
        if self._hangs:
            Event().wait(60)
        context.values[f"saved{len(context.values)}"] = self._outcome
        reply = Reply(user.sent_ns)
        reply.end_ns = user.sent_ns + 1000
        return reply.fail(self._outcome, "told") if self._outcome != OK else reply, self._outcome


class User:
    """A context with as many contexts for calls at once as a burst has."""

    def __init__(self, width=3):
        self.width = width
        self.sent_ns = 5_000
        self.begun = []
        self.all_begun = Event()
        self.records = []
        self.recorder = Recorder("local", self.records.extend)
        self.context, *self.context.parallel = [self._context() for _ in range(1 + width)]

    def _context(self):
        return CallContext("a", RestClient(ENDPOINT), self.recorder, lambda **_event: None, "j")

    def counted(self):
        """Return kind and class -> number, and the total latency of calls."""
        self.recorder.flush(Health(cpu_s=0, wall_s=0))
        cells = [cell for r in self.records if isinstance(r, Slice) for cell in r.cells]
        return {(cell.kind, cell.cls): (cell.n, cell.total_ns) for cell in cells}

    def walk(self, *steps):
        """Return a walk of one journey of these steps."""
        track = self.recorder.track("a", "journey", "j")
        generators = compile_generators({}, seed=1, env={}, base=Path())
        journey = CompiledJourney("j", 1.0, generators, {"a": steps}, {"a": track})
        return Walk([journey], self.context, {}, user=0, seed=1, counter=lambda: 1)


def test_all_calls_begin_before_any_ends():
    """Each has its own context; what they save is in the journey's values afterwards."""
    user = User()
    assert BurstStep([Called(user) for _ in range(3)]).run(user.context) == OK
    assert [id(context) for context, _, _ in user.begun] == [
        id(context) for context in user.context.parallel
    ]
    assert {journey for _, journey, _ in user.begun} == {"j"}
    assert len(user.context.values) == 3
    assert user.counted() == {("call", OK): (3, 3000)}


def test_a_burst_ends_in_the_class_of_its_first_call_that_failed():
    """The order of the list counts, whichever ended first."""
    user = User()
    steps = [Called(user), Called(user, TIMEOUT), Called(user, TOOL_ERROR)]
    assert BurstStep(steps).run(user.context) == TIMEOUT
    assert {key: n for key, (n, _) in user.counted().items()} == {
        ("call", OK): 1,
        ("call", TIMEOUT): 1,
        ("call", TOOL_ERROR): 1,
    }


@pytest.mark.parametrize(
    ("goes_on", "after"),
    [((True, True), 1), ((True, False), 0), ((False, True), 0)],
)
def test_a_failed_call_ends_the_journey_after_the_burst_unless_it_says_continue(goes_on, after):
    """All calls of the burst are made in any case, and the journey has failed."""
    user = User(2)
    first, second = goes_on
    burst = BurstStep(
        [Called(user, TIMEOUT, goes_on=first), Called(user, TOOL_ERROR, goes_on=second)]
    )
    last = Called(user)
    walk = user.walk(burst, last)
    walk.journey()
    assert len(user.begun) == 2 + after
    counted = user.counted()
    assert (counted[("journey", TIMEOUT)][0], user.context.ends) == (1, False)


def test_calls_cut_off_in_a_burst_are_counted_and_none_is_left():
    """At the end of a round all of them end, each as interrupted, and so does the journey."""
    user = User()
    walk = user.walk(BurstStep([Called(user, hangs=n > 0) for n in range(3)]))
    walking = gevent.spawn(walk.journey)
    assert user.all_begun.wait(5)
    gevent.sleep(0)
    walking.kill(Interrupted)
    assert isinstance(walking.exception, Interrupted)
    counted = {key: n for key, (n, _) in user.counted().items()}
    assert counted == {("call", OK): 1, ("call", INTERRUPTED): 2, ("journey", INTERRUPTED): 1}


class Waited:
    """A call that ends at a time of the test's clock; its user waited at the end."""

    goes_on = False

    def __init__(self, clock, end_ns, waited_ns=0):
        self._clock, self._end_ns, self._waited_ns = clock, end_ns, waited_ns

    def run(self, context):
        """End."""
        self._clock.append(self._end_ns)
        context.waited_ns += self._waited_ns
        return OK


@pytest.mark.parametrize(
    ("calls", "left_out_ns"),
    [
        ([(50, 0), (90, 0)], 0),
        ([(50, 0), (90, 60)], 40),  # the other call took until 50
        ([(80, 70), (90, 60)], 60),  # both calls were done at 30
        ([(50, 40), (90, 0)], 0),  # waited while the other was still at work
    ],
)
def test_of_a_burst_is_left_out_what_its_users_waits_took_beyond_its_last_call(
    calls, left_out_ns, monkeypatch
):
    """A journey's time leaves its waits out, but they do not stop the other calls."""
    user, clock = User(2), []
    monkeypatch.setattr(burst_module.time, "perf_counter_ns", lambda: clock[-1])
    for _ in range(2):  # the second burst starts from nothing
        user.context.waited_ns = 7
        BurstStep([Waited(clock, *call) for call in calls]).run(user.context)
        assert user.context.waited_ns == 7 + left_out_ns


class Died(CompiledStep):
    """A call that ends with an exception that no call raises."""

    def call(self, _context):
        """Die."""
        raise BaseExceptionGroup("a", [asyncio.CancelledError()])


def test_a_call_that_dies_in_a_burst_is_our_fault_and_the_user_goes_on():
    """Its greenlet has no class to return, but the journey ends in one."""
    user = User(1)
    died = Died(track=user.recorder.track("a", "call", "tools/call y"), goes_on=True)
    walk = user.walk(BurstStep([died, Called(user)]))
    user.context.parallel.append(user._context())
    with contextlib.redirect_stderr(io.StringIO()):  # gevent writes what a greenlet died of
        walk.journey()
    assert user.counted()[("journey", HARNESS_ERROR)][0] == 1


def test_in_an_open_load_each_call_of_a_first_burst_keeps_the_arrival():
    """Its latency runs from when the journey was to begin; later calls are due when they begin."""
    user = User(2)
    user.context.intended_ns = 3_000
    BurstStep([Called(user), Called(user)]).run(user.context)
    assert [intended for _, _, intended in user.begun] == [3_000, 3_000]
    assert user.context.intended_ns == 0
    assert user.counted() == {("call", OK): (2, 2 * (2_000 + 1_000))}


def test_what_has_a_connection_gets_one_for_each_call():
    """They share one client if they share a session; plain HTTP has a client for each call."""
    mcp = HttpClient(ENDPOINT)
    assert [one is mcp for one in for_bursts(mcp, 3)] == [True, True, True]
    assert len(mcp.pool.connections) == 3
    rest = RestClient(ENDPOINT)
    assert [one is rest for one in for_bursts(rest, 3)] == [True, False, False]
    session = SharedSession(SessionClient(StdioChannel(Command(("x",)))))
    assert [one is session for one in for_bursts(session, 3)] == [True, True, True]
    assert [len(for_bursts(one, 0)) for one in (mcp, rest, session)] == [0, 0, 0]


class Client(RestClient):
    """Counts how it is used."""

    def __init__(self):
        super().__init__(ENDPOINT)
        self.log = []

    def ready(self):
        """Count."""
        self.log.append("ready")

    def close(self):
        """Count."""
        self.log.append("close")


def test_every_connection_is_made_ready_and_closed_once():
    """A context that shares the client is not asked twice."""
    own, other = Client(), Client()
    context, first, second = (CallContext("a", c, None, None) for c in (own, own, other))
    context.parallel = [first, second]
    context.ready()
    context.close()
    assert own.log == other.log == ["ready", "close"]
    context.opens = False  # if steps open it, there is nothing to check before a round
    context.ready()
    assert own.log == other.log == ["ready", "close"]


BURSTS = """\
name: demo
title: A demo
arms:
  mcp: {mcp: "http://127.0.0.1:2/mcp"}
  plain: {mcp: "http://127.0.0.1:2/mcp"}
journeys:
  first:
    answers: {roots: ["file:///a"]}
    plain: [{call: echo}]
    mcp:
      - open: true
      - parallel:
          - {call: echo, progress: true, answers: {sampling: {text: hm}}}
          - {call: echo, progress: true, on_error: continue, ANSWERS}
      - {close: true, on_error: continue}
"""


def loaded(answers="answers: {elicitation: {action: decline}}"):
    """Load a scenario with a burst."""
    return load_text(BURSTS.replace("ANSWERS", answers), "demo.yaml", Path(), environ={})


def target(url="http://127.0.0.1:2/mcp", version="2025-11-25", arm="mcp"):
    """Return a target that nobody reaches."""
    return ArmTarget(arm, "mcp", url, ENDPOINT, {}, version, {"echo": Tool("echo", {})})


def test_a_burst_and_its_session_are_compiled():
    """Its calls are steps like any other; those with progress ask for it."""
    scenario = loaded()
    targets = {"mcp": target(), "plain": target(arm="plain")}
    journeys = compile_journeys(scenario, targets, Recorder("local", lambda _records: None))
    first, burst, last = journeys[0].steps["mcp"]
    assert (first.act, last.act) == (open_session, close_session)
    assert [first.track.name, last.track.name] == ["open session", "close session"]
    assert [step.goes_on for step in (first, last, *burst.steps)] == [False, True, False, True]
    assert [step._step.prepared.progress for step in burst.steps] == [True, True]
    assert (widest(scenario.scenario, "mcp"), widest(scenario.scenario, "plain")) == (2, 0)
    assert opens_by_steps(scenario.scenario, "mcp")
    assert not opens_by_steps(scenario.scenario, "plain")


@pytest.mark.parametrize(
    ("url", "shared"), [("http://127.0.0.1:2/mcp", False), ("stdio:server", True)]
)
def test_on_one_channel_calls_at_once_share_their_answers(url, shared):
    """A question on a channel fits any call; over HTTP it comes with its call, which answers it."""
    targets = {"mcp": target(url), "plain": target(arm="plain")}
    journeys = compile_journeys(loaded(), targets, Recorder("local", lambda _records: None))
    _, burst, _ = journeys[0].steps["mcp"]
    given = [step._step.prepared.answers for step in burst.steps]
    assert [answers.elicitation is not None for answers in given] == [shared, True]
    assert [answers.sampling is not None for answers in given] == [True, shared]
    assert [answers.roots is not None for answers in given] == [True, True]


@pytest.mark.parametrize(
    ("answers", "url", "version", "problem"),
    [
        ("answers: {sampling: {text: nay}}", "stdio:server", "2025-11-25", True),
        ("answers: {roots: []}", "stdio:server", "2025-11-25", True),
        ("answers: {sampling: {text: hm}}", "stdio:server", "2025-11-25", False),
        ("answers: {sampling: {text: nay}}", "stdio:server", "2026-07-28", False),
        ("answers: {sampling: {text: nay}}", "http://127.0.0.1:2/mcp", "2025-11-25", False),
    ],
)
def test_answers_that_cannot_be_told_apart_are_refused(answers, url, version, problem):
    """They are refused only if a question does not say its call, and the answers differ."""
    lines = undecided(loaded(answers), {"mcp": target(url, version)})
    assert len(lines) == problem
    assert all("journey first, arm mcp: calls of one burst" in line for line in lines)
