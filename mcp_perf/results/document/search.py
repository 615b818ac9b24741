"""The parts of the document that describe a search for the capacity, without times."""

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
