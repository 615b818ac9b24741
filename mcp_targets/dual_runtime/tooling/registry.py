"""The tools by name, category and runtime."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
from pydantic import BaseModel

from mcp_targets.dual_runtime.errors import NotFound
from mcp_targets.dual_runtime.tooling import arguments
from mcp_targets.dual_runtime.tooling.metadata import Function, ToolMetadata, metadata_of


class Tool(msgspec.Struct, frozen=True):
    """A function, what is known of it, and the form of its arguments."""

    metadata: ToolMetadata
    function: Function
    model: type[BaseModel]

    @property
    def schema(self) -> dict[str, Any]:
        return self.metadata.mcp_schema or self.model.model_json_schema()


class ToolRegistry:
    """Hold tools by their names."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}

    def register(self, function: Function, metadata: ToolMetadata | None = None) -> Tool:
        """Add a tool; one of the same name is replaced. Raises ValueError."""
        known = metadata or metadata_of(function)
        if known is None:
            raise ValueError(f"{function!r} has no metadata: decorate it with @tool_metadata")
        tool = Tool(known, function, arguments.model_of(known.name, function))
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
        """Return the tools whose metadata field has a value, by name."""
        every = sorted(self._tools.items())
        return [tool for _, tool in every if getattr(tool.metadata, field) == value]

    def categories(self) -> dict[str, int]:
        """Return how many tools each category has."""
        return dict(sorted(Counter(tool.metadata.category for tool in self).items()))

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)
