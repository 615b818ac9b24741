"""The document's parts on a target, besides the times of its calls: what it used, held and sent."""

from mcp_perf.results.document.part import DocumentPart


class Memory(DocumentPart):
    """Resident memory in bytes, over the measured rounds."""

    start: float | None = None
    max: float | None = None
    end: float | None = None


class ResourceNumbers(DocumentPart):
    """What the arm's target used in the measured rounds; null if it was not sampled."""

    source: str = ""
    """Where it was read: the processes, the container, the metrics page."""
    why_not: str = ""
    """Why it was not sampled."""
    cpu: float | None = None
    """Fraction of one core, above 1 if several are used."""
    cpu_per_journey_ms: float | None = None
    rss_bytes: Memory = Memory()
    growth_per_hour: float | None = None
    """Slope of the resident memory, as a fraction of its mean per hour of the run."""
    growth_ci95: tuple[float, float] | None = None
    growth_why_not: str = ""
    threads: int | None = None
    """At most."""
    fds: int | None = None
    """Open file descriptors, at most."""
    processes: int | None = None
    """At most."""


class SessionNumbers(DocumentPart):
    """Open sessions, and the memory held for them; null if it was not read, or there are none.

    An arm's sessions have its target's memory; the generator's are all arms', with its own memory.
    """

    most: int | None = None
    """Open at once."""
    streams: int | None = None
    """Streams of sessions (GET) that were open at once, at most."""
    left: int | None = None
    """Still open when all users had closed theirs."""
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


class UpstreamNumbers(DocumentPart):
    """What the simulated providers behind a bundled system were asked, by their own count."""

    requests: int
    connections: int
    """Opened."""
    requests_per_journey: float | None
    """By journeys with every step ok."""
    connections_per_journey: float | None
    max_in_parallel: int
    """The most requests, to all providers together, that were under way at once."""


class ContextNumbers(DocumentPart):
    """What an MCP server costs a model's context."""

    tools: int = 0
    tools_list_bytes: int = 0
    tools_list_tokens: float | None = None
    result_tokens: float | None = None
    """Of the mean answer that was ok."""
    estimator: str = ""
