"""Who a message is for, by its id or token: the ids of requests, and what came for nobody."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from mcp_perf import outcomes
from mcp_perf.client.protocol import unreadable
from mcp_perf.client.reply import UNREADABLE, beginning, ignore

PROGRESS: Final = "notifications/progress"
StrayObserver = Callable[[str, bytes], None]
"""Gets each stray: its kind, and what came."""


class _Token(msgspec.Struct):
    progress_token: int | str = msgspec.field(name="progressToken")


class _Progress(msgspec.Struct):
    params: _Token


_decode_progress = msgspec.json.Decoder(_Progress).decode
_OURS: Final = 1 << 52
"""All ids of mcp-perf are at least this, and less than twice this: a server in JavaScript rounds
larger numbers. No clock counts this far, so ours are never an id that a server makes up."""
_BLOCK: Final = 4096
_BLOCKS: Final = _OURS // _BLOCK


def _block() -> int:
    """Draw where a block begins, among so many places that two clients hardly ever share one."""
    return _OURS + secrets.randbelow(_BLOCKS) * _BLOCK


class RequestIds(Iterator[int]):
    """The ids of one client's requests, drawn in blocks.

    Clients of a run do not share ids, even across processes: with 100 000 clients, two share a
    block in one of 200 runs. So a reply shows whose it is. If threads draw at once, some ids of a
    block may be skipped, but none comes twice.
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
    """Return the token of a progress notification; None if it has none."""
    try:
        return _decode_progress(progress).params.progress_token
    except UNREADABLE:
        return None


class Strays:
    """Reports what came for nobody, by its kind."""

    def __init__(self, ids: RequestIds, tell: StrayObserver = ignore) -> None:
        self._ids = ids
        self.tell = tell
        self.last = ""
        """The beginning of the last stray that a call may have waited for."""
        self.count = 0

    def since(self, count: int) -> str:
        """Say what came instead of an answer, if there are more than `count` strays by now."""
        return f"; what came instead: {self.last}" if self.count > count else ""

    def reply(self, request_id: Any, message: bytes) -> None:
        """Report an answer that no request in flight waits for."""
        self._note(beginning(message))
        foreign = isinstance(request_id, int) and _OURS <= request_id < 2 * _OURS
        crossed = foreign and not self._ids.issued(request_id)
        self.tell(outcomes.CROSSED_REPLY if crossed else outcomes.UNMATCHED_REPLY, message)

    def late(self, message: bytes) -> None:
        self.tell(outcomes.LATE_REPLY, message)

    def progress(self, message: bytes) -> None:
        self.tell(outcomes.STRAY_PROGRESS, message)

    def request(self, said: str, message: bytes) -> None:
        """Report a request that the server may not send, and that no call can be blamed for."""
        self._note(said)
        self.tell(outcomes.FORBIDDEN_REQUEST, message)

    def other(self, message: bytes) -> None:
        """Report what came for no request: an answer, progress, or anything but JSON-RPC."""
        read = unreadable.read(message).message
        spoken = read.get("jsonrpc") == "2.0"
        if spoken and "method" in read:
            if read["method"] == PROGRESS:
                self.progress(message)
        elif spoken and "id" in read:
            self.reply(read["id"], message)
        else:
            self._note(beginning(message))
            self.tell(outcomes.NO_MESSAGE, message)

    def _note(self, said: str) -> None:
        self.last = said
        self.count += 1
