"""The tools by name, category and runtime."""

import inspect
import typing
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from mcp_targets.dual_runtime.errors import NotFound, ToolFailure
from mcp_targets.dual_runtime.tooling.metadata import Function, ToolMetadata, metadata_of


class Tool(msgspec.Struct, frozen=True):
    """A function, its metadata, and the model of its arguments."""

    metadata: ToolMetadata
    function: Function
    model: type[BaseModel]

    @property
    def schema(self) -> dict[str, Any]:
        return self.metadata.mcp_schema or self.model.model_json_schema()

    def check(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments with defaults filled in. Raises a ToolFailure with all problems."""
        try:
            checked = self.model.model_validate(given)
        except ValidationError as error:
            problems = [
                f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
                for problem in error.errors(include_url=False)
            ]
            message = "; ".join(problems)
            raise ToolFailure("BAD_ARGUMENTS", message, "tools_get_schema shows the form") from None
        return {name: getattr(checked, name) for name in self.model.model_fields}


class ToolRegistry:
    """Hold tools by name."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}

    def register(self, function: Function, metadata: ToolMetadata | None = None) -> Tool:
        """Add a tool, replacing any of the same name. Raises ValueError."""
        known = metadata or metadata_of(function)
        if known is None:
            raise ValueError(f"{function!r} has no metadata: decorate it with @tool_metadata")
        tool = Tool(known, function, _model(known.name, function))
        self._tools[known.name] = tool
        return tool

    def register_all(self, owner: object) -> None:
        """Add every decorated method of an object."""
        for name in vars(type(owner)):
            if metadata_of(getattr(owner, name)) is not None:
                self.register(getattr(owner, name))

    def get(self, name: str) -> Tool:
        """Return a tool. Raises NotFound."""
        if name not in self._tools:
            hint = "tools_list_tools names them all"
            raise NotFound("UNKNOWN_TOOL", f"there is no tool {name!r}", hint)
        return self._tools[name]

    def find(self, field: str, value: Any) -> list[Tool]:
        """Return the tools whose metadata field has this value, sorted by name."""
        every = sorted(self._tools.items())
        return [tool for _, tool in every if getattr(tool.metadata, field) == value]

    def categories(self) -> dict[str, int]:
        """Return how many tools each category has."""
        return dict(sorted(Counter(tool.metadata.category for tool in self).items()))

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())


def _model(name: str, function: Function) -> type[BaseModel]:
    """Return a model with a field for each parameter; other arguments are refused."""
    hints = typing.get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        required = parameter.default is inspect.Parameter.empty
        fields[parameter.name] = (hints[parameter.name], ... if required else parameter.default)
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
