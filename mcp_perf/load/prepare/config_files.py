"""Locust's configuration files: what lies in the current folder decides nothing that matters.

Locust reads `~/.locust.conf`, `locust.conf` and `pyproject.toml` without being asked. If the folder
is somebody else's, these must not run their commands, or write the files that they name.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import configargparse
from locust import argument_parser

from mcp_perf.load.targets.refusal import Refusal

_MATTERS: Final = (
    *("target", "scenario", "set", "arm", "allow"),
    *("out", "store", "baseline"),
    *("html", "html-file", "csv", "json-file", "logfile"),
)
"""Options that say what is run or loaded, or which files are read and written."""


def ignore() -> None:
    """Let Locust read no file of its own accord: `mcp-perf` has no option that names one."""
    argument_parser.get_empty_argument_parser.__defaults__ = (True, ())
    argument_parser.get_parser.__defaults__ = ((),)


def require_harmless(named: str | None) -> None:
    """Refuse what a file decides that was not `named` by --config. Raises Refusal."""
    asked = Path(named).resolve() if named else None
    problems = [
        (
            f"{path}: the file sets {option}, but --config does not name it. "
            f"Remove the line, or add --config {path}"
        )
        for path in map(Path, argument_parser.DEFAULT_CONFIG_FILES)
        if path.expanduser().resolve() != asked
        for option in _decided(path.expanduser())
    ]
    if problems:
        raise Refusal(*problems)


def _decided(path: Path) -> Iterator[str]:
    """Yield the options that matter and are set by a file."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as stream:
        try:
            found = argument_parser.LocustConfigParser().parse(stream)
        except configargparse.ConfigFileParserException:
            return  # Locust has said so
    names = {name.replace("_", "-").lstrip("-") for name in found}
    yield from sorted(names.intersection(_MATTERS))
