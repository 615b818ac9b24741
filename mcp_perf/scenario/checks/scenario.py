"""What a scenario's parts must agree on: names, arms, expressions, files, the environment."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

from mcp_perf.scenario.checks.bursts import check_burst, within
from mcp_perf.scenario.checks.draft import Draft, DraftArm, DraftJourney
from mcp_perf.scenario.checks.identities import allowed_in_arms, check_identities, known_in_journeys
from mcp_perf.scenario.checks.names import lookups, step_lookups, unknown, unknown_in_steps
from mcp_perf.scenario.checks.sessions import check_sessions
from mcp_perf.scenario.model import syntax
from mcp_perf.scenario.model.identities import names_in
from mcp_perf.scenario.model.listening import LISTEN_ACTIONS, check_listening
from mcp_perf.scenario.model.load import BREAKPOINT, VARYING
from mcp_perf.scenario.model.scenario import HTTP_VERBS, MCP_ACTIONS, SESSION_ACTIONS
from mcp_perf.scenario.problems.finding import Finding, Path
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, one_of, quote
from mcp_perf.scenario.source.layout import mapping
from mcp_perf.scenario.values.generators import IDENTITY, compile_generators, compile_one
from mcp_perf.scenario.values.paths import inside

_LONGEST_EXPRESSION: Final = 1024
_FOR: Final = {
    **dict.fromkeys((*MCP_ACTIONS, *LISTEN_ACTIONS, *SESSION_ACTIONS), "mcp"),
    **dict.fromkeys(HTTP_VERBS, "http"),
    "run": "python",
}
"""What speaks each action's language."""
_INSTEAD: Final = {"mcp": "call: TOOL", "python": "run: FUNCTION", "http": one_of(HTTP_VERBS)}


def check(draft: Draft) -> Iterator[Finding]:
    """Yield all that is wrong between the parts; each value by itself is the model's affair."""
    yield from _constants(draft, ("vars",), draft.vars)
    yield from check_identities(draft)
    for name, arm in draft.arms.items():
        yield from _arm(draft, ("arms", name), arm)
    for journey in draft.journeys:
        yield from _generators(draft, journey)
        for name, steps in journey.steps.items():
            arm = draft.arms[name]
            yield from check_listening(steps)
            for path, step in steps:
                yield from check_burst(path, step)
                for here, one in (path, step), *within(path, step):
                    yield from _action(name, arm, here, one)
                    yield from _shared(name, arm, here, one)
                    yield from _step(draft, here, one)
            if not arm.provides:
                yield from unknown_in_steps(steps, _known(draft, arm, journey), draft.env)
    for name, arm in draft.arms.items():
        journeys = (journey.steps.get(name, []) for journey in draft.journeys)
        if arm.kind == "mcp":
            yield from check_sessions(name, arm.keys, journeys)
    yield from _gates(draft)
    yield from _layers(draft)


def _known(draft: Draft, arm: DraftArm, journey: DraftJourney) -> set[str]:
    return {*known_in_journeys(draft), *draft.vars, *mapping(arm.keys, "vars"), *journey.with_}


