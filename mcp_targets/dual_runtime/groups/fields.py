"""The types of arguments that several tools share."""

from typing import Annotated, Any

from pydantic import Field

Id = Annotated[str, Field(min_length=1, max_length=100)]
Priority = Annotated[int, Field(ge=0, le=10, description="0 to 10; the higher goes first.")]
Limit = Annotated[int, Field(ge=1, le=1000, description="How many to return at most.")]
WaitMs = Annotated[
    float, Field(ge=0, le=60_000, description="Wait this long for the end, in milliseconds.")
]
Timeout = Annotated[float, Field(gt=0, le=60_000, description="In milliseconds.")]
Term = Annotated[str, Field(min_length=1, max_length=300)]
Few = Annotated[int, Field(ge=1, le=100)]
Words = Annotated[list[str], Field(max_length=50)]
Object = dict[str, Any]
Result = dict[str, Any]
"""What every tool returns: a JSON object."""
