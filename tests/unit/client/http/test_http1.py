"""The reader of HTTP/1.1 responses, byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.client.errors import ProtocolError, ReadError, TargetError
from mcp_perf.client.http import http1, states
from mcp_perf.client.http.http1 import MAX_HEAD_BYTES, ResponseReader, encode_headers

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\nTrailer: t\r\n\r\n"
)
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n10\r\ndata: one\n\ndata:\r\n6\r\n two\n\n\r\n0\r\n\r\n"
)


def read(*pieces: bytes) -> ResponseReader:
    """Feed pieces to one reader that awaits a response."""
    reader = ResponseReader()
    reader.happened(states.OPEN)
    reader.happened(states.SEND)
    for piece in pieces:
        reader.feed(piece)
    return reader


@pytest.mark.parametrize("response", [PLAIN, CHUNKED])
def test_a_response_is_read_whole_however_it_is_cut(response: bytes) -> None:
    """A response fed byte by byte is complete at its last byte, not before, with its body."""
    reader = ResponseReader()
    reader.happened(states.OPEN)
    reader.happened(states.SEND)
    for number, byte in enumerate(response, start=1):
        reader.feed(bytes([byte]))
        assert reader.complete == (number == len(response))
    assert (reader.status, reader.body, reader.state) == (200, b"{}", states.IDLE)
    assert reader.size == len(response)


def test_a_stream_gives_its_events_as_they_come() -> None:
    """Each event of a stream is there as soon as its blank line is."""
    reader = read(STREAM[:-9])
    assert reader.streaming
    assert reader.events[0] == b"one"
    assert not reader.complete
    reader.feed(STREAM[-9:])
    assert reader.complete
    assert reader.events == [b"one", b"two"]


def test_a_body_without_length_ends_with_the_connection() -> None:
    """Without Content-Length and chunks, the body ends with the connection."""
    reader = read(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>")
    assert not reader.complete
    reader.feed_eof()
    assert reader.state is states.ENDED
    assert reader.body == b"<p>"


@pytest.mark.parametrize("cut", range(len(PLAIN)))
def test_a_reply_cut_anywhere_is_a_read_error(cut: int) -> None:
    """The end of the connection before the end of the reply is an error, at every byte."""
    reader = read(PLAIN[:cut])
    with pytest.raises(ReadError, match=r"before a reply|in the middle"):
        reader.feed_eof()


def test_an_interim_response_is_not_the_reply() -> None:
    """100 Continue is skipped; the response after it counts."""
    reader = read(b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN)
    assert (reader.status, reader.body, reader.state) == (200, b"{}", states.IDLE)


def test_a_second_response_nobody_asked_for_is_noticed() -> None:
    """A duplicated reply marks the connection as unusable and does not touch the first."""
    reader = read(PLAIN + PLAIN.replace(b"200 OK", b"500 No"))
    assert reader.state is states.STRAY
    assert (reader.status, reader.body) == (200, b"{}")


def test_connection_close_is_heard() -> None:
    """Connection: close means that the connection is not used again."""
    closing = PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert read(closing).state is states.ENDED


def test_no_content_needs_no_body() -> None:
    """204 and a 202 of length 0 are complete with their heads."""
    assert read(b"HTTP/1.1 204 No Content\r\n\r\n").complete
    assert read(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").complete


def test_too_large_a_reply_is_cut_off() -> None:
    """A reply over the limit is an error as soon as it is over."""
    reader = ResponseReader(limit=100)
    reader.happened(states.OPEN)
    reader.happened(states.SEND)
    with pytest.raises(ReadError, match="larger than 100 bytes"):
        reader.feed(PLAIN + b"x" * 100)


def test_endless_headers_are_cut_off() -> None:
    """A server that sends headers for ever is an error, long before memory is short."""
    reader = read(b"HTTP/1.1 200 OK\r\n")
    lines = b"a: b\r\n" * (MAX_HEAD_BYTES // 6 + 1)
    with pytest.raises(TargetError):
        reader.feed(lines)


@pytest.mark.parametrize("bytes_in", [b"hello\r\n\r\n", b"HTTP/9 200\r\n\r\n", b"\x16\x03\x01"])
def test_what_is_not_http_is_a_protocol_error(bytes_in: bytes) -> None:
    """Anything that is not HTTP/1.1 is named as such."""
    with pytest.raises(ProtocolError, match="not HTTP"):
        read(bytes_in)


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_no_bytes_raise_anything_but_our_own_errors(pieces) -> None:
    """Any bytes in any chunking either parse or raise one of our errors."""
    try:
        reader = read(*pieces)
        reader.feed_eof()
    except TargetError:
        pass


@given(st.binary(max_size=30), st.integers(0, len(PLAIN) - 1))
def test_a_damaged_response_raises_only_our_own_errors(damage, place) -> None:
    """A response with bytes replaced anywhere never raises anything foreign."""
    try:
        reader = read(PLAIN[:place] + damage + PLAIN[place + len(damage) :])
        reader.feed_eof()
    except TargetError:
        pass


@pytest.mark.parametrize(
    "header", [("A\r\nB", "x"), ("A", "x\r\nB: y"), ("", "x"), ("A b", "x"), ("A", "x\0")]
)
def test_a_header_cannot_break_out_of_its_line(header: tuple[str, str]) -> None:
    """Line breaks, blanks in names and NUL are refused before anything is sent."""
    with pytest.raises(ValueError, match="HTTP does not allow"):
        encode_headers([header])


# Heads that are known.


@pytest.fixture
def parsed(monkeypatch):
    """Forget all heads; return how many bytes llhttp gets each time."""
    sizes = []
    parse = ResponseReader._parse
    monkeypatch.setattr(http1, "_known", {})
    monkeypatch.setattr(
        ResponseReader, "_parse", lambda self, data: sizes.append(len(data)) or parse(self, data)
    )
    return sizes


def told(reader: ResponseReader) -> tuple:
    """Return everything that a reader reports about a response."""
    header = reader.header(b"content-type")
    kind = header, reader.streaming, reader.last_event, tuple(reader.events)
    return reader.status, reader.body, reader.size, reader.state, *kind


def stream(*events: bytes, more: bytes = b"") -> bytes:
    """Give a stream of events, a chunk each."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    return head + b"\r\n" + b"".join(chunks) + b"0\r\n" + more + b"\r\n"


