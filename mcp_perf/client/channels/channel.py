"""What a session needs of the transport below it, where all messages go by one channel each way."""

from collections.abc import Callable
from typing import Protocol

Receive = Callable[[bytes], None]
"""Takes a message that came, in the channel's own thread."""
Ended = Callable[[str], None]
"""Is told, once, why no more messages come."""


class Channel(Protocol):
    """Carries messages from and to one server; can be opened again after its end."""

    probes: bool
    """Whether the server may speak 2026-07-28 here, so that it is worth to ask."""
    starting: str
    """What opening it is called among the requests of setting up; empty: nothing worth a name."""
    timeout_s: float
    """How long a call may take that says nothing else."""
    start_timeout_s: float
    """How long the first answer may take, counted from the opening."""

    def open(self, receive: Receive, ended: Ended) -> None:
        """Open it. Raises ConnectError where there is nobody."""

    def send(self, message: bytes, timeout_s: float) -> None:
        """Send one message. Raises SendError, CallTimeout, or SessionGone if nothing was done."""

    def close(self) -> None:
        """Close it and end what it started; closing twice is fine."""

    def last_line(self) -> str:
        """Return the last line that a server which it started wrote to its standard error."""
        return ""

    def remarks(self) -> list[str]:
        """Return what was odd, and is no reason to stop; after its end, all that was."""
        return []

    def pids(self) -> list[int]:
        """Return the processes that it started and that run."""
        return []
