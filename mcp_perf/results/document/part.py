"""What all parts of the document share."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from mcp_perf.results.document.text import shown


class DocumentPart(BaseModel):
    """A part of the document: frozen, nothing undeclared gets in, and no text can act in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _harmless(cls, values: Any) -> Any:
        return shown(values)

    def as_json(self) -> str:
        """Return it as indented JSON with a final newline; NaN and infinity become null."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


VerdictName = Literal["PASS", "FAIL", "INCONCLUSIVE", "INVALID"]
SearchEnd = Literal[
    "knee", "held", "lowest", "generator", "own_limit", "unsteady", "did_not_recover", "unfinished"
]


class RateTrial(DocumentPart):
    """One trial of a search."""

    round: int
    rate_per_s: float
    held: bool
    broke_by: list[str]


class Reason(DocumentPart):
    """One reason; docs/explanation/measurement.md lists the codes."""

    code: str
    text: str

    @property
    def line(self) -> str:
        """The sentence, followed by the code."""
        return f"{self.text} ({self.code})"
