"""How certificates are checked."""

from typing import Self

from pydantic import model_validator

from mcp_perf.scenario.model.fields import Flag, Part
from mcp_perf.scenario.problems.wording import InputError


class Tls(Part):
    """How the target's certificate is checked."""

    verify: Flag = True
    ca: str | None = None
    """A file with certificates to trust, in the scenario's folder."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.ca is not None and not self.verify:
            raise InputError("verify: false checks no certificate, so ca has no use", "keep one")
        return self
