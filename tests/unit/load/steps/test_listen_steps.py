"""Steps that listen: what counts as a call, and from when a notification's time runs."""

import contextlib
from pathlib import Path

import pytest

from mcp_perf.client.protocol.subscriptions import Wanted
from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.journey import CompiledJourney, Walk
from mcp_perf.load.steps.listen import AwaitStep, ChangeStep, ListenStep, changes
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.steps.step import CallContext, Interrupted
from mcp_perf.scenario.loader import load_text
from mcp_perf.scenario.values.generators import compile_generators
from mcp_perf.scenario.values.templates import compile_template

FILE = """
name: demo
title: Demo
arms: {{mcp: {{mcp: "http://127.0.0.1:1/mcp"}}}}
journeys:
  first:
    steps: [{steps}]
"""
STEPS = {
    "listen": "{listen: tools}",
    "subscribe": "{subscribe: 'a:b'}",
    "call": "{call: touch}",
    "burst": "{parallel: [{call: touch}, {call: touch}]}",
    "wait": "{wait: 1s}",
    "await": "{await: {notification: resources/updated}}",
}


class Client:
    """A client that keeps what it is asked, and answers as the test wants."""

    def __init__(self):
        self.listening = self
        self.asked = []
        self.hears = False
        self.reply: Reply | None = Reply(5)

    def listen(self, wanted, timeout_s=None):
        """Note what is wanted."""
        self.asked.append(("listen", wanted, timeout_s))
        return self.reply

    def awaited(self, method, uri="", since_ns=0, timeout_s=None):
        """Note what is awaited."""
        self.asked.append(("await", method, uri, since_ns, timeout_s))
        return self.reply

    def unlisten(self):
        """Note the end."""
        self.asked.append(("unlisten",))


@pytest.fixture
def context():
    """Return a user's context whose calls are counted."""
    recorder = Recorder("local", lambda _records: None)
    context = CallContext("mcp", Client(), recorder, lambda **_: None)
    context.values = {"who": "Ada"}
    return context


def step(context, kind, **settings):
    """Compile a step."""
    track = context.recorder.track("mcp", "call", "step")
    return kind(track=track, timeout_s=1.5, goes_on=False, **settings)


@pytest.mark.parametrize(
    ("order", "brought"),
    [
        ("subscribe call await", {2: 1}),
        ("subscribe call wait await", {3: 1}),
        ("subscribe call call await", {3: 2}),
        ("subscribe call await await", {2: 1, 3: 1}),
        ("subscribe burst await", {2: 1}),
        ("subscribe await", {}),
        ("call subscribe await", {}),
        ("call listen subscribe await call await", {5: 4}),
    ],
)
def test_a_change_is_the_last_call_before_the_await(order, brought):
    """The user must have listened by then; an earlier change cannot be attributed."""
    names = order.split()
    text = FILE.format(steps=", ".join(STEPS[name] for name in names))
    scenario = load_text(text, "demo.yaml", Path(), environ={}).scenario
    assert changes(scenario.journeys["first"].of("mcp")) == brought


def test_asking_is_a_call(context):
    """It has the resource filled in, and the step's own timeout."""
    uri = compile_template("a://${who}")
    assert step(context, ListenStep, lists=("tools",), uri=uri).run(context) == "ok"
    assert context.client.asked == [("listen", Wanted(("tools",), "a://Ada"), 1.5)]
    assert (context.listens, context.recorder.calls) == (context.client.listening, 1)


def test_nothing_is_counted_where_nothing_is_sent(context):
    """If the session's stream brings changes of lists anyway, listening costs no call."""
    context.client.hears = True
    assert step(context, ListenStep, lists=("tools",), uri=None).run(context) == "ok"
    assert (context.listens, context.recorder.calls, len(context.client.asked)) == (
        context.client,
        0,
        1,
    )


def test_a_subscription_that_is_refused_is_a_failed_call(context):
    """It has the class that the client returns."""
    context.client.reply.fail("rpc_error", "-32601")
    assert step(context, ListenStep, lists=("tools",), uri=None).run(context) == "rpc_error"


@pytest.mark.parametrize("after_change", [True, False])
def test_the_time_of_a_notification_runs_from_the_change(context, after_change):
    """It starts with the step that makes the change, or with the wait if there is no such step."""
    settings = {"uri": compile_template("a://${who}"), "after_change": after_change}
    awaiting = step(context, AwaitStep, method="notifications/x", **settings)
    listening = step(context, ListenStep, lists=("tools",), uri=None)
    changing = ChangeStep(listening)
    assert (changing.run(context), awaiting.run(context)) == ("ok", "ok")
    since_ns = context.client.asked[-1][3]
    assert context.client.asked[-1] == ("await", "notifications/x", "a://Ada", since_ns, 1.5)
    assert (since_ns == context.changed_ns > 0) == after_change
    assert changing.goes_on == listening.goes_on


def test_what_a_journey_listened_for_ends_with_it(context):
    """It ends once."""
    step(context, ListenStep, lists=("tools",), uri=None).run(context)
    context.unlisten()
    assert (context.listens, context.client.asked[-1]) == (None, ("unlisten",))


class Listens:
    """A step that has listened, and ends as the test wants."""

    goes_on = False

    def __init__(self, outcome):
        self._outcome = outcome

    def run(self, context):
        """End."""
        context.listens = context.client.listening
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


@pytest.mark.parametrize("outcome", ["ok", "timeout", Interrupted()])
def test_however_a_journey_ends_it_listens_no_longer(context, outcome):
    """Journeys that failed or were cut off stop listening, too."""
    recorder = context.recorder
    generators = compile_generators({}, seed=1, env={}, base=Path())
    tracks = {"mcp": recorder.track("mcp", "journey", "watch")}
    journey = CompiledJourney("watch", 1.0, generators, {"mcp": [Listens(outcome)]}, tracks)
    walk = Walk([journey], context, {}, user=1, seed=1, counter=lambda: 1)
    with contextlib.suppress(Interrupted):
        walk.journey()
    assert (context.listens, context.client.asked) == (None, [("unlisten",)])
