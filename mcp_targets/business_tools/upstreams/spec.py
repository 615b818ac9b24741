"""Provider files: a provider's address, authentication, limits and operations, without code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, Self

import jsonschema_rs
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from mcp_targets.business_tools.errors import Refused
from mcp_targets.business_tools.resilience.limits import RateLimit
from mcp_targets.business_tools.resilience.retry import RetryPolicy

FOLDER: Final = Path(__file__).parent / "catalog"
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Six times as fast, and calls wait while the files are read again."""
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_SAFE_METHODS: Final = frozenset({"GET", "PUT", "DELETE"})
"""RFC 9110, 9.2.2: repeating them has no further effect."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Auth(_Part):
    """How requests authenticate. The secret itself is in the settings, by the provider's name."""

    kind: Literal["bearer", "header", "query", "basic", "oauth2", "none"] = "bearer"
    name: str = "Authorization"
    """The header, or the field of the query."""
    prefix: str = ""
    """What precedes the key in a header."""
    key_format: str = r"\S{8,}"
    """What keys of this provider look like, as a regular expression."""

    @field_validator("key_format")
    @classmethod
    def _check(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return pattern


class Operation(_Part):
    """One request. Arguments that its path does not name go into the query or the body."""

    description: str
    request: str = Field(pattern=r"^(GET|POST|PUT|PATCH|DELETE) /\S*$")
    input: dict[str, dict[str, Any]] = {}
    """JSON Schemas by argument."""
    required: tuple[str, ...] = ()
    encoding: Literal["json", "form"] = "json"
    cache_s: float = Field(0.0, ge=0)
    idempotent: bool = False
    """It may be sent twice although its method does not allow that in general."""
    idempotency_key: str = ""
    """A header by which the provider recognises a repeated request."""
    _validator: Any = PrivateAttr(None)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if unknown := {*_PARAMETER.findall(self.path), *self.required} - set(self.input):
            raise ValueError(f"{min(unknown)!r} is not under input")
        self._validator = jsonschema_rs.validator_for(self.schema_of_input())
        return self

    @property
    def method(self) -> str:
        return self.request.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.request.partition(" ")[2]

    @property
    def in_path(self) -> frozenset[str]:
        return frozenset(_PARAMETER.findall(self.path))

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent twice."""
        return self.idempotent or bool(self.idempotency_key) or self.method in _SAFE_METHODS

    def schema_of_input(self) -> dict[str, Any]:
        """Return the JSON Schema of the arguments."""
        return {
            "type": "object",
            "properties": self.input,
            "required": [*self.required],
            "additionalProperties": False,
        }

    def check(self, arguments: dict[str, Any]) -> None:
        """Raise Refused, with a hint, if the arguments do not fit."""
        for error in self._validator.iter_errors(arguments):
            at = "/".join(str(part) for part in error.instance_path) or "the arguments"
            raise Refused("INVALID_ARGUMENTS", f"{at}: {error.message}", "See the tool's schema.")


class Provider(_Part):
    """A whole provider file."""

    provider: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    category: str
    base_url: str = Field(pattern=r"^https?://[^/?#@]+(/[^?#]*)?$")
    version: str = "1.0.0"
    auth: Auth = Auth()
    rate_limits: tuple[RateLimit, ...] = ()
    retry: RetryPolicy = RetryPolicy()
    tools: bool = True
    """Whether each operation is a tool. If not, tools in code make the requests."""
    operations: dict[str, Operation]

    def tool_names(self) -> Iterator[tuple[str, str]]:
        """Yield the names of the tools, each with its operation."""
        if self.tools:
            for name in self.operations:
                yield f"{self.provider}_{name}", name


def load(path: Path) -> Provider:
    """Read a provider file. Raises a ValueError with its name; no value, which may be secret."""
    try:
        written = yaml.load(path.read_bytes(), _Loader)  # noqa: S506 -- a safe one
        return Provider.model_validate(written)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        said = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong]
        raise ValueError(f"{path.name}: {'; '.join(said)}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def load_all(*folders: Path) -> dict[str, Provider]:
    """Read all provider files of some folders, by the providers' names; later ones win."""
    found = (load(path) for folder in folders for path in sorted(folder.glob("*.yaml")))
    return {provider.provider: provider for provider in found}
