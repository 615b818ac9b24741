"""Where the files that ship with the suite are, and where runs go.

The wheel carries scenarios, templates and the locustfile as `mcp_perf/shipped`; a checkout has them
in its top-level folders.
"""

import itertools
import os
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent
_CHECKOUT: Final = {
    "scenarios": "scenarios",
    "templates": "reports/templates",
    "locustfiles": "locustfiles",
}
_ELSEWHERE: Final = "mcp-perf-out"
"""Not `reports`, because a user may have a package of that name."""


def shipped(name: str) -> Path:
    """Return the folder of `scenarios`, `templates` or `locustfiles`."""
    shipped = _HERE / "shipped" / name
    return shipped if shipped.is_dir() else _HERE.parent / _CHECKOUT[name]


def runs(here: Path = Path()) -> Path:
    """Return the folder of all runs that begin `here`: `reports/out` if that is a checkout."""
    marks = (here / "mcp_perf", here / _CHECKOUT["templates"] / "report.html.j2")
    return here / ("reports/out" if all(mark.exists() for mark in marks) else _ELSEWHERE)


def unused(folder: Path) -> Path:
    """Return a folder of this name that does not exist, with a number appended if needed."""
    numbered = (folder.with_name(f"{folder.name}-{count}") for count in itertools.count(2))
    return next(path for path in itertools.chain([folder], numbered) if not path.exists())


def keep_private() -> None:
    """Let nobody else read what this process and its children write: replies of servers, too."""
    os.umask(0o077)


def make(folder: Path) -> None:
    """Make a folder that a run writes to. Below `mcp-perf-out`, git ignores it."""
    folder.mkdir(parents=True, exist_ok=True)
    for above in (folder, *folder.parents):
        if above.name == _ELSEWHERE and not (ignored := above / ".gitignore").exists():
            ignored.write_text("*\n", encoding="utf-8")
