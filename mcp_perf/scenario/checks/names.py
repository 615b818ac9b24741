"""Which names the lookups of a journey know, step by step."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path as FilePath
from typing import Any

from mcp_perf.scenario.model.fields import Part
from mcp_perf.scenario.model.scenario import Scenario
from mcp_perf.scenario.model.steps import Step
from mcp_perf.scenario.problems.mistake import Mistake, Path
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError
from mcp_perf.scenario.values.generators import BUILTINS, IDENTITY
from mcp_perf.scenario.values.templates import compile_template

Located = tuple[Path, Step]
"""A step, and its path in the file."""
Names = Collection[str]


@dataclass(frozen=True)
class Draft:
    """The valid parts of a file, and what is around them."""

    scenario: Scenario
    env: Mapping[str, str]
    """The allow-listed variables; an empty text for one that is not set."""
    base: FilePath

    def names(self, arm: str, provided: Iterable[str] = ()) -> set[str]:
        """Return the names that every journey of an arm knows; its target brings `provided`."""
        scenario = self.scenario
        own = {IDENTITY} if scenario.identities is not None else set()
        return {*BUILTINS, *own, *scenario.vars, *scenario.arms[arm].vars, *provided}

    def steps(self, journey: str, arm: str) -> list[Located]:
        found = self.scenario.journeys[journey]
        path = ("journeys", journey, found.key(arm))
        return [((*path, index), step) for index, step in enumerate(found.of(arm))]


def within(burst: Located) -> list[Located]:
    """Return the steps of a burst, and their paths; none for any other step."""
    path, step = burst
    return [((*path, "parallel", index), inner) for index, inner in enumerate(step.inner)]


def saves(step: Step) -> set[str]:
    """Return the names that a step saves; none for a burst."""
    return set(getattr(step, "save", None) or ())


def texts(tree: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield everything in a tree that can hold a lookup, with its path."""
    if isinstance(tree, str):
        if "${" in tree:
            yield path, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            here = (*path, key)
            if "${" in key:
                yield here, {key: None}
            yield from texts(value, here)
    elif isinstance(tree, list | tuple):
        for index, item in enumerate(tree):
            yield from texts(item, (*path, index))


def texts_of(part: Part, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield everything in a part that can hold a lookup, with its path."""
    for here, tree in part.texts(path):
        yield from texts(tree, here)


def lookups(
    found: Iterable[tuple[Path, Any]], env: Mapping[str, str]
) -> Iterator[Mistake | tuple[Path, str]]:
    """Yield a mistake for each lookup that cannot be read, and (path, name) for the others."""
    for here, text in found:
        try:
            template = compile_template(text, env)
        except InputError as error:
            yield Mistake(here, error.message, error.hint)
        else:
            yield from ((here, name) for name in sorted(template.names))


def unknown_in_steps(
    steps: Sequence[Located], known: Names, env: Mapping[str, str]
) -> Iterator[Mistake]:
    """Yield a mistake for each name that nothing provides at its step."""
    saved: set[str] = set()
    groups = [[located, *within(located)] for located in steps]
    later = {name for group in groups for _, step in group for name in saves(step)}
    for group in groups:
        together = {name for _, step in group[1:] for name in saves(step)}
        for item in lookups(chain.from_iterable(texts_of(step, path) for path, step in group), env):
            if not isinstance(item, Mistake) and item[1] not in saved and item[1] not in known:
                yield unknown(*item, {*known, *saved}, later, together)
        saved |= {name for _, step in group for name in saves(step)}


def unknown(
    path: Path, name: str, known: Names, later: Names = (), together: Names = ()
) -> Mistake:
    """Say that nothing provides a name."""
    hint = "a later step saves it: use it after that" if name in later else suggest(name, known)
    if name in together:
        hint = "a step of the same burst saves it: use it after the burst"
    return Mistake(path, f"${{{name}}} has no value here", hint)


def unknown_in_arm(draft: Draft, arm: str, provided: Names) -> Iterator[Mistake]:
    """Yield a mistake for each name in an arm's journeys that is neither known nor provided."""
    for name, journey in draft.scenario.journeys.items():
        known = draft.names(arm, provided) | journey.with_.keys()
        for item in lookups(texts(journey.with_, ("journeys", name, "with")), draft.env):
            if not isinstance(item, Mistake) and item[1] not in known:
                yield unknown(*item, known)
        yield from unknown_in_steps(draft.steps(name, arm), known, draft.env)
