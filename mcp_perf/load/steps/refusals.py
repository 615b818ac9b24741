"""Sessions that were lost, or could not be opened: notes for the journal, once a second."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from mcp_perf.client.protocol.session_loss import is_full, without_numbers
from mcp_perf.client.reply import NOT_REOPENED, REOPENED, Reply
from mcp_perf.results.journal.records import Note

MOST_GROUPS: Final = 50
_OTHERS: Final = "other messages"


_LOST_HOW: Final = {
    "forgot": "the server no longer knows the session",
    "evicted": "the server closed it to make room for another",
    "restarted": "the server had ended or restarted",
    "elsewhere": "the server does not know the session it has just opened",
}
_AGAIN: Final = {True: "", False: " and could not be opened again"}


@dataclass(eq=False, slots=True)
class Losses:
    """Lost sessions, each counted by the call that opened another one, or tried to."""

    _counts: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    """By arm, how they were lost, and whether others were opened in their place."""

    def add(self, arm: str, reply: Reply) -> None:
        if reply.session_lost in (REOPENED, NOT_REOPENED):
            self._counts[arm, reply.healed, reply.session_lost == REOPENED] += 1

    def take(self, node: str, at_s: float) -> Iterator[Note]:
        """Return what was counted since the last time."""
        taken, self._counts = self._counts, Counter()
        for (arm, how, again), count in taken.items():
            yield Note(
                at_s=at_s,
                code="session_lost",
                text=f"sessions of {arm} were lost{_AGAIN[again]}: {_LOST_HOW[how]}",
                arm=arm,
                node=node,
                count=count,
                kind=how,
            )


@dataclass(eq=False, slots=True)
class Refusals:
    """Failed requests outside of rounds, such as opening a session, by their message.

    Messages that differ only in numbers count as the same.
    """

    _said: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """By arm, request and message without its numbers: the first message of the kind."""
    _counts: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)

    def add(self, arm: str, name: str, reply: Reply) -> None:
        """Count one; its class is a part of what is compared."""
        after = f" (Retry-After: {reply.retry_after_s:g} s)" if reply.retry_after_s else ""
        said = f"{reply.detail}{after}"
        key = (arm, name, without_numbers(f"{reply.outcome} {said}"))
        if key not in self._said and len(self._said) >= MOST_GROUPS:
            said = _OTHERS
        else:
            said = self._said.setdefault(key, said)
        self._counts[arm, name, reply.outcome, said] += 1

    def take(self, node: str, at_s: float) -> Iterator[Note]:
        """Return what was counted since the last time."""
        taken, self._counts = self._counts, Counter()
        for (arm, name, outcome, said), count in taken.items():
            yield Note(
                at_s=at_s,
                code="setup_failed",
                text=f"{name} of {arm} failed outside of rounds ({outcome}): {said}",
                arm=arm,
                node=node,
                count=count,
                kind="refused" if name == "initialize" and is_full(said) else "",
            )
