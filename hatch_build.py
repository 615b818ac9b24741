"""Put what ships from the folders of the user into the wheel, as `mcp_perf/shipped`.

An editable install finds it in the checkout: a copy would be stale after the next edit.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("scenarios", "reports/templates", "locustfiles")


class Shipped(BuildHookInterface):
    """Maps the files of the three folders."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Tell the builder where each file goes."""
        if version == "editable":
            return
        for folder in (Path(self.root, name) for name in FOLDERS):
            for path in folder.rglob("*.*"):
                if path.suffix not in {".md", ".pyc"}:
                    inside = f"{folder.name}/{path.relative_to(folder).as_posix()}"
                    build_data["force_include"][str(path)] = f"mcp_perf/shipped/{inside}"
