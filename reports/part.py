"""What every part of the document is."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of the document: frozen, and nothing undeclared gets in."""

    model_config = ConfigDict(frozen=True, extra="forbid")
