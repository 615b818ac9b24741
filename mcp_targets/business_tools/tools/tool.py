"""What a tool is: a name, a model of its arguments, and a function."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from mcp_targets.business_tools.database.connection import Database
from mcp_targets.business_tools.errors import Refused
from mcp_targets.business_tools.upstreams.client import Asking


class Arguments(BaseModel):
    """The arguments of a tool; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


@dataclass(frozen=True)
class Context:
    """What a tool works with, and the tenant that it works for."""

    upstreams: Asking
    database: Database
    tenant: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Settings that are not secret, such as the account to work in."""

    async def ask(self, provider: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make one request to a provider; return it as a tool's answer. Raises ToolFailure."""
        found = await self.upstreams.ask(provider, operation, arguments, tenant=self.tenant)
        cached = found.pop("cached")
        return {"provider": provider, "operation": operation, "cached": cached, "result": found}


Run = Callable[[Any, Context], Awaitable[dict[str, Any]]]

OUTPUT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "provider": {"type": "string"},
        "operation": {"type": "string"},
        "cached": {"type": "boolean", "description": "The answer was kept from an earlier call."},
        "result": {"type": "object", "description": "What the provider answered."},
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "details": {"type": "object"},
                "hint": {"type": "string"},
            },
            "required": ["code", "message", "details", "hint"],
        },
    },
    "anyOf": [{"required": ["provider", "operation", "cached", "result"]}, {"required": ["error"]}],
}
"""The JSON Schema of every tool's answer."""


@dataclass(frozen=True)
class Tool:
    """A tool as it is listed and called."""

    name: str
    description: str
    schema: dict[str, Any]
    run: Run
    version: str = "1.0.0"

    @classmethod
    def of(cls, name: str, model: type[Arguments], run: Run) -> "Tool":
        """Return a tool whose arguments are a pydantic model's; its docstring describes it."""

        async def checked(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
            try:
                given = model.model_validate(arguments)
            except ValidationError as error:
                raise invalid(error) from error
            return await run(given, context)

        return cls(name, (model.__doc__ or "").strip(), model.model_json_schema(), checked)


def invalid(error: ValidationError) -> Refused:
    """Say which argument is wrong. The value is left out because it may be a secret."""
    first = error.errors(include_url=False, include_input=False)[0]
    at = ".".join(str(part) for part in first["loc"]) or "the arguments"
    return Refused("INVALID_ARGUMENTS", f"{at}: {first['msg']}", "See the tool's schema.")


def needed(**values: Any) -> None:
    """Raise Refused if one of the values that an operation needs is missing."""
    if missing := [name for name, value in values.items() if value in (None, "", [], {})]:
        message = f"this operation needs {' and '.join(missing)}"
        raise Refused("INVALID_ARGUMENTS", message, "See the tool's schema.")
