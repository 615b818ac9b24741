"""What all parts of the document share."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of the document: frozen, and nothing undeclared gets in."""

    model_config = ConfigDict(frozen=True, extra="forbid")
