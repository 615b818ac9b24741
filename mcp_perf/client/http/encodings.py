"""Bodies that a server compressed although it was asked not to (RFC 9110, section 8.4)."""

import importlib
import zlib
from collections.abc import Callable
from typing import Any, Final

Unpack = Callable[[bytes], bytes]
"""Takes a piece of a packed body, returns what it holds. Raises an error of its library."""

_LIBRARIES: Final = {"br": "brotli", "zstd": "zstandard"}


def unpacker(coding: str) -> Unpack | None:
    """Return what unpacks a body, piece by piece; None if the coding cannot be read here.

    `br` and `zstd` are read if their libraries are installed.
    """
    name = coding.strip().lower()
    if name in ("gzip", "x-gzip"):
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress
    if name == "deflate":
        return _Deflated()
    try:
        library: Any = importlib.import_module(_LIBRARIES[name])
    except (KeyError, ImportError):
        return None
    if name == "zstd":
        return library.ZstdDecompressor().decompressobj().decompress  # type: ignore[no-any-return]
    return library.Decompressor().process  # type: ignore[no-any-return]


class _Deflated:
    """Unpacks deflate, which some servers send without the frame of zlib that belongs to it."""

    def __init__(self) -> None:
        self._unpack: Unpack | None = None

    def __call__(self, data: bytes) -> bytes:
        if self._unpack is None:
            framed = data[:1] == b"\x78"
            self._unpack = zlib.decompressobj(zlib.MAX_WBITS * (1 if framed else -1)).decompress
        return self._unpack(data)
