"""Waiting on the hub: woken by bytes, or ended in time, and never by anything else."""

import io
import socket

import gevent
import pytest

from mcp_perf.load.hub.waiting import PERIOD_S, Watchdog, in_a_thread

LATE_NS = 1 << 62


@pytest.fixture
def pair():
    """Return both ends of a socket. The first one does not block."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def now():
    """Return a clock that the test sets, in ns."""
    return [0]


@pytest.fixture
def watchdog(now):
    """Return a watchdog with this clock."""
    watchdog = Watchdog(lambda: now[0])
    yield watchdog
    watchdog.stop()


def test_the_first_byte_ends_a_wait(pair, watchdog):
    """It works again and again on one descriptor."""
    ours, theirs = pair
    readable = watchdog.wait_for(ours.fileno())
    for number in range(3):
        gevent.spawn_later(0.01, theirs.send, b"%d" % number)
        readable(LATE_NS)
        assert ours.recv(10) == b"%d" % number
    readable.close()


def test_a_wait_ends_when_its_time_is_over_and_not_before(pair, watchdog, now):
    """The clock of calls decides; the watchdog looks every 20 ms."""
    ours, _ = pair
    readable = watchdog.wait_for(ours.fileno())
    waiting = gevent.spawn(readable, 1_000)
    waiting.join(3 * PERIOD_S)
    assert not waiting.ready()
    now[0] = 1_000
    waiting.join(5)
    assert isinstance(waiting.exception, TimeoutError)
    assert readable.deadline_ns > LATE_NS  # a wait that is over is not ended again
    readable.close()


def test_a_wait_that_has_ended_meanwhile_is_left_alone(pair, watchdog):
    """A byte that comes in the same turn of the hub wins, and the next wait is not cut short."""
    ours, theirs = pair
    readable = watchdog.wait_for(ours.fileno())
    waiting = gevent.spawn(readable, 1_000)
    gevent.sleep(0)
    theirs.send(b"x")
    readable.expire(999)  # not yet due when the hub gets to it
    waiting.join(5)
    assert waiting.successful()
    readable.expire(1_000)
    gevent.sleep(0)
    readable.close()


def test_killing_a_greenlet_ends_its_wait(pair, watchdog):
    """The descriptor can be waited for again."""
    ours, theirs = pair
    readable = watchdog.wait_for(ours.fileno())
    waiting = gevent.spawn(readable, LATE_NS)
    gevent.sleep(0)
    waiting.kill()
    theirs.send(b"x")
    readable(LATE_NS)
    readable.close()
    assert readable not in watchdog.readables


def test_what_fails_in_a_thread_is_raised_and_not_printed():
    """Gevent prints the traceback of an exception in its pool, even if a greenlet waits for it."""
    printed = io.StringIO()
    hub = gevent.get_hub()
    before, hub.exception_stream = hub.exception_stream, printed

    def fail():
        raise ProcessLookupError("its processes have ended.")

    try:
        with pytest.raises(ProcessLookupError, match="have ended"):
            in_a_thread(fail)
        gevent.sleep(0.01)
    finally:
        hub.exception_stream = before
    assert printed.getvalue() == ""
    assert in_a_thread(lambda: 7) == 7
