"""What all parts of the model share, and how their values are read."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mcp_perf.scenario.values import units

Seconds = Annotated[float, BeforeValidator(units.seconds)]
PositiveSeconds = Annotated[float, BeforeValidator(units.positive_seconds)]
PerSecond = Annotated[float, BeforeValidator(units.per_second)]
Fraction = Annotated[float, BeforeValidator(units.fraction)]
Whole = Annotated[int, Field(strict=True)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]


class Part(BaseModel):
    """A part of a scenario."""

    model_config = ConfigDict(frozen=True, extra="forbid")
