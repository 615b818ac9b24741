"""Bodies that a server packs although it was asked not to."""

import gzip
import sys
import zlib

import pytest

from mcp_perf.client.errors import EncodingError, ReadError
from mcp_perf.client.http import states
from mcp_perf.client.http.encodings import unpacker
from mcp_perf.client.http.http1 import ResponseReader

TEXT = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}' * 20
RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
PACKED = {
    "gzip": gzip.compress(TEXT, mtime=0),
    "x-GZIP": gzip.compress(TEXT, mtime=0),
    "deflate": zlib.compress(TEXT),
    "Deflate": RAW.compress(TEXT) + RAW.flush(),
    "identity": TEXT,
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
    """Piece by piece; the size is that of what came."""
    reader = read(coding, body)
    assert (reader.body, reader.complete) == (TEXT, True)
    assert len(body) < reader.size < len(body) + 200


def test_a_packed_stream_gives_its_events():
    """They are unpacked before they are cut apart."""
    reader = read("gzip", gzip.compress(b"data: one\n\ndata: two\n\n"), "text/event-stream")
    assert reader.events == [b"one", b"two"]


def test_the_next_response_need_not_be_packed():
    """Each says for itself what it is."""
    reader = read("gzip", PACKED["gzip"])
    reader.happened(states.SEND)
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    assert reader.body == b"{}"


@pytest.mark.parametrize(
    ("coding", "body", "says"),
    [
        ("compress", b"\x1f\x9d", "Content-Encoding compress, though identity was asked for"),
        ("gzip", TEXT, "Content-Encoding gzip: the body is not that"),
        (
            "gzip",
            gzip.compress(bytes(1000), mtime=0),
            "larger than 500 bytes, Content-Encoding: gzip",
        ),
    ],
)
def test_what_cannot_be_unpacked_is_named(coding, body, says):
    """It is a fault of the answer, and no bytes of it are shown."""
    with pytest.raises(EncodingError, match=says) as found:
        read(coding, body, limit=500)
    assert found.value.outcome == "http_error"


def test_a_packed_body_that_is_cut_short_is_named():
    """Such as by a Content-Length that is that of the unpacked one."""
    reader = read("gzip", PACKED["gzip"])
    reader.happened(states.SEND)
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 90\r\n\r\n\x1f")
    with pytest.raises(ReadError, match="Content-Encoding: gzip"):
        reader.feed_eof()


class Reversed:
    """A library whose packing is to turn bytes around: it stands for those not installed here."""

    def __call__(self):
        """Give a decompressor."""
        return self

    decompressobj = __call__

    def process(self, data: bytes) -> bytes:
        """Unpack."""
        return data[::-1]

    decompress = process
    Decompressor = ZstdDecompressor = property(lambda self: self)


@pytest.mark.parametrize(("coding", "library"), [("br", "brotli"), ("zstd", "zstandard")])
def test_other_codings_are_read_by_their_libraries(monkeypatch, coding, library):
    """If these are installed."""
    monkeypatch.setitem(sys.modules, library, Reversed())
    assert unpacker(coding)(b"ab") == b"ba"
    monkeypatch.setitem(sys.modules, library, None)
    assert unpacker(coding) is None
