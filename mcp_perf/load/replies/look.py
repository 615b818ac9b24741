"""Looks at ok replies for errors in disguise, empty replies, and replies that never differ."""

from dataclasses import dataclass, field
from typing import Any, Final
from zlib import crc32

import msgspec

from mcp_perf.client.reply import UNREADABLE, Reply
from mcp_perf.load.replies.cpu_share import CpuShare
from mcp_perf.load.replies.shown import shown
from mcp_perf.load.replies.suspicion import suspicion
from mcp_perf.outcomes import OK
from mcp_perf.results.journal.records import LookedReplies

LOOKS_SHARE: Final = 0.005
"""Of the CPU time that calls take without the looks."""
_MOST_KINDS: Final = 16
"""How many different replies are counted; a tool that always says the same has one."""


class _AsItCame(msgspec.Struct):
    result: msgspec.Raw


_decode: Final = msgspec.json.Decoder(_AsItCame).decode


@dataclass(eq=False, slots=True)
class ReplyLook:
    """What the ok replies of one step since the last `take` looked like."""

    arm: str
    step: str
    share: CpuShare
    looked: int = 0
    _like_errors: int = 0
    _empty: int = 0
    _example: str = ""
    """The first reply that looks like an error."""
    _alike: dict[str, int] = field(default_factory=dict)
    _asked: dict[str, int] = field(default_factory=dict)
    """Digest of a reply -> digest of the arguments of the first call that got it."""
    _varied: set[str] = field(default_factory=set)
    """Digests of replies that came for different arguments."""

    def at(self, reply: Reply, arguments: Any) -> None:
        """Look at a reply; `arguments` are None if the arguments of the step never change."""
        begun_ns = self.share.begin()
        if reply.outcome == OK:
            self._see(reply, arguments)
        if begun_ns:
            self.share.end(begun_ns)

    def take(self, turn: int) -> LookedReplies:
        """Return what was seen, and begin anew."""
        seen = LookedReplies(
            turn=turn,
            arm=self.arm,
            step=self.step,
            looked=self.looked,
            like_errors=self._like_errors,
            empty=self._empty,
            example=self._example,
            alike=self._alike,
            varied=sorted(self._varied),
        )
        self.looked = self._like_errors = self._empty = 0
        self._example, self._alike = "", {}
        return seen

    def _see(self, reply: Reply, arguments: Any) -> None:
        try:
            raw = _decode(reply.body).result
            result = msgspec.json.decode(raw)
        except UNREADABLE:
            return
        if not isinstance(result, dict):
            return
        self.looked += 1
        found = suspicion(result)
        if found == "error":
            self._like_errors += 1
            self._example = self._example or shown(reply.body)
        elif found == "empty":
            self._empty += 1
        elif arguments is not None:
            self._compare(f"{crc32(raw):08x}", crc32(msgspec.json.encode(arguments)))

    def _compare(self, digest: str, asked: int) -> None:
        """Count a reply among the replies with the same bytes."""
        if digest not in self._asked:
            if len(self._asked) == _MOST_KINDS:
                return
            self._asked[digest] = asked
        elif self._asked[digest] != asked:
            self._varied.add(digest)
        self._alike[digest] = self._alike.get(digest, 0) + 1
