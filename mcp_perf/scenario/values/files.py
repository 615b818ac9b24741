"""Files that a scenario names: inside its own folder, or refused; CSV files with named columns."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from mcp_perf.scenario.problems.wording import InputError, quote
from mcp_perf.scenario.values.templates import compile_template

VARIABLE: Final = re.compile(r"\$\{env:[^{}]*\}")
_LARGEST_FILE: Final = 16 * 1024 * 1024


def read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the names of the columns, and the rows with their lines; empty lines are left out.

    Raises InputError. A message names the file and never quotes what is in it.
    """
    if path.stat().st_size > _LARGEST_FILE:
        raise InputError(f"{quote(path.name)} is larger than 16 MiB", "make it smaller")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            (_, names), *rows = [(reader.line_num, row) for row in reader if row] or [(0, [])]
    except (UnicodeDecodeError, csv.Error) as error:
        why = error.reason if isinstance(error, UnicodeDecodeError) else error
        message = f"{quote(path.name)} cannot be read: {why}"
        raise InputError(message, "save it as CSV in UTF-8") from None
    except OSError as error:
        message = f"{quote(path.name)} cannot be read: {error.strerror}"
        raise InputError(message, "check its permissions") from None
    return names, rows


def named(written: str, env: Mapping[str, str], base: Path) -> Path:
    """Return the file, inside a folder unless `${env:NAME}` says otherwise. Raises InputError."""
    template = compile_template(written, env)
    if not template.constant:
        raise InputError(f"{quote(written)} contains ${{…}}", "only ${env:NAME} can be used here")
    name = str(template.render({}))
    if not VARIABLE.fullmatch(written):
        return inside(base, name)
    path = base / name  # whoever sets the environment may name any file
    if not name or not path.is_file():
        hint = "set the variable to the path of an existing file"
        raise InputError(f"the path in {quote(written)} is not a file", hint)
    return path


def inside(base: Path, name: str) -> Path:
    """Return the file `name` in the folder `base`, or one of its folders.

    Raises InputError for an absolute path, for `..`, for a link that leads out, and if there is no
    such file.
    """
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or PureWindowsPath(name).anchor or ".." in pure.parts or "\0" in name:
        hint = "put the file next to the scenario and write its name"
        raise InputError(f"the file {quote(name)} is outside the scenario's folder", hint)
    path = base / pure
    if not path.is_file():
        hint = "write its path relative to the scenario's folder"
        raise InputError(f"there is no file {quote(name)}", hint)
    if not path.resolve().is_relative_to(base.resolve()):
        hint = "copy the file into the scenario's folder"
        raise InputError(f"{quote(name)} is a link to a file outside the scenario's folder", hint)
    return path
