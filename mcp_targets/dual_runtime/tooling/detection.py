"""The runtime that a tool belongs on: the order of the checks, and the words in names."""

import re
from typing import Final, Literal

from mcp_targets.dual_runtime.tooling.metadata import Function, ToolMetadata, metadata_of
from mcp_targets.dual_runtime.tooling.registry import ToolRegistry

Loop = Literal["fastapi", "trio", "here"]
"""`here` is for tools that only forward calls: they stay on the server's loop."""

P2P_WORDS: Final = frozenset(
    {"p2p", "peer", "peers", "task", "queue", "worker", "workflow", "trio"}
)
"""A tool whose name has one of these as a whole word is a peer-to-peer tool."""
P2P_MODULES: Final = frozenset({"p2p", "trio"})
"""Parts of a module's path that mean the same."""
DEFAULT: Final[Loop] = "fastapi"


class Detector:
    """Decide by the first of: cache, registry, decorator, module, name, default."""

    def __init__(self, registry: ToolRegistry) -> None:
        self._registry = registry
        self._cache: dict[str, Loop] = {}

    def register(self, name: str, loop: Loop) -> None:
        """Set a tool's runtime explicitly; this takes precedence over everything."""
        self._cache[name] = loop

    def loop(self, name: str, function: Function | None = None) -> Loop:
        if name not in self._cache:
            self._cache[name] = self._look(name, function)
        return self._cache[name]

    def _look(self, name: str, function: Function | None) -> Loop:
        known = self._registry.get(name).metadata if name in self._registry else None
        attached = None if function is None else metadata_of(function)
        for metadata in (known, attached):
            if metadata is not None and (said := _said(metadata)):
                return said
        module = getattr(function, "__module__", "") or ""
        if P2P_MODULES & set(module.split(".")):
            return "trio"
        if P2P_WORDS & set(re.split(r"[^a-z0-9]+", name.lower())):
            return "trio"
        return DEFAULT


def _said(metadata: ToolMetadata) -> Loop | None:
    if metadata.runtime == "fastapi":
        return "fastapi"
    return "trio" if metadata.runtime == "trio" or metadata.requires_p2p else None
