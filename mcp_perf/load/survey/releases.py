"""Two releases against each other: a scenario with the arms base and head, made from one arm.

Both do the work of the MCP arm. The control and the gates are left out, and so are the arm's
resources and the keys that only another transport has.
"""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from mcp_perf.load.hub.redaction import clean
from mcp_perf.load.survey.given import LINE, Given, of_command, of_line
from mcp_perf.load.survey.writing import as_yaml
from mcp_perf.results.compare.compare import BASE, HEAD
from mcp_perf.results.document.document import Report
from mcp_perf.results.judge.trial import finds_levels
from mcp_perf.scenario.loader import Loaded, find, load
from mcp_perf.scenario.model.load import Load
from mcp_perf.scenario.model.targets import split_target, words
from mcp_perf.scenario.problems.wording import InputError, quote
from mcp_perf.scenario.source.overrides import make_way, override
from mcp_perf.scenario.source.yaml_reader import read

FEWEST_IN_A_PAIR: Final = 2
"""Rounds of each side: base then goes first in one, and head in the other."""
_LEFT_OUT: Final = {"mcp", "resources", "cwd"}
_OF_STDIO: Final = {"env", "process", "start_timeout"}
_OF_HTTP: Final = {"headers", "host", "proxy", "tls"}
_OF_STREAMABLE: Final = {"auth", "stream", "no_delete"}
_OF_JOURNEY: Final = {"weight", "with", "tags", "answers"}
_FILES: Final = {"csv", "file", "ca", "cert", "key"}


class Releases:
    """Base and head, and the scenario whose work they do. Raises ScenarioError and InputError."""

    def __init__(
        self, name: str, arm: str | None, settings: Sequence[str], base: str, head: str
    ) -> None:
        self.loaded = load(find(name), settings, arms=[arm] if arm else ())
        self._settings = settings
        self._typed = {BASE: base, HEAD: head}
        self._given = {side: release(text) for side, text in self._typed.items()}

    @property
    def lines(self) -> list[str]:
        """What a reader sees of them."""
        return list(map(clean, self._typed.values()))

    def written(self, folder: Path, pairs: int) -> list[str]:
        """Write the scenario of one pair, with copies of its files; return a run's words for it."""
        tree = two_arms(self.loaded, self._settings, self._given, pairs)
        for name in _named(tree):
            source = self.loaded.base / name
            if source.is_file() and source.resolve().is_relative_to(self.loaded.base.resolve()):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(source.read_bytes())
        path = folder / f"{self.loaded.scenario.name}.yaml"
        path.write_text(as_yaml(tree), "utf-8")
        # A target that the user typed needs no further consent.
        typed = [side for side, given in self._given.items() if given.line == self._typed[side]]
        targets = (("--target", f"{side}={self._typed[side]}") for side in typed)
        return [str(path), *chain.from_iterable(targets)]

    def remarks(self, reports: Sequence[Report]) -> list[str]:
        """Say what a reader must know besides the numbers."""
        found = []
        if any(split_target(one.line)[0] in ("http", "sse") for one in self._given.values()):
            found.append("Servers named by a URL were not restarted for each pair.")
        base, head = (reports[0].arms[side].protocol for side in (BASE, HEAD))
        if base != head:
            found.append(f"Not the same: {BASE} speaks {base}, {HEAD} speaks {head}.")
        for one in reports:
            if one.verdict != "PASS":
                why = " ".join(reason.line for reason in one.reasons)
                found.append(f"A single pair is {one.verdict}: {why}")
        return found


def release(text: str) -> Given:
    """Read a release: a URL, another line of a target, or a command. Raises InputError."""
    if LINE.match(text):
        return of_line(text)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"{quote(text)} cannot be read: {error}", "close the quote") from None
    if not words:
        raise InputError(f"{quote(text)} is not a command", "write a command, or a URL")
    return of_command(words)


def judged(loaded: Loaded) -> str:
    """Return the arm that both releases replace. Raises InputError."""
    arms = [name for name, arm in loaded.scenario.arms.items() if arm.kind == "mcp"]
    if len(arms) != 1 and "mcp" not in arms:
        what = f"several mcp arms, {', '.join(arms)}" if arms else "no mcp arm"
        hint = "choose one with --arm" if arms else "name a scenario that has one"
        raise InputError(f"{loaded.source} has {what}", hint)
    return arms[0] if len(arms) == 1 else "mcp"


def two_arms(
    loaded: Loaded, settings: Sequence[str], releases: Mapping[str, Given], pairs: int
) -> dict[str, Any]:
    """Make the scenario of one pair; all pairs share the file's rounds. Raises InputError."""
    tree = read(loaded.text).tree
    make_way(tree, override(tree, settings)[0])
    arm = judged(loaded)
    own = tree["arms"][arm]
    journeys = {
        name: {key: journey[key] for key in journey if key in _OF_JOURNEY}
        | {"steps": journey.get(arm, journey.get("steps"))}
        for name, journey in tree["journeys"].items()
    }
    return {
        **{key: value for key, value in tree.items() if key not in ("gates", "layers")},
        "arms": {side: _pointed(own, given) for side, given in releases.items()},
        "journeys": journeys,
        "load": {**tree.get("load", {}), **_shared(loaded.scenario.load, pairs)},
    }


def _pointed(own: Mapping[str, Any], given: Given) -> dict[str, Any]:
    transport, rest = split_target(given.line)
    useless = set(_LEFT_OUT)
    if transport != "stdio":
        useless |= _OF_STDIO
    if transport in ("stdio", "python"):
        useless |= _OF_HTTP
    if transport not in ("http", "system"):
        useless |= _OF_STREAMABLE
    kept = {key: value for key, value in own.items() if key not in useless}
    if transport == "stdio":
        started = {"mcp": {"stdio": list(words(rest))}, "cwd": str(given.cwd.resolve())}
        return {"process": "shared", **kept, **started}
    return {**kept, "mcp": {transport: rest} if transport in ("sse", "python") else given.line}


def _shared(load: Load, pairs: int) -> dict[str, Any]:
    """Return what each pair changes in the load. Raises InputError."""
    if finds_levels({"shape": load.shape}) or load.calibrate is not None:
        message = "a load that searches for its level would be a different load for each release"
        raise InputError(message, "fix the load: --set load.shape=constant --set load.users=5")
    changed: dict[str, Any] = {"abort": "off"}  # failures are compared, too, until the end
    if load.stages is None and not load.users_vary:
        changed["rounds"] = max(FEWEST_IN_A_PAIR, math.ceil(load.rounds / pairs))
    return changed


def _named(node: Any) -> Iterator[str]:
    """Yield the texts that may name a file in the scenario's folder."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in _FILES and isinstance(value, str) and ".." not in Path(value).parts:
                yield value
            yield from _named(value)
    elif isinstance(node, list):
        for value in node:
            yield from _named(value)
