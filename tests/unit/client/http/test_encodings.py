"""Bodies that a server packs although it was asked not to."""

import gzip
import sys
import zlib

import pytest

from mcp_perf.client.errors import EncodingError, ReadError
from mcp_perf.client.http import states
from mcp_perf.client.http.encodings import packed, unpacker
from mcp_perf.client.http.http1 import ResponseReader

TEXT = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}' * 20
RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
PACKED = {
    "gzip": gzip.compress(TEXT, mtime=0),
    "x-GZIP": gzip.compress(TEXT, mtime=0),
    "deflate": zlib.compress(TEXT),
    "Deflate": RAW.compress(TEXT) + RAW.flush(),
    "gzip in two": gzip.compress(TEXT[:9], mtime=0) + gzip.compress(TEXT[9:], mtime=0) + b"\0\0",
    "identity": TEXT,
    "UTF-8": TEXT,
}


def read(coding: str, body: bytes, kind: str = "application/json", limit: int = 1 << 20):
    """Read a response byte by byte."""
    reader = ResponseReader(limit)
    reader.happened(states.OPEN)
    reader.happened(states.SEND)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Encoding: {coding}\r\n"
    for byte in head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body):
        reader.feed(bytes([byte]))
    return reader


@pytest.mark.parametrize(("coding", "body"), PACKED.items(), ids=PACKED)
def test_a_packed_body_is_read_as_if_it_were_not(coding, body):
    """It is unpacked piece by piece; the size counts the bytes that came."""
    reader = read(coding.split(" in ")[0], body)
    assert (reader.body, reader.complete) == (TEXT, True)
    assert len(body) < reader.size < len(body) + 200


def test_a_packed_stream_gives_its_events():
    """A stream is unpacked before it is cut into events."""
    reader = read("gzip", gzip.compress(b"data: one\n\ndata: two\n\n"), "text/event-stream")
    assert reader.events == [b"one", b"two"]


def test_the_next_response_need_not_be_packed():
    """Each response says for itself how it is packed."""
    reader = read("gzip", PACKED["gzip"])
    reader.happened(states.SEND)
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    assert reader.body == b"{}"


@pytest.mark.parametrize(
    ("coding", "body", "says"),
    [
        ("compress", b"\x1f\x9d", "Content-Encoding compress, which"),
        ("gzip", TEXT, "Content-Encoding gzip: the body cannot be decoded"),
    ],
)
def test_what_cannot_be_unpacked_is_named(coding, body, says):
    """The answer is at fault, and the message shows none of its bytes."""
    with pytest.raises(EncodingError, match=says) as found:
        read(coding, body, limit=500)
    assert found.value.outcome == "http_error"


def test_a_packed_body_that_is_too_large_is_a_reply_that_is_too_large():
    """It ends in the class of a reply that is not packed."""
    with pytest.raises(ReadError, match="larger than 500 bytes, Content-Encoding: gzip"):
        read("gzip", gzip.compress(bytes(1000), mtime=0), limit=500)


def test_a_packed_body_that_is_cut_short_is_named():
    """For example, its Content-Length may be that of the unpacked body."""
    reader = read("gzip", PACKED["gzip"])
    reader.happened(states.SEND)
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 90\r\n\r\n\x1f")
    with pytest.raises(ReadError, match="Content-Encoding: gzip"):
        reader.feed_eof()


def test_a_gzip_bomb_expands_no_further_than_a_reply_may():
    """Whatever a piece holds, it is unpacked up to the limit and one more byte."""
    unpack, bomb = unpacker(["gzip"]), gzip.compress(bytes(10_000_000))
    assert len(unpack(bomb, 1001)) == 1001
    inner = gzip.compress(bomb)
    assert len(unpacker(["gzip", "gzip"])(inner, 1001)) == 1001


def test_codings_that_were_applied_one_after_the_other_are_undone_in_turn():
    """A gateway may pack what its server has already packed; identity does not pack."""
    both = gzip.compress(PACKED["deflate"])
    assert read("identity, deflate, gzip", both).body == TEXT
    assert unpacker(["gzip", "compress"]) is None


def test_a_stream_without_end_is_limited_by_event():
    """The limit also holds for an event's unpacked size."""
    packer = zlib.compressobj()
    first = packer.compress(b"data: %b\n\n" % TEXT) + packer.flush(zlib.Z_SYNC_FLUSH)
    then = packer.compress(b"data: %b\n\n" % TEXT) + packer.flush(zlib.Z_SYNC_FLUSH)
    reader = ResponseReader(1500)
    reader.happened(states.OPEN)
    reader.happened(states.SEND)
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
    reader.feed(b"Content-Encoding: deflate\r\n\r\n" + first)
    reader.restart()
    reader.feed(then)
    assert reader.events == [TEXT, TEXT]


def test_a_remark_names_the_encodings_of_a_connection():
    """The remark lists every encoding that came, sorted."""
    reader = read("gzip", PACKED["gzip"])
    reader = ResponseReader(encodings=reader.encodings | {"br"})
    [told] = packed(reader.encodings)
    assert "replies came with Content-Encoding: br, gzip, which mcp-perf did not ask for" in told
    assert packed(()) == []
    assert read("UTF-8", TEXT).encodings == set()


class Reversed:
    """A library that packs by reversing bytes: it plays those that are not installed here."""

    def __call__(self):
        """Give a decompressor."""
        return self

    decompressobj = __call__

    def process(self, data: bytes, output_buffer_limit: int) -> bytes:
        """Unpack, as far as is asked for."""
        return data[::-1][:output_buffer_limit]

    def decompress(self, data: bytes) -> bytes:
        """Unpack all."""
        return data[::-1]

    Decompressor = ZstdDecompressor = property(lambda self: self)


@pytest.mark.parametrize(("coding", "library"), [("br", "brotli"), ("zstd", "zstandard")])
def test_other_codings_are_read_by_their_libraries(monkeypatch, coding, library):
    """That needs the libraries to be installed; a bomb is not unpacked to its end."""
    monkeypatch.setitem(sys.modules, library, Reversed())
    assert unpacker([coding])(b"ab", 100) == b"ba"
    assert len(unpacker([coding])(bytes(1000), 90)) <= 128
    monkeypatch.setitem(sys.modules, library, None)
    assert unpacker([coding]) is None
