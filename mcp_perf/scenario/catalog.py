"""Which scenarios there are: by name, in the folders where they are kept."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from mcp_perf import folders
from mcp_perf.scenario.problems.problem import Problem, ScenarioError
from mcp_perf.scenario.problems.suggestions import nearest
from mcp_perf.scenario.problems.wording import one_of, quote

SHIPPED: Final = folders.shipped("scenarios")
_CALIBRATION: Final = "calibration"
"""Its scenarios are for `mcp-perf doctor`."""
_FIRST: Final = "start"
SUFFIXES: Final = (".yaml", ".yml")


def shipped() -> list[Path]:
    """Return the scenario files that come with the suite, by folder and name."""
    return _files(SHIPPED)


def own() -> list[Path]:
    """Return the scenario files in `./scenarios`, by folder and name."""
    return _files(Path.cwd() / "scenarios")


def names() -> list[str]:
    """Return the names that can be asked for: of shipped scenarios, and of files in ./scenarios."""
    return sorted({_name(path.name) for path in [*shipped(), *own()]})


def find(name_or_path: str, folders: Sequence[Path] | None = None) -> Path:
    """Return the file of a scenario, given its name (`twilio-tasks`) or its path.

    Names are looked up in `folders`, by default `scenarios` in the current folder and the shipped
    ones; dashes and underscores are the same, and `.yaml` may be left out. Raises ScenarioError,
    also on a name that two different files have: the current folder may be somebody else's.
    """
    path = Path(name_or_path)
    if path.suffix in SUFFIXES and os.path.isfile(path):  # noqa: PTH113 -- the other one may raise
        return path
    searched = (Path.cwd() / "scenarios", SHIPPED) if folders is None else folders
    names: dict[str, list[Path]] = {}
    for folder in searched:
        for file in _files(folder):
            names.setdefault(_name(file.name), []).append(file)
    if len(path.parts) == 1 and (known := names.get(_name(name_or_path))):
        return _only(name_or_path, known)
    raise ScenarioError([Problem(quote(name_or_path), 0, *_unfound(name_or_path, path, names))])


def _unfound(typed: str, path: Path, names: Iterable[str]) -> tuple[str, str]:
    """Say why this is not a scenario, and what to write instead."""
    if "://" in typed:
        return "is an address, not a scenario", f"write mcp-perf init {typed} -o my.yaml"
    if os.path.isdir(path) and typed:  # noqa: PTH112
        if [*path.glob("journal.jsonl")]:
            return "is the folder of a run, not a scenario", f"write mcp-perf report {typed}"
        inside = [str(file) for file in _files(path)[:1]]
        return "is a folder, not a scenario", f"write {(inside or ['the path of a file in it'])[0]}"
    if os.path.isfile(path):  # noqa: PTH113
        if path.suffix == ".json":
            hint = f"if it has mcpServers or servers: mcp-perf run --from {typed} SERVER"
            return "is JSON, but scenarios are YAML", hint
        return "does not have the suffix of a scenario", f"rename it to end in {one_of(SUFFIXES)}"
    if not os.path.isdir(path.parent):  # noqa: PTH112
        return f"there is no folder {path.parent}", "check the path"
    files = (file for file in path.parent.glob("*") if os.path.isfile(file))  # noqa: PTH113
    near = {_name(file.name): str(file) for file in files if file.suffix in SUFFIXES}
    known = {name: name for name in names} | near
    meant = nearest(_name(path.name), known)
    hint = f"did you mean {known[meant]!r}?" if meant else "mcp-perf list shows all scenarios"
    return "there is no such scenario", hint


def _only(name: str, files: Sequence[Path]) -> Path:
    first, *others = files
    for other in others:
        if other.read_bytes() != first.read_bytes():
            message = f"two files have the name {quote(name)}: {first} and {other}"
            hint = "write the path of the one to run"
            raise ScenarioError([Problem("--scenario", 0, message, hint)])
    return first


def _files(folder: Path) -> list[Path]:
    """Return the files of a folder and of the folders in it: each of these is a question."""
    found = [
        file
        for file in (*folder.glob("*"), *folder.glob("*/*"))
        if file.suffix in SUFFIXES and file.parent.name != _CALIBRATION
    ]
    return sorted(found, key=lambda file: (file.parent.name != _FIRST, file))


def _name(text: str) -> str:
    return text.removesuffix(".yaml").removesuffix(".yml").replace("_", "-")
