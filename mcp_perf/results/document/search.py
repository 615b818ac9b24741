"""The document's parts on a search for the capacity that hold no times."""

from typing import Literal

from mcp_perf.results.document.part import DocumentPart

SearchEnd = Literal[
    "knee", "held", "lowest", "generator", "own_limit", "unsteady", "did_not_recover", "unfinished"
]


class RateTrial(DocumentPart):
    """One trial of a search."""

    round: int
    rate_per_s: float
    held: bool
    broke_by: list[str]
