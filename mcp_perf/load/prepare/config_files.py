"""Locust's configuration files: a file in the current folder must not decide anything that matters.

Locust reads `~/.locust.conf`, `locust.conf` and `pyproject.toml` unasked. If the folder is somebody
else's, such a file must not make us run its commands or write to the files that it names.
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
"""Options that say what to run or load, or which files to read and write."""


def ignore() -> None:
    """Keep Locust from reading these files: `mcp-perf` does not have an option to name one."""
    argument_parser.get_empty_argument_parser.__defaults__ = (True, ())
    argument_parser.get_parser.__defaults__ = ((),)


def require_harmless(named: str | None) -> None:
    """Raise Refusal if a file that --config has not `named` sets an option that matters."""
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
    """Yield the options that a file sets and that matter."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as stream:
        try:
            found = argument_parser.LocustConfigParser().parse(stream)
        except configargparse.ConfigFileParserException:
            return  # Locust has reported it
    names = {name.replace("_", "-").lstrip("-") for name in found}
    yield from sorted(names.intersection(_MATTERS))
