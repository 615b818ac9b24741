"""What cannot be read, and why: a second, patient look at a message that the decoder refused."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from mcp_perf.client.reply import members

_BOM: Final = b"\xef\xbb\xbf"
_FIRST_MEMBERS: Final = re.compile(
    rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(\d+)\s*[,}]'
    rb'|"id"\s*:\s*(\d+)\s*,\s*"jsonrpc"\s*:\s*"2\.0")'
)
"""How a message begins if it shows its id before it becomes unreadable."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class ReadMessage(NamedTuple):
    """What can still be read of a message."""

    message: dict[str, Any]
    """Empty if nothing can be made of it; only its id if it is broken off."""
    fault: str
    """Why it is not JSON; empty if it is."""
    whole: bool = True
    """Whether all of it could be read, apart from its fault."""


def read(body: bytes) -> ReadMessage:
    """Read a message with more patience than JSON has, and say what is wrong with it."""
    try:
        text = body.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        bad = f"byte {error.start} ({body[error.start]:#04x}) is not UTF-8"
        return ReadMessage(_first_members(body), bad, whole=False)
    try:
        message = json.loads(text)
    except ValueError as error:
        return ReadMessage(_first_members(body), _broken(body, text, error), whole=False)
    except RecursionError:
        return ReadMessage(_first_members(body), "it is nested too deeply", whole=False)
    faults = ["it begins with a byte-order mark"] if body.startswith(_BOM) else []
    faults += _faults(message)
    return ReadMessage(members(message), "; ".join(faults[:3]))


def _first_members(body: bytes) -> dict[str, Any]:
    found = _FIRST_MEMBERS.match(body.removeprefix(_BOM))
    return {"jsonrpc": "2.0", "id": int(found[1] or found[2])} if found else {}


def _broken(body: bytes, text: str, error: ValueError) -> str:
    at = getattr(error, "pos", 0)
    rest = text[at:].strip()
    cut = any(word.startswith(rest) for word in ("true", "false", "null"))
    if cut or "Unterminated string" in str(error):
        return f"it is cut off after {len(body)} bytes"
    return f"character {at} is not JSON: {text[at : at + 20]!r}"


def _faults(value: Any) -> Iterator[str]:
    """Name the values that Python reads and JSON does not have, by their paths."""
    stack = [("", value)]
    while stack:
        where, one = stack.pop()
        if isinstance(one, float) and not math.isfinite(one):
            yield f"{where}: {_NAMES.get(one, 'NaN')} is not a JSON number"
        elif isinstance(one, str) and _SURROGATE.search(one):
            yield f"{where}: half of a surrogate pair is not text"
        elif isinstance(one, dict):
            within = f"{where}." if where else ""
            stack += [(f"{within}{key}", inner) for key, inner in reversed(one.items())]
        elif isinstance(one, list):
            stack += [(f"{where}[{at}]", inner) for at, inner in reversed([*enumerate(one)])]


_NAMES: Final = {math.inf: "Infinity", -math.inf: "-Infinity"}
