"""From a scenario file to the model, with all its problems at once.

Text -> plain tree with lines (`yaml_reader`) -> overrides -> the model, or a draft of it with what
is wrong with values (`model_errors`) -> what is wrong between parts (`checks`) -> `Loaded`, or a
`ScenarioError`.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path as FilePath

from mcp_perf.scenario.catalog import find, shipped
from mcp_perf.scenario.checks.model_errors import validate
from mcp_perf.scenario.checks.names import Draft, unknown_in_arm
from mcp_perf.scenario.checks.scenario import check
from mcp_perf.scenario.checks.size import oversize
from mcp_perf.scenario.model.scenario import Journey, Scenario
from mcp_perf.scenario.problems.mistake import Mistake, Path
from mcp_perf.scenario.problems.problem import MOST_SHOWN, Problem, ScenarioError
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, quote
from mcp_perf.scenario.source.blame import Blame
from mcp_perf.scenario.source.overrides import make_way, override
from mcp_perf.scenario.source.yaml_reader import MOST_BYTES, UnreadableError, decode, read
from mcp_perf.scenario.values.files import named
from mcp_perf.scenario.values.recordings import ReplayPlan, read_recording, schedule
from mcp_perf.scenario.values.templates import NAME

__all__ = [
    "Loaded",
    "Problem",
    "ScenarioError",
    "find",
    "load",
    "load_text",
    "shipped",
    "unknown_names",
]


@dataclass(frozen=True)
class Loaded:
    """A valid scenario, and where it came from."""

    scenario: Scenario
    text: str
    """The file as it is, without overrides."""
    source: str
    base: FilePath
    """The folder that the scenario's own files are looked up in."""
    env: dict[str, str] = field(repr=False)
    """The allow-listed environment variables: all of them may be secrets."""
    lines: Mapping[Path, int] = field(default_factory=dict, repr=False)
    replay: ReplayPlan | None = field(default=None, repr=False)
    """When journeys begin, if the load replays a recording."""
    left_out: tuple[str, ...] = ()
    """The gates of the file that need an arm that is not kept."""


def load(
    path: FilePath,
    overrides: Sequence[str] = (),
    *,
    environ: Mapping[str, str] = os.environ,
    arms: Sequence[str] = (),
) -> Loaded:
    """Load a file. `overrides` are like `load.users=50`; `arms`, if any, are the only ones kept.

    Raises ScenarioError with every problem of the file.
    """
    source = str(path)
    try:
        # Not a pipe or a device: reading one may never end.
        content = _content(path) if path.is_file() else None
    except OSError as error:
        problem = Problem(source, 0, f"cannot be read: {error.strerror}", "check its permissions")
        raise ScenarioError([problem]) from None
    if content is None:
        raise ScenarioError([Problem(source, 0, "there is no such file", "check the path")])
    try:
        text = decode(content)
    except UnreadableError as error:
        raise ScenarioError([Problem(source, error.line, error.message, error.hint)]) from None
    return load_text(text, source, path.parent, overrides, environ=environ, arms=arms)


def load_text(
    text: str,
    source: str,
    base: FilePath,
    overrides: Sequence[str] = (),
    *,
    environ: Mapping[str, str] = os.environ,
    arms: Sequence[str] = (),
) -> Loaded:
    """Load a scenario's text, as `load` does; `source` names it in messages."""
    try:
        reading = read(text)
    except UnreadableError as error:
        raise ScenarioError([Problem(source, error.line, error.message, error.hint)]) from None
    owners, mistakes = override(reading.tree, overrides)
    make_way(reading.tree, owners)
    blame = Blame(source, reading.lines, owners)
    if too_much := oversize(reading.tree, text):
        raise ScenarioError(blame.problems([too_much]))
    draft, wrong = validate(reading.tree)
    env, env_mistakes = _environment(draft.env, environ)
    checked = islice(check(Draft(draft, env, base)), MOST_SHOWN + 1)
    mistakes += [*reading.mistakes, *env_mistakes, *wrong, *checked, *_unknown_arms(arms, draft)]
    replay = None
    if not mistakes and draft.load.replay is not None:
        try:
            found = read_recording(named(draft.load.replay, env, base))
            replay = schedule(found, draft.journeys)
        except InputError as error:
            mistakes = [Mistake(("load", "replay"), f"replay: {error.message}", error.hint)]
    if mistakes:
        raise ScenarioError(blame.problems(mistakes))
    kept = _only(draft if replay is None else _timed(draft, replay), arms)
    left_out = tuple(gate.text for gate in draft.gates if gate not in kept.gates)
    return Loaded(kept, text, source, base, env, reading.lines, replay, left_out)


def unknown_names(loaded: Loaded, arm: str, provided: Collection[str]) -> list[Problem]:
    """Return the lookups of an arm that nothing provides.

    `provided` are the names that the arm's target brought, such as `account`. What can be known
    without them was checked by `load`, so this is for arms of a `system:`.
    """
    scenario = loaded.scenario
    draft = Draft(scenario, dict.fromkeys(scenario.env, ""), FilePath())
    return Blame(loaded.source, loaded.lines).problems(unknown_in_arm(draft, arm, provided))


def _content(path: FilePath) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _environment(
    names: Sequence[str], environ: Mapping[str, str]
) -> tuple[dict[str, str], list[Mistake]]:
    known = [(index, name) for index, name in enumerate(names) if NAME.fullmatch(name)]
    missing = []
    for index, name in known:
        if name not in environ:
            message = f"environment variable {quote(name)} is not set"
            missing.append(Mistake(("env", index), message, f"set it: export {name}=…"))
    return {name: environ.get(name, "") for _, name in known}, missing


def _unknown_arms(arms: Sequence[str], draft: Scenario) -> Iterator[Mistake]:
    for name in arms:
        if name not in draft.arms:
            message = f"there is no arm {quote(name)}"
            yield Mistake((), message, suggest(name, draft.arms), source=f"--arm {name}")


def _timed(scenario: Scenario, replay: ReplayPlan) -> Scenario:
    """Give the load of a replay what any open load has: its rate, and how long a round is."""
    load_ = scenario.load
    update = {
        "rate": len(replay.starts_ns) / replay.seconds,
        "round": replay.seconds,
        "max_in_flight": load_.max_in_flight or replay.most_users,
    }
    return scenario.model_copy(update={"load": load_.model_copy(update=update)})


def _only(scenario: Scenario, arms: Sequence[str]) -> Scenario:
    """Keep some arms, and the gates and layers that can do without the others."""
    if not arms:
        return scenario
    journeys = {
        name: Journey.model_construct(
            **{key: value for key, value in journey if key not in journey.own or key in arms}
        )
        for name, journey in scenario.journeys.items()
    }
    kept = {name: arm for name, arm in scenario.arms.items() if name in arms}
    gates = tuple(gate for gate in scenario.gates if {s.arm for s in gate.sides} <= {*arms})
    layers = tuple(arm for arm in scenario.layers if arm in arms)
    update = {"arms": kept, "journeys": journeys, "gates": gates}
    return scenario.model_copy(update={**update, "layers": layers if len(layers) > 1 else ()})