ONE_EVENT = stream(b'event: message\ndata: {"id": 1}\n\n')


def test_a_head_that_was_read_before_is_not_parsed_again(parsed) -> None:
    """The connection does not matter; the reader reports the same about the response."""
    first, second = read(PLAIN), read(PLAIN.replace(b"{}", b"[]"))
    assert parsed == [len(PLAIN)]
    assert told(first)[2:] == told(second)[2:]
    assert (first.body, second.body) == (b"{}", b"[]")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_stream_of_one_event_that_comes_at_once_is_not_parsed_again(parsed, end) -> None:
    """Both SDKs write it so, on any connection; the reader reports the same about it."""
    response = stream(b"event: message\ndata: {1}\n\n".replace(b"\n", end))
    first, second = read(response), read(response.replace(b"{1}", b"{2}"))
    assert parsed == [len(response)]
    assert (first.events, second.events) == ([b"{1}"], [b"{2}"])
    assert told(first)[2:-1] == told(second)[2:-1]
    assert second.streaming


@pytest.mark.parametrize(
    "pieces",
    [
        (PLAIN[:-1], PLAIN[-1:]),
        (PLAIN[:10], PLAIN[10:]),
        (PLAIN + PLAIN,),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN,),
        (CHUNKED,),
        (STREAM,),
        (PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),),
        (stream(b"event: message\ndata: 1\n\n", b"event: message\ndata: 2\n\n"),),
        (stream(b"event: message\ndata: 1\n\nevent: message\ndata: 2\n\n"),),
        (stream(b"id: 7\nevent: message\ndata: 1\n\n"),),
        (stream(b"event: message\nid: 7\ndata: 1\n\n"),),
        (stream(b"event: message\ndata: 1\rid: 7\n\n"),),
        (stream(b"event: message\ndata: 1\ndata: 2\n\n"),),
        (stream(b"event: other\ndata: 1\n\n"),),
        (stream(b": ping\n\n"),),
        (stream(),),
        (stream(b"event: message\ndata: 1\n\n", more=b"Trailer: 1\r\n"),),
        (ONE_EVENT + PLAIN,),
        (ONE_EVENT[:-1], ONE_EVENT[-1:]),
        (ONE_EVENT.replace(b"\r\n20\r\n", b"\r\n20;x=1\r\n"),),
        (ONE_EVENT.replace(b"\r\n20\r\n", b"\r\n020\r\n"),),
    ],
)
def test_all_but_a_whole_response_with_a_known_head_is_parsed(parsed, pieces) -> None:
    """The reader reports the same the first time and after any number of other responses."""
    once = told(read(*pieces))
    read(PLAIN)
    read(ONE_EVENT)
    before = sum(parsed)
    assert told(read(*pieces)) == once
    assert sum(parsed) - before == sum(map(len, pieces))


@given(
    st.lists(
        st.sampled_from(
            [
                PLAIN,
                CHUNKED,
                ONE_EVENT,
                ONE_EVENT.replace(b": 1}", b": 2}"),
                stream(b"event: message\ndata: 1\n\n", b"event: message\ndata: 2\n\n"),
                b"HTTP/1.1 204 No Content\r\n\r\n",
                b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN,
                PLAIN.replace(b"200 OK", b"404 No"),
                PLAIN.replace(b": 2", b": 3").replace(b"{}", b"{ }"),
            ]
        ),
        max_size=8,
    )
)
def test_responses_on_one_connection_are_read_as_by_a_new_reader(responses) -> None:
    """Known heads leave llhttp in the right state for the next response."""
    reader = ResponseReader()
    reader.happened(states.OPEN)
    for response in responses:
        reader.happened(states.SEND)
        reader.feed(response)
        assert told(reader) == told(read(response[:-1], response[-1:]))


@pytest.mark.usefixtures("parsed")
def test_a_connection_whose_heads_are_all_new_is_not_looked_at_for_ever() -> None:
    """If each head has a number in it, lookups find nothing; and memory stays bounded."""
    reader = ResponseReader()
    reader.happened(states.OPEN)
    for number in range(1000):
        reader.happened(states.SEND)
        reader.feed(PLAIN.replace(b"\r\n\r\n", b"\r\nX-Request: %d\r\n\r\n" % number))
    assert len(http1._known) == 16
    for number in range(1000):
        read(PLAIN.replace(b"\r\n\r\n", b"\r\nX-Request: %d\r\n\r\n" % number))
    assert len(http1._known) <= 256
