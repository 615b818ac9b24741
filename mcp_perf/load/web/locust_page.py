"""Our part of Locust's own page: a link to the live page, and Host only if it has a meaning."""

import functools
import re
from pathlib import Path
from typing import Any, Final

from flask import request

from mcp_perf.load.web.admission import LIVE
from mcp_perf.results.render.files import html
from mcp_perf.scenario.catalog import own, shipped
from mcp_perf.scenario.problems.problem import ScenarioError
from mcp_perf.scenario.source.yaml_reader import read

_END: Final = "</body>"
_PLAIN: Final = re.compile(r"[\w-]+")
"""Names that a style sheet accepts without quotes."""


def install(web_ui: Any, *, hides_host: bool) -> None:
    """Add our part to Locust's page whenever a browser asks for it."""
    base = web_ui.environment.parsed_options.web_base_path or ""

    @web_ui.app.after_request  # type: ignore[untyped-decorator, unused-ignore]
    def amended(response: Any) -> Any:
        if request.path == f"{base}/" and response.mimetype == "text/html":
            given = {"live": f"{base}{LIVE}", "hides_host": hides_host, "of_one_arm": of_one_arm()}
            ours = html.page("live_link.html.j2", (), **given)
            response.set_data(response.get_data(as_text=True).replace(_END, ours + _END))
        return response


def of_one_arm() -> list[str]:
    """Return the names of the scenarios with a single arm: only there, a host has a meaning."""
    files = [file for file in (*shipped(), *own()) if file.is_file()]
    found = (
        file.stem.replace("_", "-") for file in files if _arms(file, file.stat().st_mtime) == 1
    )
    return sorted({name for name in found if _PLAIN.fullmatch(name)})


@functools.lru_cache(maxsize=1000)
def _arms(file: Path, _changed: float) -> int:
    try:
        tree = read(file.read_text("utf-8")).tree
    except (OSError, ValueError, ScenarioError):
        return 0
    arms = tree.get("arms") if isinstance(tree, dict) else None
    return len(arms) if isinstance(arms, dict) else 0
