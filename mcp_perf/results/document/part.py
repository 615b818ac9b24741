"""What all parts of the document share."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class DocumentPart(BaseModel):
    """A part of the document: frozen, and nothing undeclared gets in."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def as_json(self) -> str:
        """Write it as JSON, indented, with a last newline; NaN and infinity become null."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


VerdictName = Literal["PASS", "FAIL", "INCONCLUSIVE", "INVALID"]