def _constants(
    draft: Draft, path: Path, tree: object, known: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """Check what is made once, before any journey: the environment is known there."""
    for item in lookups(tree, path, draft.env):
        if isinstance(item, Finding):
            yield item
        elif item[1] not in known:
            message = f"${{{item[1]}}} cannot stand here: only ${{env:NAME}} can"
            hint = "use it in a step, or in with"
            if item[1] == IDENTITY and path[-1] != "vars":
                message = f"${{{IDENTITY}}} is not known here"
                hint = "say where identities come from: identities: {csv: FILE}"
            yield Finding(item[0], message, hint)


def _arm(draft: Draft, path: Path, arm: DraftArm) -> Iterator[Finding]:
    yield from _constants(draft, (*path, "vars"), arm.keys.get("vars"))
    for key in ("headers", "env", "auth"):
        yield from _constants(draft, (*path, key), arm.keys.get(key), allowed_in_arms(draft))
    if arm.keys.get("process") == "shared" and any(names_in(arm.keys.get("env"))):
        message = "the users of one process share one environment"
        yield Finding((*path, "env"), message, "remove process: shared, or the identity")
    yield from _headers(draft, (*path, "headers"), mapping(arm.keys, "headers"))
    ca = mapping(arm.keys, "tls").get("ca")
    if isinstance(ca, str):
        try:
            inside(draft.base, ca)
        except InputError as error:
            yield Finding((*path, "tls", "ca"), error.message, error.hint)


def _headers(draft: Draft, path: Path, headers: Mapping[str, Any]) -> Iterator[Finding]:
    for name, text in headers.items():
        used = [value for key, value in draft.env.items() if f"${{env:{key}}}" in str(text)]
        if any(syntax.CONTROL.search(value) for value in used):
            message = f"the header {name} takes a line end or control character from env"
            yield Finding((*path, name), message, "set the variable to one line")


def _generators(draft: Draft, journey: DraftJourney) -> Iterator[Finding]:
    failed = False
    for name, spec in journey.with_.items():
        path = (*journey.path, "with", name)
        try:
            needs = compile_one(spec, draft.env, draft.base).names
        except InputError as error:
            failed = True
            yield Finding(path, f"{name}: {error.message}", error.hint)
        else:
            yield from _unknown_in_template(draft, journey, path, needs)
    if not failed:
        try:
            compile_generators(journey.with_, seed=0, env=draft.env, base=draft.base)
        except InputError as error:
            yield Finding((*journey.path, "with"), error.message, error.hint)


def _unknown_in_template(
    draft: Draft, journey: DraftJourney, path: Path, needs: frozenset[str]
) -> Iterator[Finding]:
    for arm in draft.arms.values():
        if not arm.provides:
            known = _known(draft, arm, journey)
            yield from (unknown(path, name, known) for name in sorted(needs - known))


def _action(name: str, arm: DraftArm, path: Path, step: Mapping[str, Any]) -> Iterator[Finding]:
    if not arm.kind:
        return
    for action, kind in _FOR.items():
        if kind != arm.kind and action in step:
            article = "an" if arm.kind in ("http", "mcp") else "a"
            message = f"{action} is for {kind} arms, and {name!r} is {article} {arm.kind} arm"
            yield Finding((*path, action), message, f"write {_INSTEAD[arm.kind]}")


def _shared(name: str, arm: DraftArm, path: Path, step: Mapping[str, Any]) -> Iterator[Finding]:
    """Refuse what needs to know whose call a message of the server belongs to."""
    if arm.keys.get("process") == "shared":
        for key in ("progress", "answers", *LISTEN_ACTIONS):
            if step.get(key):
                message = f"{key} cannot be told apart between the users of {name!r}'s one process"
                yield Finding((*path, key), message, f"remove {key}, or process: shared")


def _step(draft: Draft, path: Path, step: Mapping[str, Any]) -> Iterator[Finding]:
    for item in step_lookups(path, step, draft.env):
        if isinstance(item, Finding):
            yield item
    yield from _headers(draft, (*path, "headers"), mapping(step, "headers"))
    for name, expression in mapping(step, "save").items():
        if isinstance(expression, str):
            yield from _expression((*path, "save", name), expression)
    for expression in mapping(mapping(step, "expect"), "equals"):
        yield from _expression((*path, "expect", "equals", expression), expression)


def _expression(path: Path, expression: str) -> Iterator[Finding]:
    if len(expression) > _LONGEST_EXPRESSION:
        message = f"{quote(expression)} is longer than 1 KiB"
        yield Finding(path, message, "write a shorter JMESPath")
        return
    try:
        parsed = jmespath.compile(expression).parsed
        for name in _functions(parsed):
            if name not in Functions.FUNCTION_TABLE:
                hint = suggest(name, Functions.FUNCTION_TABLE)
                yield Finding(path, f"JMESPath has no function {quote(name)}", hint)
    except JMESPathError as error:
        said = str(error).splitlines()[0]
        hint = "JMESPath has no leading $: " if expression.startswith("$") else ""
        hint += "write it like structuredContent.items[0].id"
        yield Finding(path, f"{quote(expression)} is not JMESPath: {said}", hint)
    except RecursionError:
        yield Finding(path, f"{quote(expression)} is nested too deep", "write a simpler JMESPath")


def _functions(node: Mapping[str, Any]) -> Iterator[str]:
    """Yield the functions that an expression calls; compiling does not ask for them."""
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _functions(child)


def _gates(draft: Draft) -> Iterator[Finding]:
    for path, gate in draft.gates:
        for arm in filter(None, (gate.arm, gate.versus)):
            if arm not in draft.arms:
                message = f"the gate {quote(gate.text)} names {arm!r}, which is no arm"
                yield Finding(path, message, suggest(arm, draft.arms))
        if gate.metric == "capacity" and draft.shape != BREAKPOINT:
            message = f"the gate {quote(gate.text)} needs a load that searches for the capacity"
            yield Finding(path, message, "write load: {shape: breakpoint}, or remove the gate")


def _layers(draft: Draft) -> Iterator[Finding]:
    for index, name in enumerate(draft.layers):
        path: Path = ("layers", index)
        if not isinstance(name, str):
            continue  # the model says so
        if name not in draft.arms:
            yield Finding(path, f"the layer {quote(name)} is no arm", suggest(name, draft.arms))
        elif name in draft.layers[:index]:
            yield Finding(path, f"the layer {quote(name)} is there twice", "name each arm once")
    if len(draft.layers) == 1:
        yield Finding(("layers",), "one layer alone has no cost of its own", "name at least two")
    if draft.layers and draft.shape in (BREAKPOINT, "stages", *VARYING):
        message = "layers are compared under one load that does not change"
        yield Finding(("layers",), message, "remove layers, or what changes the load")
