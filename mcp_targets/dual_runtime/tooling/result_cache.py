"""Results that may be used again, for as long as their tool says."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(order="sorted").encode


class ResultCache:
    """Keep the last results by tool and arguments; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float], size: int = 1024) -> None:
        self._clock = clock
        self._size = size
        self._entries: OrderedDict[tuple[str, bytes], tuple[float, Any]] = OrderedDict()

    def get(self, tool: str, arguments: dict[str, Any]) -> Any | None:
        """Return a result that is not too old, or None."""
        key = (tool, _encode(arguments))
        until, result = self._entries.get(key, (0.0, None))
        if result is not None and self._clock() >= until:
            del self._entries[key]
            return None
        return result

    def put(self, tool: str, arguments: dict[str, Any], result: Any, ttl_s: float) -> None:
        """Keep a result; the oldest makes room."""
        key = (tool, _encode(arguments))
        self._entries[key] = (self._clock() + ttl_s, result)
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
