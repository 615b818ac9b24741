"""A reply as people see it: its beginning, and the paths that lead into it."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from mcp_perf.client.reply import LONGEST, UNREADABLE, clipped

_MOST_PATHS: Final = 12
_DEEPEST: Final = 6
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""A name that JMESPath accepts without quotation marks."""


class _Carrier(msgspec.Struct):
    """A JSON-RPC message whose content is not decoded."""

    jsonrpc: str
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode: Final = msgspec.json.Decoder(_Carrier).decode


def shown(body: bytes) -> str:
    """Return the beginning of a reply; of a JSON-RPC message, the beginning of result or error."""
    try:
        message = _decode(body)
    except UNREADABLE:
        content = body
    else:
        inner = message.result if message.error is msgspec.UNSET else message.error
        content = body if isinstance(inner, msgspec.UnsetType) else bytes(inner)
    # The longest character takes four bytes.
    return clipped(content[: LONGEST * 4].decode("utf-8", "replace"))


def paths(value: Any) -> str:
    """Name the paths that lead to a value: `content[0].text, structuredContent.id`."""
    found = list(_paths(value, "", _DEEPEST))
    more = len(found) - _MOST_PATHS
    named = ", ".join(found[:_MOST_PATHS])
    return f"{named} and {more} more" if more > 0 else named


def _paths(value: Any, path: str, deeper: int) -> Iterator[str]:
    """Yield the paths to all values but objects and lists; in a list, only into its first item."""
    if deeper and isinstance(value, dict) and value:
        for key, inner in value.items():
            name = key if _PLAIN.fullmatch(key) else msgspec.json.encode(key).decode()
            yield from _paths(inner, f"{path}.{name}" if path else name, deeper - 1)
    elif deeper and isinstance(value, list) and value:
        yield from _paths(value[0], f"{path}[0]", deeper - 1)
    elif path:
        yield path
