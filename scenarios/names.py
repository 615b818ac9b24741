"""Which names the lookups of a journey know, step by step."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from scenarios.generators import BUILTINS
from scenarios.model import HTTP_VERBS, Arm, Scenario, Step
from scenarios.problems import Finding, Path
from scenarios.templates import TemplateError, compile_template
from scenarios.wording import suggest

ParsedStep = tuple[Path, Step | None, frozenset[str]]
"""A step's path in the file, the step if it is valid, and the names it saves in any case."""


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


def fields(step: Step) -> dict[str, Any]:
    """Return what of a step may hold lookups, by its key in the file."""
    path = {step.action: step.subject} if step.action in HTTP_VERBS else {}
    parts = {
        "arguments": step.arguments,
        "query": step.query,
        "form": step.form,
        "json": step.json_,
        "headers": step.headers,
    }
    return {**path, **parts}


def step_lookups(
    path: Path, step: Step, env: Mapping[str, str]
) -> Iterator[Finding | tuple[Path, str]]:
    """Yield the lookups of a step, those of its expectations among them."""
    for key, tree in fields(step).items():
        yield from lookups(tree, (*path, key), env)
    for expression, value in step.expect.equals.items():
        yield from lookups(value, (*path, "expect", "equals", expression), env)


def unknown_in_steps(
    steps: Iterable[ParsedStep], known: Collection[str], env: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield a finding for each name that nothing provides at its step."""
    steps = list(steps)
    saved: set[str] = set()
    later = frozenset[str]().union(*(saves for _, _, saves in steps))
    for path, step, saves in steps:
        found = step_lookups(path, step, env) if step else ()
        for item in found:
            if not isinstance(item, Finding) and item[1] not in saved and item[1] not in known:
                yield unknown(item[0], item[1], {*known, *saved}, later)
        saved |= saves


def unknown(path: Path, name: str, known: Collection[str], later: Collection[str] = ()) -> Finding:
    """Say that nothing provides a name."""
    hint = "only a later step saves it" if name in later else suggest(name, known)
    return Finding(path, f"${{{name}}} is not known here", hint)


def base_names(scenario_vars: Collection[str], arm: Arm | None) -> set[str]:
    """Return the names that are known before a journey's own."""
    return {*BUILTINS, *scenario_vars, *(arm.vars if arm else ())}


def unknown_in_scenario(
    scenario: Scenario, arm: str, provided: Collection[str], env: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield a finding for each name in an arm's journeys that is neither known nor provided.

    Paths are those of the model. The scenario is valid, so `env` has all it needs.
    """
    base = base_names(scenario.vars, scenario.arms[arm]) | set(provided)
    for name, journey in scenario.journeys.items():
        known = base | journey.with_.keys()
        for item in lookups(journey.with_, ("journeys", name, "with"), env):
            if not isinstance(item, Finding) and item[1] not in known:
                yield unknown(*item, known)
        steps = [
            (("journeys", name, "steps", arm, index), step, frozenset(step.save))
            for index, step in enumerate(journey.steps[arm])
        ]
        yield from unknown_in_steps(steps, known, env)
