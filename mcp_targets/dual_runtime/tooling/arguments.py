"""The form of a tool's arguments, from its signature, for every way in."""

import inspect
import typing
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from mcp_targets.dual_runtime.errors import ToolFailure
from mcp_targets.dual_runtime.tooling.metadata import Function


def model_of(name: str, function: Function) -> type[BaseModel]:
    """Return a model with a field for each parameter; other arguments are refused."""
    hints = typing.get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        required = parameter.default is inspect.Parameter.empty
        fields[parameter.name] = (hints[parameter.name], ... if required else parameter.default)
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def check(model: type[BaseModel], given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with defaults filled in. Raises ToolFailure that lists every problem."""
    try:
        checked = model.model_validate(given)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_url=False)
        ]
        message = "; ".join(problems)
        raise ToolFailure("BAD_ARGUMENTS", message, "tools_get_schema shows the form") from None
    return {name: getattr(checked, name) for name in model.model_fields}
