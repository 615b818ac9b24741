"""The parts of the document that are about sessions."""

from reports.part import Part


class SessionNumbers(Part):
    """Open sessions, and the memory held for them; null where it was not read, or there are none.

    Of an arm with the memory of its target; of the load generator for all arms with its own.
    """

    most: int | None = None
    """Open at once."""
    streams: int | None = None
    """Streams of sessions (GET) that were open at once, at most."""
    left: int | None = None
    """Open when all users had closed theirs."""
    kib: float | None = None
    """Resident memory for each session, in KiB."""
    kib_ci95: tuple[float, float] | None = None
    levels: int = 0
    """Different numbers of open sessions at which the memory was read."""
    why_not: str = ""
    """Why there is no number, or no interval."""
    rss_before: int | None = None
    """Resident memory in bytes, before the first session."""
    rss_open: int | None = None
    """With the most sessions open, before the calls of that level."""
    rss_after: int | None = None
    """When they had been closed."""


class SessionPoint(Part):
    """How many sessions of an arm were open at a moment."""

    at_s: float
    arm: str
    open: int
    streams: int
