"""Messages in bytes: how they are cut, and how little of a large one is kept."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.agent.recording.pieces import MOST, EventCutter, LineCutter


def cut(text: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at these places."""
    ends = sorted(place % (len(text) + 1) for place in places)
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]


@given(st.lists(st.binary(max_size=9)), st.lists(st.integers(0, 999), max_size=5))
def test_lines_come_out_whole_however_they_are_cut(lines, places):
    """A line may come in pieces, and a piece may hold several lines, and any bytes."""
    lines = [line.replace(b"\n", b"") for line in lines]
    cutter = LineCutter()
    text = b"".join(line + b"\n" for line in lines)
    found = [piece for part in cut(text, places) for piece in cutter.feed(part)]
    assert [piece.body for piece in found] == lines
    assert all(piece.whole for piece in found)


def test_of_a_large_line_the_edges_are_kept():
    """Its size is known, and the next line is whole again."""
    cutter, chunk = LineCutter(), b"x" * 65536
    for _ in range(3 * MOST // len(chunk)):
        assert list(cutter.feed(chunk)) == []
    large, small = cutter.feed(b"end\n{}\n")
    assert large.size == 3 * MOST + 3
    assert large.body.startswith(b"xxx")
    assert large.body.endswith(b"xend")
    assert len(large.body) == 8192
    assert not large.whole
    assert (small.body, small.whole) == (b"{}", True)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_data_of_events_are_messages(end):
    """Comments, ids and names are left out; several lines of data are one message."""
    lines = [": ping", "", "id: 1", "event: message", "data: {", "data:}", "", "data: /a?b", "", ""]
    events = EventCutter()
    found = [piece for byte in end.join(lines) for piece in events.feed(byte.encode())]
    assert [piece.body for piece in found] == [b"{\n}", b"/a?b"]


def test_of_a_large_event_the_edges_are_kept():
    """Its id is at the end, as some servers write it."""
    event = json.dumps({"result": {"text": "x" * 2 * MOST}, "id": 7}).encode()
    [piece] = EventCutter().feed(b"data: " + event + b"\n\n")
    assert piece.size == len(event)
    assert piece.body.endswith(b'"id": 7}')
