"""When a target stopped answering, and when it answered again."""

import pytest

from mcp_perf.client.errors import NO_SESSION
from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.outcomes import HARNESS_ERROR, INTERRUPTED, OK, TIMEOUT, TRANSPORT_ERROR
from mcp_perf.results.journal.records import Health, Outage

IDLE = Health(cpu_s=0, wall_s=1)
REFUSED = "127.0.0.1:1: connection refused"


class Calls:
    """Calls of one arm, one after the other, in virtual time."""

    def __init__(self, arm="mcp"):
        self.ns = 0
        self.records = []
        self.recorder = Recorder("w1", self.records.extend, clock=lambda: self.ns)
        self.recorder.start()
        self.turn(arm)

    def turn(self, arm):
        """Begin an arm's turn."""
        self.arm = arm
        self.recorder.begin(1, arm)
        self.track = self.recorder.track(arm, "call", "tools/call work")

    def make(self, cls, at_s, took_s=0.0, detail=REFUSED):
        """Make a call that ends in a class."""
        reply = Reply(int(at_s * 1e9))
        self.ns = reply.end_ns = reply.start_ns + int(took_s * 1e9)
        if cls != OK:
            reply.fail(cls, detail)
        self.recorder.call(self.track, "one", cls, reply)

    def flush(self):
        """Flush, as the recorder does every second."""
        self.recorder.flush(IDLE)

    @property
    def outages(self):
        """Return the outages in the journal."""
        found = [record for record in self.records if isinstance(record, Outage)]
        return [(one.from_s, one.to_s, one.is_over, one.failures) for one in found]


@pytest.fixture
def calls():
    """Give calls of an arm whose first call was answered."""
    calls = Calls()
    calls.make(OK, 0.1)
    return calls


def test_a_target_that_refuses_and_comes_back(calls):
    """The outage lasts from the first failure to the last one before an answer."""
    for at_s in (3.0, 3.1, 3.3, 3.7, 4.5, 5.2):
        calls.make(TRANSPORT_ERROR, at_s)
    calls.flush()
    assert calls.outages == []  # it goes on
    calls.make(OK, 5.3)
    calls.flush()
    assert calls.outages == [(3.0, 5.2, True, 6)]
    assert next(r for r in calls.records if isinstance(r, Outage)).how == "refused connections"


def test_a_target_that_does_not_come_back_is_told_at_the_end_of_the_turn(calls):
    """It is recorded again when more is known, with the same beginning."""
    for at_s in (6.1, 6.1, 6.2, 6.4):
        calls.make(TRANSPORT_ERROR, at_s, detail="the connection was closed before a reply came")
    calls.recorder.end()
    calls.turn("rest")
    calls.make(OK, 7.0)
    calls.recorder.end()
    calls.turn("mcp")
    calls.make(TRANSPORT_ERROR, 8.0)
    calls.recorder.end()
    assert calls.outages == [(6.1, 6.4, False, 4), (6.1, 8.0, False, 5)]


def test_a_target_that_comes_back_in_a_later_turn(calls):
    """Answers to other arms in between do not end its outage."""
    for at_s in (6.1, 6.2, 6.4):
        calls.make(TRANSPORT_ERROR, at_s)
    calls.recorder.end()
    calls.turn("rest")
    calls.make(OK, 7.0)
    calls.flush()
    calls.recorder.end()
    calls.turn("mcp")
    calls.make(OK, 8.0)
    calls.flush()
    assert calls.outages == [(6.1, 6.4, False, 3), (6.1, 6.4, True, 3)]


def test_a_silent_target_stopped_when_its_first_call_was_sent(calls):
    """Calls that time out were sent to a target that was silent already."""
    calls.make(TIMEOUT, 6.1, 2.0, "no reply in time")
    calls.make(TIMEOUT, 6.1, 2.0, "no reply in time")
    calls.make(TIMEOUT, 8.1, 2.0, "no reply in time")
    calls.recorder.end()
    assert calls.outages == [(6.1, 10.1, False, 3)]
    assert next(r for r in calls.records if isinstance(r, Outage)).how == "gave no answer"


def test_calls_that_hang_at_once_are_no_outage(calls):
    """Nobody has tried again, so other calls may well be answered."""
    for _ in range(50):
        calls.make(TIMEOUT, 1.0, 2.0, "no reply in time")
    calls.recorder.end()
    calls.make(OK, 3.5)
    calls.flush()
    assert calls.outages == []


def test_who_waits_for_a_session_tells_of_no_outage(calls):
    """A full server lets these users wait, and serves the others."""
    for at_s in (1.0, 1.2, 3.0, 3.2):
        calls.make(TIMEOUT, at_s, 2.0, f"{NO_SESSION}: initialize: no reply in time")
    calls.recorder.end()
    assert calls.outages == []


@pytest.mark.parametrize("between", [OK, "tool_error", "http_error"])
def test_failures_among_answers_are_no_outage(calls, between):
    """An error is an answer, too."""
    for second in range(1, 20):
        calls.make(TRANSPORT_ERROR, second)
        calls.make(TRANSPORT_ERROR, second + 0.1)
        calls.make(between, second + 0.2)
    calls.recorder.end()
    assert calls.outages == []


def test_a_moment_is_no_outage(calls):
    """Three calls that fail within a tenth of a second are ordinary failures."""
    for at_s in (3.0, 3.05, 3.1):
        calls.make(TRANSPORT_ERROR, at_s)
    calls.make(OK, 3.2)
    calls.flush()
    assert calls.outages == []


def test_what_we_did_ourselves_is_no_answer(calls):
    """A call that was cut off or could not be built says nothing about the target."""
    calls.make(TRANSPORT_ERROR, 3.0)
    calls.make(INTERRUPTED, 3.1)
    calls.make(TRANSPORT_ERROR, 3.2)
    calls.make(HARNESS_ERROR, 3.3)
    calls.make(TRANSPORT_ERROR, 4.0)
    calls.make(OK, 4.1)
    calls.flush()
    assert calls.outages == [(3.0, 4.0, True, 3)]
