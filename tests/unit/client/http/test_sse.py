"""The decoder of event streams."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.client.http.sse import EventDecoder


def decode(*pieces: bytes) -> list[bytes]:
    """Feed pieces to one decoder; return all events."""
    decoder = EventDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data: a\r\n\r\n", [b"a"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"event: message\ndata: a\n\n", [b"a"]),
        (b"event: endpoint\ndata: /x\n\ndata: a\n\n", [b"a"]),  # other events are not messages
        (b": ping\n\ndata: a\n\n", [b"a"]),  # comments
        (b"id: 1\nretry: 5\ndata:\n\n", [b""]),  # a priming event has empty data
        (b"id: 1\n\n", []),  # without data there is no event
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),  # one space only
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n", []),  # unfinished
    ],
)
def test_a_stream_decodes_by_the_standard(stream: bytes, events: list[bytes]) -> None:
    """Each construct of the standard gives the events that it says."""
    assert decode(stream) == events


@given(
    events=st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), max_size=5),
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    data=st.data(),
)
def test_cutting_a_stream_anywhere_changes_nothing(events, end, data) -> None:
    """Whatever pieces a stream arrives in, its events are the same."""
    stream = b"".join(b"data: " + text.encode() + end + end for text in events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    edges = [0, *cuts, len(stream)]
    pieces = [stream[start:stop] for start, stop in itertools.pairwise(edges)]
    assert decode(*pieces) == [text.encode() for text in events]


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_no_bytes_make_the_decoder_fail(pieces) -> None:
    """Any bytes in any chunking decode to something, and never raise."""
    assert isinstance(decode(*pieces), list)
