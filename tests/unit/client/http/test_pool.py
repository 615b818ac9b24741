"""Which connection of a client carries the next call if streams have not ended."""

import time

import pytest

from mcp_perf.client.http import pool as module
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.http.http1 import ResponseReader
from mcp_perf.client.http.pool import Pool
from mcp_perf.client.http.states import CLOSED, EVENTS


class Streaming:
    """A connection whose stream has brought the reply, and ends when the test says so."""

    def __init__(self, *_made_with) -> None:
        self.reader = ResponseReader()
        self.reader.state = EVENTS
        self.looks = []
        """Whether others could have taken it while it was looked at."""
        self.ended = False

    def has_ended(self, _within_s: float) -> bool:
        """Look, as a pool does."""
        self.looks.append(self in self.pool.free)
        return self.ended

    def close(self) -> None:
        """Give the stream up."""
        self.reader.state = CLOSED


@pytest.fixture
def pool(monkeypatch):
    """Return a pool of such connections."""
    monkeypatch.setattr(module, "Connection", Streaming)
    made = Pool(Endpoint.of("http://127.0.0.1:1/mcp").origin, time.perf_counter_ns)
    monkeypatch.setattr(Streaming, "pool", made, raising=False)
    return made


def use(pool: Pool, times: int) -> list:
    """Make this many calls, one after the other; return the connections that they took."""
    taken = []
    for _ in range(times):
        with pool.one() as connection:
            taken.append(connection)
    return taken


def test_of_too_many_streams_that_do_not_end_the_oldest_is_given_up(pool, monkeypatch):
    """It is given up at once: no call waits for its end."""
    monkeypatch.setattr(module, "_MOST_LEFT", 3)
    first, *others = use(pool, 3)
    taken = pool.take()
    assert (taken, taken.reader.state) == (first, CLOSED)
    assert pool.free == others
    assert {one.reader.state for one in others} == {EVENTS}


def test_a_stream_that_has_ended_is_used_again(pool):
    """The other connections keep their places."""
    first, second, third = use(pool, 3)
    second.ended = True
    assert use(pool, 2) == [second, second]
    assert {first, third} < {*pool.free}


def test_nobody_else_gets_a_connection_that_is_looked_at(pool):
    """Two calls on one connection would read each other's replies."""
    connections = use(pool, 4)
    assert not any(look for one in connections for look in one.looks)


def test_a_connection_more_is_opened_where_others_take_the_last_one(pool, monkeypatch):
    """So it is even if they take it while this call looks for one."""
    first, second = use(pool, 2)

    def taken(_within_s: float) -> bool:
        pool.free.clear()
        return False

    monkeypatch.setattr(second, "has_ended", taken)
    assert pool.take() not in (first, second)
