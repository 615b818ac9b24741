"""The alarm: real moments, judged against gevent's own sleep in the same test."""

import time

import gevent

from mcp_perf.load.hub import alarm as alarm_module
from mcp_perf.load.hub.alarm import Alarm

MS = 1_000_000


def lateness(wait_until, rounds=40):
    """Return the median of how late a wait of 1.3 ms ends, in ns."""
    found = []
    for _ in range(rounds):
        due_ns = time.perf_counter_ns() + 1_300_000
        wait_until(due_ns)
        found.append(time.perf_counter_ns() - due_ns)
    return sorted(found)[rounds // 2]


def test_it_never_wakes_early_and_is_finer_than_gevents_sleep():
    """A journey never begins before its time, and hardly after it."""
    alarm = Alarm()
    ours = lateness(alarm.wait_until)
    theirs = lateness(lambda due: gevent.sleep((due - time.perf_counter_ns()) / 1e9))
    alarm.close()
    assert 0 <= ours < theirs


def test_a_moment_that_has_passed_does_not_cost_a_wait():
    """A greenlet that is late catches up at once."""
    alarm = Alarm()
    switched = []
    gevent.spawn(switched.append, True)
    alarm.wait_until(time.perf_counter_ns() - MS)
    assert not switched
    alarm.close()
    alarm.close()  # a second close does no harm


def test_without_a_timerfd_it_uses_gevents_sleep(monkeypatch):
    """On systems other than Linux, an arrival may come a millisecond late, but it comes."""
    monkeypatch.setattr(alarm_module.sys, "platform", "darwin")
    alarm = Alarm()
    due_ns = time.perf_counter_ns() + MS
    alarm.wait_until(due_ns)
    assert time.perf_counter_ns() >= due_ns - MS // 10
    alarm.close()


def test_other_greenlets_run_while_it_waits():
    """Waiting for an arrival does not hold up other greenlets."""
    alarm = Alarm()
    seen = []
    gevent.spawn(seen.append, "other")
    alarm.wait_until(time.perf_counter_ns() + 5 * MS)
    assert seen == ["other"]
    alarm.close()
