"""Bodies that a server compressed although it was asked not to (RFC 9110, section 8.4)."""

import importlib
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Final

Unpack = Callable[[bytes, int], bytes]
"""Takes a piece of a packed body, and how many bytes it may unpack to. Returns the unpacked bytes;
if there are that many or more, the piece held too much. Raises an error of its library."""

_NO_CODINGS: Final = {
    *("", "identity", "none", "binary", "text", "chunked", "7bit", "8bit"),
    *("utf-8", "utf8", "ascii", "us-ascii", "iso-8859-1"),
}
"""What servers write in this header by mistake. Clients read the body as it is."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_PIECE_BYTES: Final = 64
"""How much zstd unpacks at once: its output has no bound, and four bytes may become 128 KiB."""


def codings(header: bytes) -> list[str]:
    """Return the codings of a body by its Content-Encoding, in the order they were applied."""
    names = [name.strip().lower() for name in header.decode("latin-1").split(",")]
    return [name for name in names if name not in _NO_CODINGS]


def unpacker(names: Iterable[str]) -> Unpack | None:
    """Return what unpacks a body, piece by piece; None if one of its codings cannot be read here.

    `br` and `zstd` are read if their libraries are installed.
    """
    layers = [_layer(name) for name in names][::-1]
    known = [layer for layer in layers if layer is not None]
    if len(known) < len(layers):
        return None

    def unpack(data: bytes, most: int) -> bytes:
        for layer in known:
            data = layer(data, most)
            if not data or len(data) >= most:
                break
        return data

    return unpack


def packed(encodings: Iterable[str]) -> list[str]:
    """Return a remark on replies that came packed; an empty list if none did."""
    names = ", ".join(sorted(encodings))
    told = f"replies came with Content-Encoding: {names}, which mcp-perf did not ask for"
    return [f"{told}; they were decoded"] if names else []


def _layer(name: str) -> Unpack | None:
    if name in ("gzip", "x-gzip"):
        return _Gzipped()
    if name == "deflate":
        return _Deflated()
    try:
        if name == "br":
            process: Any = importlib.import_module("brotli").Decompressor().process
            return lambda data, most: bytes(process(data, output_buffer_limit=most))
        if name == "zstd":
            return _InPieces(importlib.import_module("zstandard").ZstdDecompressor())
    except ImportError:
        pass
    return None


class _Gzipped:
    """Unpacks gzip, also several members in a row (RFC 1952, section 2.2)."""

    def __init__(self) -> None:
        self._one = zlib.decompressobj(_GZIP)

    def __call__(self, data: bytes, most: int) -> bytes:
        found = self._one.decompress(data, most)
        while len(found) < most and (rest := self._one.unused_data.lstrip(b"\0")):
            self._one = zlib.decompressobj(_GZIP)
            found += self._one.decompress(rest, most - len(found))
        return found


class _Deflated:
    """Unpacks deflate, which some servers send without the zlib frame around it."""

    def __init__(self) -> None:
        self._unpack: Unpack | None = None

    def __call__(self, data: bytes, most: int) -> bytes:
        if self._unpack is None:
            framed = data[:1] == b"\x78"
            self._unpack = zlib.decompressobj(zlib.MAX_WBITS * (1 if framed else -1)).decompress
        return self._unpack(data, most)


class _InPieces:
    def __init__(self, decompressor: Any) -> None:
        self._unpack: Final[Callable[[bytes], bytes]] = decompressor.decompressobj().decompress

    def __call__(self, data: bytes, most: int) -> bytes:
        found = bytearray()
        for at in range(0, len(data), _PIECE_BYTES):
            found += self._unpack(data[at : at + _PIECE_BYTES])
            if len(found) >= most:
                break
        return bytes(found)
