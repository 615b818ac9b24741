"""What a session needs from a transport that carries all messages on one channel each way."""

from collections.abc import Callable
from typing import Protocol

Receive = Callable[[bytes], None]
"""Takes a message that came, in the channel's own thread."""
Ended = Callable[[str], None]
"""Hears, once, why no more messages come."""


class Channel(Protocol):
    """Carries messages from and to one server; can be opened again after its end."""

    probes: bool
    """Whether the server may speak 2026-07-28 here, so asking is worthwhile."""
    starting: str
    """What opening it is called among the requests of the setup; empty: it is not worth a name."""
    timeout_s: float
    """How long a call may take that does not have its own timeout."""
    start_timeout_s: float
    """How long the first answer may take, counted from the opening."""

    def open(self, receive: Receive, ended: Ended) -> None:
        """Open it. Raises ConnectError if nobody is there."""

    def send(self, message: bytes, timeout_s: float) -> None:
        """Send one message. Raises SendError, CallTimeout, or SessionGone if nothing was done."""

    def close(self) -> None:
        """Close it and end what it started; closing twice is fine."""

    def last_line(self) -> str:
        """Return the last line that a server which it started wrote to its standard error."""
        return ""

    def remarks(self) -> list[str]:
        """Return what was odd but not a reason to stop; after its end, everything that was."""
        return []

    def pids(self) -> list[int]:
        """Return the processes that it started and that are still running."""
        return []
