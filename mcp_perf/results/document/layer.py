"""One step of a waterfall, as the document has it; `layers.py` computes them."""

from pydantic import ConfigDict, Field

from mcp_perf.results.document.part import DocumentPart


class Layer(DocumentPart):
    """What one layer adds to the time of a journey: the next arm's, less that of the one below."""

    from_: str = Field(validation_alias="from", serialization_alias="from")
    """The arm below."""
    to: str
    from_ms: float | None
    """Median time of a journey through the arm below, mean over the rounds."""
    to_ms: float | None
    cost_ms: float | None
    """The mean of the rounds' differences; negative where the layer is faster."""
    ci95: tuple[float, float] | None
    warnings: list[str] = Field(default_factory=list)

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
