"""Tools about tools, for clients that cannot handle the whole list at once."""

import msgspec

from mcp_targets.dual_runtime.errors import ToolFailure
from mcp_targets.dual_runtime.groups.fields import Id, Object, Result
from mcp_targets.dual_runtime.tooling.metadata import tool_metadata
from mcp_targets.dual_runtime.tooling.registry import Tool, ToolRegistry
from mcp_targets.dual_runtime.tooling.router import RuntimeRouter

CATEGORY = "meta"


class MetaTools:
    """List categories and tools, show a schema, call a tool by name."""

    def __init__(self, registry: ToolRegistry, router: RuntimeRouter) -> None:
        self._registry = registry
        self._router = router

    @tool_metadata(category=CATEGORY, runtime="fastapi")
    async def tools_list_categories(self) -> Result:
        """Count the tools of each category."""
        return {"categories": self._registry.categories()}

    @tool_metadata(category=CATEGORY, runtime="fastapi")
    async def tools_list_tools(self, category: Id | None = None) -> Result:
        """List the tools of a category, or all."""
        found = list(self._registry)
        if category is not None:
            found = self._registry.find("category", category)
        return {"tools": [_in_short(tool) for tool in found]}

    @tool_metadata(category=CATEGORY, runtime="fastapi")
    async def tools_get_schema(self, name: Id) -> Result:
        """Show a tool's arguments and metadata."""
        tool = self._registry.get(name)
        known = msgspec.structs.asdict(tool.metadata)
        known.pop("mcp_schema")
        return {"name": name, "schema": tool.schema, "metadata": known}

    @tool_metadata(category=CATEGORY)
    async def tools_dispatch(self, name: Id, arguments: Object | None = None) -> Result:
        """Call any other tool by its name."""
        tool = self._registry.get(name)
        if tool.metadata.category == CATEGORY:
            raise ToolFailure("NOT_DISPATCHED", f"call {name} itself")
        return await self._router.call(name, arguments or {})


def _in_short(tool: Tool) -> dict[str, str]:
    known = tool.metadata
    return {"name": known.name, "category": known.category, "description": known.mcp_description}
