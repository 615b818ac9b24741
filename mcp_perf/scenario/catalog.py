"""Which scenarios there are: by name, in the folders where they are kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mcp_perf import folders
from mcp_perf.scenario.problems.problem import Problem, ScenarioError
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import one_of, quote

SHIPPED: Final = folders.shipped("scenarios")
_CALIBRATION: Final = "calibration"
"""Its scenarios are for `mcp-perf doctor`."""
_FIRST: Final = "start"
_SUFFIXES: Final = (".yaml", ".yml")


def shipped() -> list[Path]:
    """Return the scenario files that come with the suite, by folder and name."""
    return _files(SHIPPED)


def own() -> list[Path]:
    """Return the scenario files in `./scenarios`, by folder and name."""
    return _files(Path.cwd() / "scenarios")


def names() -> list[str]:
    """Return the names that can be asked for: shipped ones, and those of ./scenarios."""
    return sorted({_name(path.name) for path in [*shipped(), *own()]})


def find(name_or_path: str, folders: Sequence[Path] | None = None) -> Path:
    """Return the file of a scenario, given its name (`twilio-tasks`) or its path.

    Names are looked up in `folders`, by default `scenarios` in the current folder and the shipped
    ones; dashes and underscores are the same, and `.yaml` may be left out. Raises ScenarioError,
    also on a name that two different files have: the current folder may be somebody else's.
    """
    path = Path(name_or_path)
    if "\0" not in name_or_path and path.suffix in _SUFFIXES and path.is_file():
        return path
    searched = (Path.cwd() / "scenarios", SHIPPED) if folders is None else folders
    names: dict[str, list[Path]] = {}
    for folder in searched:
        for file in _files(folder):
            names.setdefault(_name(file.name), []).append(file)
    if len(path.parts) == 1 and (known := names.get(_name(name_or_path))):
        return _only(name_or_path, known)
    if path.suffix == ".json" and path.is_file():
        message = f"{quote(name_or_path)} is no scenario: a server of an MCP client's mcpServers"
        hint = f"write --from {name_or_path} SERVER"
        raise ScenarioError([Problem("--scenario", 0, f"{message}, or servers?", hint)])
    hint = suggest(_name(path.name), names) or f"write the path of a {one_of(_SUFFIXES)} file"
    message = f"there is no scenario {quote(name_or_path)}"
    raise ScenarioError([Problem("--scenario", 0, message, hint)])


def _only(name: str, files: Sequence[Path]) -> Path:
    first, *others = files
    for other in others:
        if other.read_bytes() != first.read_bytes():
            message = f"two scenarios have the name {quote(name)}: {first} and {other}"
            raise ScenarioError([Problem("--scenario", 0, message, "write the path of one")])
    return first


def _files(folder: Path) -> list[Path]:
    """Return the files of a folder and of the folders in it: each of these is a question."""
    found = [
        file
        for file in (*folder.glob("*"), *folder.glob("*/*"))
        if file.suffix in _SUFFIXES and file.parent.name != _CALIBRATION
    ]
    return sorted(found, key=lambda file: (file.parent.name != _FIRST, file))


def _name(text: str) -> str:
    return text.removesuffix(".yaml").removesuffix(".yml").replace("_", "-")
