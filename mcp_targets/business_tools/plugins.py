"""Plugins: tools from modules in a folder, and from entry points of installed packages."""

import importlib.util
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Final

from mcp_targets.business_tools.tools.tool import Tool

GROUP: Final = "mcp_perf.business_tools"


def load(folder: Path | None) -> dict[str, Tool]:
    """Return the plugins' tools by name. Raises a ValueError that names the plugin.

    A plugin is a module with `VERSION` and `TOOLS`, a list of `Tool`. Each call reads the modules
    in the folder again.
    """
    paths = sorted(folder.glob("*.py")) if folder is not None else []
    modules = [_read(path) for path in paths]
    modules += [point.load() for point in entry_points(group=GROUP)]
    found: dict[str, Tool] = {}
    for module in modules:
        for tool in _tools(module):
            if tool.name in found:
                raise ValueError(f"two plugins have a tool {tool.name!r}")
            found[tool.name] = tool
    return found


def _read(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"business_tools_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"plugin {path.name}: not a Python module")
    module = importlib.util.module_from_spec(spec)
    try:
        # Compiled from its source: a cached file of the same size could be outdated.
        code = compile(path.read_text("utf-8"), str(path), "exec")
        exec(code, module.__dict__)  # noqa: S102 -- a plugin is code
    except Exception as error:
        raise ValueError(f"plugin {path.name}: {type(error).__name__}: {error}") from error
    return module


def _tools(module: ModuleType) -> list[Tool]:
    version = getattr(module, "VERSION", None)
    tools = getattr(module, "TOOLS", None)
    if not isinstance(version, str) or not isinstance(tools, list):
        raise ValueError(f"plugin {module.__name__}: needs VERSION and TOOLS")  # noqa: TRY004
    return [Tool(one.name, one.description, one.schema, one.run, version) for one in tools]
