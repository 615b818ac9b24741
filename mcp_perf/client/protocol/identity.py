"""Who a message is for, by its id or token: the ids of requests, and what came for nobody."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from mcp_perf.client.protocol import unreadable
from mcp_perf.client.reply import UNREADABLE, beginning, ignore
from mcp_perf.outcomes import (
    CROSSED_REPLY,
    FORBIDDEN_REQUEST,
    LATE_REPLY,
    NO_MESSAGE,
    STRAY_PROGRESS,
    UNMATCHED_REPLY,
)

PROGRESS: Final = "notifications/progress"
StrayObserver = Callable[[str, bytes], None]
"""Gets each stray: its kind, what came."""


class _Token(msgspec.Struct):
    progress_token: int | str = msgspec.field(name="progressToken")


class _Progress(msgspec.Struct):
    params: _Token


_decode_progress = msgspec.json.Decoder(_Progress).decode
_OURS: Final = 1 << 52
"""All ids of mcp-perf are at least this, and less than twice this: a server in JavaScript rounds
beyond. No clock counts up to here, so an id that a server makes up is not taken for ours."""
_BLOCK: Final = 4096
_BLOCKS: Final = _OURS // _BLOCK


def _block() -> int:
    """Draw where a block begins: of so many places that two clients hardly ever have the same."""
    return _OURS + secrets.randbelow(_BLOCKS) * _BLOCK


class RequestIds(Iterator[int]):
    """The ids of one client's requests, drawn in blocks.

    No two clients of a run have the same id, in whatever processes they are: of 100 000 clients,
    two share a block in one of 200 runs. So a reply tells whose it is. Threads may draw at once:
    then some ids of a block may be skipped, and none comes twice.
    """

    def __init__(self, blocks: Iterator[int] | None = None) -> None:
        self._blocks = iter(_block, None) if blocks is None else blocks
        self._drawn: list[range] = []
        self._left: Iterator[int] = iter(())

    def __next__(self) -> int:
        while (number := next(self._left, None)) is None:
            first = next(self._blocks)
            self._drawn.append(block := range(first, first + _BLOCK))
            self._left = iter(block)
        return number

    def issued(self, request_id: Any) -> bool:
        return any(request_id in block for block in self._drawn)


def token_of(progress: bytes) -> Any:
    """Return the token of a progress notification; None where it has none."""
    try:
        return _decode_progress(progress).params.progress_token
    except UNREADABLE:
        return None


class Strays:
    """Tells what came for nobody, by its kind."""

    def __init__(self, ids: RequestIds, tell: StrayObserver = ignore) -> None:
        self._ids = ids
        self.tell = tell
        self.last = ""
        """The beginning of the last one that a call may have waited for."""
        self.count = 0

    def since(self, count: int) -> str:
        """Return what came instead of an answer after so many, for the one who waited in vain."""
        return f"; what came instead: {self.last}" if self.count > count else ""

    def reply(self, request_id: Any, message: bytes) -> None:
        """Tell of an answer that no request in flight waits for."""
        self._note(beginning(message))
        foreign = isinstance(request_id, int) and _OURS <= request_id < 2 * _OURS
        crossed = foreign and not self._ids.issued(request_id)
        self.tell(CROSSED_REPLY if crossed else UNMATCHED_REPLY, message)

    def late(self, message: bytes) -> None:
        self.tell(LATE_REPLY, message)

    def progress(self, message: bytes) -> None:
        self.tell(STRAY_PROGRESS, message)

    def request(self, said: str, message: bytes) -> None:
        """Tell of a request that the server may not send, for which no call can be blamed."""
        self._note(said)
        self.tell(FORBIDDEN_REQUEST, message)

    def other(self, message: bytes) -> None:
        """Tell of what came for no request: an answer, progress, or nothing of JSON-RPC."""
        read = unreadable.read(message).message
        spoken = read.get("jsonrpc") == "2.0"
        if spoken and "method" in read:
            if read["method"] == PROGRESS:
                self.progress(message)
        elif spoken and "id" in read:
            self.reply(read["id"], message)
        else:
            self._note(beginning(message))
            self.tell(NO_MESSAGE, message)

    def _note(self, said: str) -> None:
        self.last = said
        self.count += 1
