"""The states of a connection: what the table allows, and what it says about real connections."""

import pytest

from mcp_perf.client.http import states
from mcp_perf.client.http.http1 import ResponseReader

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: a\n\n"
)
STATES = frozenset(states.NEXT)


def test_every_state_can_be_reached_and_left_for_good():
    """Every state is in use, and a connection can be closed from each of them."""
    reached, left = {states.CLOSED}, [states.CLOSED]
    while left:
        after = set(states.NEXT[left.pop()].values()) - reached
        reached |= after
        left += after
    assert reached == STATES
    assert {row[states.CLOSE] for row in states.NEXT.values()} == {
        states.CLOSED,
        states.ENDED,
        states.STRAY,
    }


def test_a_request_goes_out_only_where_nothing_is_awaited():
    """It goes out on a new connection, or after a whole response that leaves it open."""
    assert {state for state, row in states.NEXT.items() if states.SEND in row} == {
        states.OPENED,
        states.IDLE,
    }


def test_a_response_that_is_whole_stays_whole():
    """Closing the connection does not make it a broken response."""
    assert {states.NEXT[state][states.CLOSE] for state in states.COMPLETE} <= states.COMPLETE


def test_what_is_under_way_has_begun_unless_it_was_only_sent():
    """The sets next to the table agree with it."""
    assert states.UNDER_WAY | states.COMPLETE | {states.CLOSED, states.OPENED} == STATES
    assert {states.SENT} == states.UNDER_WAY - states.STARTED
    assert not states.COMPLETE & states.UNDER_WAY


@pytest.mark.parametrize(
    ("response", "passed"),
    [
        (WHOLE, "opened sent head body idle"),
        (STREAM, "opened sent head events idle"),
        (WHOLE.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"), "opened sent head body ended"),
        (WHOLE + WHOLE, "opened sent head body idle stray"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE, "opened sent head sent head body idle"),
        (b"HTTP/1.1 204 None\r\n\r\n", "opened sent head idle"),
    ],
)
def test_a_response_takes_a_connection_through_its_states(response, passed):
    """Fed byte by byte, it passes each state once for each time that it enters it."""
    reader = ResponseReader()
    reader.happened(states.OPEN)
    seen = [reader.state]
    reader.happened(states.SEND)
    seen.append(reader.state)
    for byte in response:
        reader.feed(bytes([byte]))
        if reader.state != seen[-1]:
            seen.append(reader.state)
    assert seen == passed.split()


def test_what_cannot_happen_is_our_own_mistake():
    """A second request while the first is out is refused by the table, not sent."""
    reader = ResponseReader()
    reader.happened(states.OPEN)
    reader.happened(states.SEND)
    with pytest.raises(KeyError, match="send"):
        reader.happened(states.SEND)
