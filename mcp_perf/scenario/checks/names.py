"""Which names the lookups of a journey know, step by step."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from mcp_perf.scenario.checks.bursts import within
from mcp_perf.scenario.model.scenario import HTTP_VERBS, Scenario
from mcp_perf.scenario.problems.finding import Finding, Path
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.source.layout import mapping
from mcp_perf.scenario.values.generators import BUILTINS, IDENTITY
from mcp_perf.scenario.values.templates import TemplateError, compile_template

WrittenStep = tuple[Path, Mapping[str, Any]]
"""A step's path, and its keys and values as written, valid or not."""

_FIELDS: Final = (
    *HTTP_VERBS,
    *("read", "complete", "subscribe", "await"),
    *("arguments", "query", "form", "json", "headers"),
)
"""What of a step may hold lookups, beside the values that it expects."""


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


def lookups(tree: Any, path: Path, env: Mapping[str, str]) -> Iterator[Finding | tuple[Path, str]]:
    """Yield a finding for each lookup that cannot be read, and (path, name) for the others."""
    for here, text in texts(tree, path):
        try:
            template = compile_template(text, env)
        except TemplateError as error:
            yield Finding(here, error.message, error.hint)
        else:
            yield from ((here, name) for name in sorted(template.names))


def step_lookups(
    path: Path, step: Mapping[str, Any], env: Mapping[str, str]
) -> Iterator[Finding | tuple[Path, str]]:
    """Yield the lookups of a step, those of its expectations among them."""
    for key in _FIELDS:
        yield from lookups(step.get(key), (*path, key), env)
    for expression, value in mapping(mapping(step, "expect"), "equals").items():
        yield from lookups(value, (*path, "expect", "equals", expression), env)


def unknown_in_steps(
    steps: Sequence[WrittenStep], known: Collection[str], env: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield a finding for each name that nothing provides at its step."""
    saved: set[str] = set()
    groups = [[(path, step), *within(path, step)] for path, step in steps]
    later = {name for group in groups for _, step in group for name in mapping(step, "save")}
    for group in groups:
        beside = {name for _, step in group[1:] for name in mapping(step, "save")}
        for item in chain.from_iterable(step_lookups(path, step, env) for path, step in group):
            if not isinstance(item, Finding) and item[1] not in saved and item[1] not in known:
                yield unknown(*item, {*known, *saved}, later, beside)
        saved |= {name for _, step in group for name in mapping(step, "save")}


def unknown(
    path: Path,
    name: str,
    known: Collection[str],
    later: Collection[str] = (),
    beside: Collection[str] = (),
) -> Finding:
    """Say that nothing provides a name."""
    hint = "only a later step saves it" if name in later else suggest(name, known)
    if name in beside:
        hint = "a step that begins at once with this one saves it: it is known after the burst"
    return Finding(path, f"${{{name}}} is not known here", hint)


def unknown_in_scenario(
    scenario: Scenario, arm: str, provided: Collection[str], env: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield a finding for each name in an arm's journeys that is neither known nor provided.

    Paths are those of the model. The scenario is valid, so `env` has all it needs.
    """
    base = {*BUILTINS, *scenario.vars, *scenario.arms[arm].vars, *provided}
    if scenario.identities is not None:
        base.add(IDENTITY)
    for name, journey in scenario.journeys.items():
        known = base | journey.with_.keys()
        for item in lookups(journey.with_, ("journeys", name, "with"), env):
            if not isinstance(item, Finding) and item[1] not in known:
                yield unknown(*item, known)
        steps = [
            (("journeys", name, "steps", arm, index), step.model_dump(by_alias=True))
            for index, step in enumerate(journey.steps[arm])
        ]
        yield from unknown_in_steps(steps, known, env)
