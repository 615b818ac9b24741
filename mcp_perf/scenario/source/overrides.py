"""Overrides from the command line: `load.users=50` sets one value before the file is checked."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mcp_perf.scenario.model.load import BREAKPOINT, SHAPE_DEFAULTS
from mcp_perf.scenario.problems.mistake import Mistake, Path, dotted
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, quote
from mcp_perf.scenario.source.yaml_reader import read
from mcp_perf.scenario.source.yaml_scalars import plain

_NAMED: Final = (
    *(("arms",), ("journeys",), ("vars",)),
    *(("arms", "*", "vars"), ("journeys", "*", "with")),
)
"""Mappings whose keys the file's author chose. A name that is not there is a misspelling."""
_OF_USERS: Final = {"users", "think", "spawn_rate", "stages"}
"""What a file says about users or levels, which a search for a rate cannot use."""


def override(tree: Any, texts: Sequence[str]) -> tuple[dict[Path, str], list[Mistake]]:
    """Set values in the tree. Returns path -> the override that made it, and what is wrong."""
    owners: dict[Path, str] = {}
    mistakes: list[Mistake] = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            message = f"{quote(text)} does not set a value"
            mistakes.append(Mistake((), message, "write it like load.users=50", source="--set"))
            continue
        try:
            keys = name.split(".")
            made = _set(tree, keys, _scalar(value, tuple(keys)))
        except InputError as error:
            mistakes.append(Mistake((), error.message, error.hint, source=f"--set {name}"))
        else:
            owners |= dict.fromkeys(made, f"--set {name}")
    return owners, mistakes


def make_way(tree: Any, owners: Mapping[Path, str]) -> None:
    """Let a load's shape from the command line bring its own numbers, unless overrides set them.

    A file's ten rounds are meant for the file's shape, and its users for a load that has users.
    """
    load = tree.get("load") if isinstance(tree, dict) else None
    if ("load", "shape") not in owners or not isinstance(load, dict):
        return
    shape = load["shape"]
    replaced = set(SHAPE_DEFAULTS.get(shape, {}) if isinstance(shape, str) else {})
    if shape == BREAKPOINT:
        replaced |= _OF_USERS
    for key in replaced & load.keys():
        if ("load", key) not in owners:
            del load[key]


def _scalar(text: str, path: Path) -> Any:
    if not text.strip():
        return None
    if text.strip() == "off":
        return plain("off", path)
    reading = read(text)
    if reading.mistakes:
        raise InputError(reading.mistakes[0].message, reading.mistakes[0].hint)
    if isinstance(reading.tree, dict | list):
        hint = "set one value per --set, or put a text in quotes"
        raise InputError(f"{quote(text)} is more than one value", hint)
    return reading.tree


def _set(tree: Any, keys: list[str], value: Any) -> list[Path]:
    """Set a value, and make the mappings that lead to it; return the paths of what is new."""
    node = tree
    path: Path = ()
    made: list[Path] = []
    for key in keys[:-1]:
        step = _step(node, key, path)
        path = (*path, step)
        if isinstance(node, dict) and step not in node:
            node[step] = {}
            made.append(path)
        node = node[step]
    last = _step(node, keys[-1], path)
    node[last] = value
    return [*made, (*path, last)]


def _step(node: Any, key: str, path: Path) -> str | int:
    where = dotted(path) or "the scenario"
    if isinstance(node, list):
        if key.isdecimal() and key.isascii() and len(key) < 6 and int(key) < len(node):
            return int(key)
        hint = f"write 0 to {len(node) - 1}"
        raise InputError(f"{where} is a list without an item {quote(key)}", hint)
    if not isinstance(node, dict):
        message = f"{where} is a single value, so nothing can be set inside it"
        raise InputError(message, "set it as a whole")
    if key not in node and _is_named(path):
        raise InputError(f"{where} has no {quote(key)}", suggest(key, node))
    return key


def _is_named(path: Path) -> bool:
    return tuple("*" if at == 1 else part for at, part in enumerate(path)) in _NAMED
