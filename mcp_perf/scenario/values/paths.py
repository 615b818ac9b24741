"""Files that a scenario names: inside its own folder, or refused."""

from pathlib import Path, PurePosixPath, PureWindowsPath

from mcp_perf.scenario.problems.wording import InputError, quote


def inside(base: Path, name: str) -> Path:
    """Return the file `name` in the folder `base`, or one of its folders.

    Raises InputError for an absolute path, for `..`, for a link that leads out, and if there is no
    such file.
    """
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or PureWindowsPath(name).anchor or ".." in pure.parts or "\0" in name:
        hint = "put the file beside the scenario and write its name"
        raise InputError(f"the file {quote(name)} is outside the scenario's folder", hint)
    path = base / pure
    if not path.is_file():
        hint = "write its path as seen from the scenario's folder"
        raise InputError(f"there is no file {quote(name)}", hint)
    if not path.resolve().is_relative_to(base.resolve()):
        hint = "copy the file into the scenario's folder"
        raise InputError(f"{quote(name)} is a link that leads out of the scenario's folder", hint)
    return path
