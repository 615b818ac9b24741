"""The document's part on change within a run."""

from typing import Final, Literal, get_args

from mcp_perf.results.document.part import DocumentPart

Steady = Literal["journey_p50", "throughput"]
STEADY: Final[tuple[Steady, ...]] = get_args(Steady)
"""What does not change by itself under a load that does not."""


class Drift(DocumentPart):
    """How one metric of an arm changed over the rounds."""

    metric: Steady
    change: float
    """A fraction: from the first round to the last, or after a step."""
    ci95: tuple[float, float]
    after_round: int | None = None
    """The last round before a step; null for a line. A step is here only where it is shown."""
    rounds: int
    """How many it was seen in."""
