"""How many sessions are open: counted at the clients, at the right moments, at no cost to calls."""

from types import SimpleNamespace

import gevent
import pytest

from mcp_perf.load.watch import sessions as sessions_module
from mcp_perf.load.watch.sessions import SessionWatch


def client(*, session=True, stream=False):
    """Return a client with only what is counted."""
    return SimpleNamespace(has_session=session, has_stream=stream)


class Node:
    """A node whose clients are set by a test."""

    def __init__(self):
        self.clients = {}
        self.records = []
        self.watch = SessionWatch(
            "local",
            lambda: self.clients,
            lambda: 7,
            self.records.extend,
            lambda: 3.5,
            lambda: 4096,
        )


def test_sessions_and_streams_are_counted_by_arm():
    """The record has the open ones, the users, the memory and the time of the run."""
    node = Node()
    node.clients = {
        "old": [client(stream=True), client(), client(session=False)],
        "stdio": [client()],
    }
    node.watch.note()
    [record] = node.records
    assert (record.open, record.streams) == ({"old": 2, "stdio": 1}, {"old": 1, "stdio": 0})
    assert (record.node, record.at_s, record.users, record.rss_bytes) == ("local", 3.5, 7, 4096)


def test_a_session_that_users_share_counts_once():
    """One process for all of them is one session."""
    node = Node()
    node.clients = {"shared": [client()] * 5}
    node.watch.note()
    assert node.records[0].open == {"shared": 1}


def test_where_no_arm_has_sessions_nothing_is_written():
    """A journal of 2026-07-28, or of an HTTP API, does not have these records."""
    node = Node()
    node.watch.start()
    node.watch.stop()
    assert node.records == []


def test_they_are_counted_before_the_users_come_and_when_they_have_gone(monkeypatch):
    """They are counted every second in between, too, and not after the end."""
    monkeypatch.setattr(sessions_module, "PERIOD_S", 0.0)
    node = Node()
    node.clients = {"mcp": []}
    node.watch.start()
    assert [record.open["mcp"] for record in node.records] == [0]
    node.clients = {"mcp": [client(), client()]}
    with gevent.Timeout(10):
        while len(node.records) < 3:
            gevent.sleep(0)
    node.clients = {"mcp": []}
    node.watch.stop()
    written = len(node.records)
    for _ in range(5):
        gevent.sleep(0)
    counts = [record.open["mcp"] for record in node.records]
    assert (counts[0], counts[1], counts[-1]) == (0, 2, 0)
    assert len(counts) == written


@pytest.mark.parametrize("sessions", [[], [client(session=False)]])
def test_none_open_is_a_count_too(sessions):
    """An arm that may have sessions and has none is written as zero, not left out."""
    node = Node()
    node.clients = {"mcp": sessions}
    node.watch.note()
    assert node.records[0].open == {"mcp": 0}
