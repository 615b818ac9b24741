"""What a scenario's parts must agree on: names, arms, files, the environment."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mcp_perf.scenario.checks import names
from mcp_perf.scenario.checks.identities import check_files, check_identities
from mcp_perf.scenario.checks.sessions import check_burst, check_listening, check_sessions
from mcp_perf.scenario.model import syntax
from mcp_perf.scenario.model.gates import Focus, Gate
from mcp_perf.scenario.model.identities import names_in
from mcp_perf.scenario.model.load import BREAKPOINT, VARYING
from mcp_perf.scenario.model.scenario import Arm, Journey
from mcp_perf.scenario.model.steps import Counted, flat
from mcp_perf.scenario.model.targets import split_target
from mcp_perf.scenario.problems.mistake import Mistake, Path
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, all_of, quote
from mcp_perf.scenario.values.generators import IDENTITY, compile_generators, compile_one

_HTTP_ACTIONS: Final = "get, post, put, patch or delete"
_INSTEAD: Final = {"mcp": "call: TOOL", "python": "run: FUNCTION", "http": _HTTP_ACTIONS}


def check(draft: names.Draft) -> Iterator[Mistake]:
    """Yield everything that is wrong between the parts; the model checks each value alone."""
    scenario = draft.scenario
    yield from _constants(draft, names.texts(scenario.vars, ("vars",)))
    yield from check_identities(draft)
    for name, arm in scenario.arms.items():
        yield from _arm(draft, ("arms", name), arm)
    for name, journey in scenario.journeys.items():
        yield from _keys(draft, name, journey)
        yield from _generators(draft, name, journey)
        for arm_name in scenario.arms:
            yield from _steps(draft, name, arm_name)
    for name, arm in scenario.arms.items():
        if arm.is_clear and arm.kind == "mcp":
            journeys = [draft.steps(journey, name) for journey in scenario.journeys]
            yield from check_sessions(name, arm, journeys)
    yield from _gates(draft)
    yield from _layers(draft)


def _keys(draft: names.Draft, name: str, journey: Journey) -> Iterator[Mistake]:
    """Check that each arm has steps, and that each list belongs to an arm."""
    path: Path = ("journeys", name)
    arms = list(draft.scenario.arms)
    unknown_keys = [key for key in journey.own if key not in arms] if arms else []
    for key in unknown_keys:
        message = f"journey {name}: {key!r} is neither an arm nor a key of journeys"
        hint = suggest(key, [*Journey.by_key(), *arms])
        yield Mistake((*path, key), message, hint, damaged=True)
    missing = [arm for arm in arms if arm not in journey.own]
    if arms and journey.common is not None and not missing:
        message = f"journey {name}: no arm uses steps, because each has its own list"
        yield Mistake((*path, "steps"), message, "remove it", damaged=True)
    if journey.common is None and missing and not unknown_keys:
        hint = f"add {missing[0]}: with a list of steps, or steps: with one list for all arms"
        yield Mistake(path, f"journey {name}: no steps for {all_of(missing)}", hint)


def _steps(draft: names.Draft, journey: str, name: str) -> Iterator[Mistake]:
    arm = draft.scenario.arms[name]
    steps = draft.steps(journey, name)
    yield from check_listening(steps)
    for located in steps:
        yield from check_burst(located)
        for one in (located, *names.within(located)):
            yield from _step(draft, name, arm, one)
    if _is_plain(arm):
        known = draft.names(name) | draft.scenario.journeys[journey].with_.keys()
        yield from names.unknown_in_steps(steps, known, draft.env)


def _is_plain(arm: Arm) -> bool:
    """Tell whether the target adds no names; a system may add some once it runs."""
    return arm.is_clear and split_target(arm.address)[0] != "system"


def _constants(draft: names.Draft, found: Iterable[tuple[Path, Any]]) -> Iterator[Mistake]:
    """Check what is made once, before any journey, when only the environment is known."""
    has_identities = draft.scenario.identities is not None
    for item in names.lookups(found, draft.env):
        if isinstance(item, Mistake):
            yield item
            continue
        path, name = item
        in_vars = "vars" in path[:3:2]
        if name == IDENTITY and not in_vars:
            if not has_identities:
                message = f"${{{IDENTITY}}} has no value, because there are no identities"
                yield Mistake(path, message, "add identities: {csv: FILE}")
        else:
            message = f"${{{name}}} cannot be used here: only ${{env:NAME}} can"
            yield Mistake(path, message, "use it in a step, or in with of a journey")


def _arm(draft: names.Draft, path: Path, arm: Arm) -> Iterator[Mistake]:
    yield from _constants(draft, names.texts_of(arm, path))
    if arm.process == "shared" and any(names_in(arm.env)):
        message = "env differs by identity, but all users share one process (process: shared)"
        yield Mistake((*path, "env"), message, "remove process: shared, or ${identity…}")
    yield from _headers(draft, (*path, "headers"), arm.headers)
    yield from check_files(draft, path, arm.tls)


def _headers(draft: names.Draft, path: Path, headers: Mapping[str, Any]) -> Iterator[Mistake]:
    for name, text in headers.items():
        used = [value for key, value in draft.env.items() if f"${{env:{key}}}" in str(text)]
        if any(syntax.CONTROL.search(value) for value in used):
            message = f"the header {name} gets a line end or control character from env"
            yield Mistake((*path, name), message, "set the variable to a single line")


def _generators(draft: names.Draft, name: str, journey: Journey) -> Iterator[Mistake]:
    here = ("journeys", name, "with")
    failed = False
    for key, spec in journey.with_.items():
        try:
            needs = compile_one(spec, draft.env, draft.base).names
        except InputError as error:
            failed = True
            yield Mistake((*here, key), f"{key}: {error.message}", error.hint)
        else:
            for arm in filter(lambda arm: _is_plain(draft.scenario.arms[arm]), draft.scenario.arms):
                known = draft.names(arm) | journey.with_.keys()
                for need in sorted(needs - known):
                    yield names.unknown((*here, key), need, known)
    if not failed:
        try:
            compile_generators(journey.with_, seed=0, env=draft.env, base=draft.base)
        except InputError as error:
            yield Mistake(here, error.message, error.hint)


def _step(draft: names.Draft, name: str, arm: Arm, located: names.Located) -> Iterator[Mistake]:
    path, step = located
    if step.arm and arm.is_clear and step.arm != arm.kind:
        article = "a" if arm.kind == "python" else "an"
        message = f"{step.action} is for {step.arm} arms, and {name!r} is {article} {arm.kind} arm"
        yield Mistake((*path, step.action), message, f"write {_INSTEAD[arm.kind]}")
    for key in step.whose if arm.process == "shared" else ():
        if step.at(key):
            message = f"{key} needs a process for each user, but the users of {name!r} share one"
            yield Mistake((*path, key), message, f"remove {key}, or process: shared")
    for item in names.lookups(names.texts_of(step, path), draft.env):
        if isinstance(item, Mistake):
            yield item
    yield from _headers(draft, (*path, "headers"), getattr(step, "headers", None) or {})


def _gates(draft: names.Draft) -> Iterator[Mistake]:
    arms = draft.scenario.arms
    for index, gate in enumerate(draft.scenario.gates):
        if not isinstance(gate, Gate):
            continue  # of a draft, still as written
        path = ("gates", index)
        for side in gate.sides:
            if side.arm not in arms:
                message = f"the gate {quote(gate.text)} names an unknown arm, {side.arm!r}"
                yield Mistake(path, message, suggest(side.arm, arms))
            elif side.kind and side.name not in (known := _parts(draft, side)):
                what = f"an unknown {side.kind}, {side.name!r}, of {side.arm}"
                message = f"the gate {quote(gate.text)} names {what}"
                instead = f"{side.arm} does not call tools: write {side.arm}.step[JOURNEY.LABEL]"
                yield Mistake(path, message, suggest(side.name, known) or instead)
        if gate.metric == "capacity" and draft.scenario.load.shape != BREAKPOINT:
            message = f"the gate {quote(gate.text)} needs a load that searches for the capacity"
            yield Mistake(path, message, "write load: {shape: breakpoint}, or remove the gate")


def _parts(draft: names.Draft, side: Focus) -> set[str]:
    """Return the tools, steps or journeys that an arm has, as gates name them."""
    journeys = draft.scenario.journeys
    if side.kind == "journey":
        return set(journeys)
    steps = [
        (journey, step)
        for journey in journeys
        for step in flat(step for _, step in draft.steps(journey, side.arm))
    ]
    if side.kind == "tool":
        return {str(step.subject) for _, step in steps if step.action == "call"}
    return {f"{journey}.{step.label}" for journey, step in steps if isinstance(step, Counted)}


def _layers(draft: names.Draft) -> Iterator[Mistake]:
    arms, layers, load = draft.scenario.arms, draft.scenario.layers, draft.scenario.load
    for index, name in enumerate(layers):
        path: Path = ("layers", index)
        if name not in arms:
            yield Mistake(path, f"the layer {quote(name)} is not an arm", suggest(name, arms))
        elif name in layers[:index]:
            yield Mistake(path, f"the layer {quote(name)} is listed twice", "list each arm once")
    if len(layers) == 1:
        message = "a layer costs what it adds to the one below, but there is only one"
        yield Mistake(("layers",), message, "list at least two")
    if layers and (load.stages is not None or load.shape in (BREAKPOINT, *VARYING)):
        message = "layers can only be compared under a load that does not change"
        yield Mistake(("layers",), message, "remove layers, or the stages or shape of the load")
