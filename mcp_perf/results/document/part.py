"""What all parts of the document share."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class DocumentPart(BaseModel):
    """A part of the document: frozen, and nothing undeclared gets in."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


VerdictName = Literal["PASS", "FAIL", "INCONCLUSIVE", "INVALID"]
