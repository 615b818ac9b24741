"""The memory of all replies that come in at once."""

import gc
import gzip

import pytest

from mcp_perf.client.errors import NO_ROOM, NoRoom, ended_by
from mcp_perf.client.http import states
from mcp_perf.client.http.budget import SMALL, Budget, Portion
from mcp_perf.client.http.http1 import ResponseReader
from mcp_perf.client.protocol.multiplex import Lines
from mcp_perf.outcomes import HARNESS_ERROR, TRANSPORT_ERROR

MIB = b"x" * SMALL


@pytest.fixture
def budget():
    """Return one of 8 MiB."""
    return Budget(8 * SMALL)


def reader(budget, length: int, *headers: bytes) -> ResponseReader:
    """Return a reader to which a reply was announced."""
    made = ResponseReader()
    made._portion = Portion(budget)
    made.happened(states.OPEN)
    made.happened(states.SEND)
    made.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n" % (length, b"".join(headers)))
    return made


def test_replies_share_what_there_is(budget):
    """A reply too many is our limit; there is room once another one is taken out."""
    first, second = reader(budget, 6 * SMALL), reader(budget, 6 * SMALL)
    for _ in range(5):
        first.feed(MIB)
    with pytest.raises(NoRoom, match="no room for the reply") as refused:
        list(map(second.feed, [MIB] * 6))
    assert "limit of 8 MiB" in str(refused.value)
    assert refused.value.outcome == HARNESS_ERROR
    second.happened(states.CLOSE)
    first.feed(MIB)
    assert len(first.body) == 6 * SMALL
    first.let_go()
    assert (budget.held, first.body) == (0, b"")
    first.happened(states.SEND)
    first.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n")
    first.feed(MIB + MIB)
    assert budget.held > 2 * SMALL
    del first
    gc.collect()
    assert budget.held == 0


def test_small_replies_are_not_counted(budget):
    """Most replies are small: a thousand of them take as much as one large one."""
    small = reader(budget, SMALL // 2)
    small.feed(MIB[: SMALL // 2])
    assert budget.held == 0


def test_what_is_unpacked_counts(budget):
    """A few bytes can be many."""
    packed = gzip.compress(MIB * 9)
    bomb = reader(budget, len(packed), b"Content-Encoding: gzip\r\n")
    with pytest.raises(NoRoom):
        bomb.feed(packed)
    assert budget.held == 0
    fine = reader(budget, len(packed := gzip.compress(MIB * 3)), b"Content-Encoding: gzip\r\n")
    fine.feed(packed)
    assert budget.held > 3 * SMALL
    fine.happened(states.SEND)
    assert budget.held == 0


def test_an_endless_stream_holds_its_last_event_alone(budget):
    """Events that were taken out are no longer counted."""
    stream = ResponseReader()
    stream._portion = Portion(budget)
    stream.happened(states.OPEN)
    stream.happened(states.SEND)
    stream.feed(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    for _ in range(5):
        stream.feed(b"data: " + MIB * 3 + b"\n\n")
        assert stream.events.pop()
        assert budget.held > 3 * SMALL
        stream.restart()
    assert budget.held == 0


def test_a_line_of_a_channel_counts_until_it_ends(budget):
    """What a stdio server writes counts, too; its calls end in our own class."""
    lines = Lines(64 * SMALL)
    lines._portion = Portion(budget)
    lines.feed(MIB * 3)
    assert budget.held == 3 * SMALL
    assert [len(line) for line in lines.feed(b"\nnext")] == [3 * SMALL]
    assert budget.held == 0
    with pytest.raises(NoRoom) as refused:
        lines.feed(MIB * 9)
    assert ended_by(f"the stream broke: {refused.value}").outcome == HARNESS_ERROR
    assert ended_by("the server died").outcome == TRANSPORT_ERROR
    assert NO_ROOM in str(refused.value)
