"""The tools by name, category and runtime."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
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
        return self.metadata.mcp_schema or arguments.schema(self.model)


class ToolRegistry:
    """Hold tools, and indexes over them that follow every registration."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}
        self._indexes: dict[tuple[str, Any], set[str]] = defaultdict(set)

    def register(self, function: Function, metadata: ToolMetadata | None = None) -> Tool:
        """Add a tool; one of the same name is replaced, in every index. Raises ValueError."""
        known = metadata or metadata_of(function)
        if known is None:
            raise ValueError(f"{function!r} has no metadata: decorate it with @tool_metadata")
        self.unregister(known.name)
        tool = Tool(known, function, arguments.model_of(known.name, function))
        self._tools[known.name] = tool
        for key in _keys(known):
            self._indexes[key].add(known.name)
        return tool

    def register_all(self, owner: object) -> None:
        """Add every decorated method of an object."""
        for name in vars(type(owner)):
            if metadata_of(getattr(owner, name)) is not None:
                self.register(getattr(owner, name))

    def unregister(self, name: str) -> None:
        tool = self._tools.pop(name, None)
        if tool is not None:
            for key in _keys(tool.metadata):
                self._indexes[key].discard(name)

    def get(self, name: str) -> Tool:
        """Return a tool. Raises NotFound."""
        if name not in self._tools:
            hint = "tools_list_tools names them all"
            raise NotFound("UNKNOWN_TOOL", f"there is no tool {name!r}", hint)
        return self._tools[name]

    def find(self, field: str, value: Any) -> list[Tool]:
        """Return the tools whose metadata field has a value, by name."""
        return [self._tools[name] for name in sorted(self._indexes.get((field, value), ()))]

    def categories(self) -> dict[str, int]:
        """Return how many tools each category has."""
        counts = {
            value: len(names)
            for (key, value), names in self._indexes.items()
            if names and key == "category"
        }
        return dict(sorted(counts.items()))

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)


def _keys(metadata: ToolMetadata) -> Iterable[tuple[str, Any]]:
    for field in ("category", "runtime", "requires_p2p", "priority", "deprecated"):
        yield field, getattr(metadata, field)
