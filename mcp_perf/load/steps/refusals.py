"""Sessions that were lost, or could not be opened: notes for the journal, once a second."""

from collections import Counter
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
_AGAIN: Final = {REOPENED: "", NOT_REOPENED: " and could not be opened again"}


@dataclass(eq=False, slots=True)
class SessionNotes:
    """Lost sessions, and failed requests outside of rounds, such as opening a session."""

    _counts: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """By a note's code, arm, text and kind."""
    _said: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """By arm, request and message without its numbers: the first message of the kind."""

    def lost(self, arm: str, reply: Reply) -> None:
        """Count a lost session, by the call that opened another one, or tried to."""
        if reply.session_lost in _AGAIN:
            lost = f"lost{_AGAIN[reply.session_lost]}: {_LOST_HOW[reply.healed]}"
            self._counts["session_lost", arm, f"sessions of {arm} were {lost}", reply.healed] += 1

    def failed(self, arm: str, name: str, reply: Reply) -> None:
        """Count a failed request by class and message; numbers in the message do not matter."""
        after = f" (Retry-After: {reply.retry_after_s:g} s)" if reply.retry_after_s else ""
        said = f"{reply.detail}{after}"
        key = (arm, name, without_numbers(f"{reply.outcome} {said}"))
        if key not in self._said and len(self._said) >= MOST_GROUPS:
            said = _OTHERS
        else:
            said = self._said.setdefault(key, said)
        text = f"{name} of {arm} failed outside of rounds ({reply.outcome}): {said}"
        kind = "refused" if name == "initialize" and is_full(said) else ""
        self._counts["setup_failed", arm, text, kind] += 1

    def take(self, node: str, at_s: float) -> list[Note]:
        """Return what was counted since the last time."""
        taken, self._counts = self._counts, Counter()
        return [
            Note(at_s=at_s, code=code, text=text, arm=arm, node=node, count=count, kind=kind)
            for (code, arm, text, kind), count in taken.items()
        ]
