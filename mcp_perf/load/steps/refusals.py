"""What failed, by what was said: calls, and sessions that were lost or could not be opened."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from mcp_perf.client.protocol.session_loss import is_full
from mcp_perf.client.reply import NOT_REOPENED, REOPENED, Reply
from mcp_perf.results.document.text import wording
from mcp_perf.results.journal.records import Note

MOST_WORDINGS: Final = 20
"""Messages of one kind that are counted apart."""
_OTHERS: Final = "other messages"


_LOST_HOW: Final = {
    "forgot": "the server no longer knows the session",
    "evicted": "the server closed it to make room for another",
    "restarted": "the server had ended or restarted",
    "elsewhere": "the server does not know the session it has just opened",
}
_AGAIN: Final = {REOPENED: "", NOT_REOPENED: " and could not be opened again"}


@dataclass(eq=False, slots=True)
class Wordings:
    """The first message of each wording; messages that differ in numbers only are alike."""

    _first: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)
    """By kind, such as an arm, a step and a class."""

    def first(self, kind: tuple[str, ...], message: str) -> str | None:
        """Return the first message like this one; None if there are too many of its kind."""
        known, said = self._first.setdefault(kind, {}), wording(message)
        if said not in known and len(known) >= MOST_WORDINGS:
            return None
        return known.setdefault(said, message)

    def count(self, counts: dict[str, int], kind: tuple[str, ...], message: str) -> None:
        """Count a message under the first one like it, unless there are too many of its kind."""
        first = self.first(kind, message)
        if first:
            counts[first] = counts.get(first, 0) + 1


@dataclass(eq=False, slots=True)
class SessionNotes:
    """Lost sessions, and failed requests outside of rounds, such as opening a session."""

    _counts: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """By a note's code, arm, text and kind."""
    _wordings: Wordings = field(default_factory=Wordings)

    def lost(self, arm: str, reply: Reply) -> None:
        """Count a lost session, by the call that opened another one, or tried to."""
        if reply.session_lost in _AGAIN:
            lost = f"lost{_AGAIN[reply.session_lost]}: {_LOST_HOW[reply.healed]}"
            self._counts["session_lost", arm, f"sessions of {arm} were {lost}", reply.healed] += 1

    def failed(self, arm: str, name: str, reply: Reply) -> None:
        """Count a failed request by class and message; numbers in the message do not matter."""
        after = f" (Retry-After: {reply.retry_after_s:g} s)" if reply.retry_after_s else ""
        kind = (arm, name, reply.outcome)
        said = self._wordings.first(kind, f"{reply.detail}{after}")
        said = _OTHERS if said is None else said
        text = f"{name} of {arm} failed outside of rounds ({reply.outcome}): {said}"
        full = "refused" if name == "initialize" and is_full(said) else ""
        self._counts["setup_failed", arm, text, full] += 1

    def take(self, node: str, at_s: float) -> list[Note]:
        """Return what was counted since the last time."""
        taken, self._counts = self._counts, Counter()
        return [
            Note(at_s=at_s, code=code, text=text, arm=arm, node=node, count=count, kind=kind)
            for (code, arm, text, kind), count in taken.items()
        ]
