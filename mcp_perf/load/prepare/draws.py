"""Arguments of many draws are checked by the schemas of their tools, before any load."""

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mcp_perf.load.steps.compile import validator
from mcp_perf.load.targets.personal import Identity
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.scenario.checks.names import Draft, within
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.problems.mistake import Mistake
from mcp_perf.scenario.source.blame import Blame
from mcp_perf.scenario.values.generators import IDENTITY, compile_generators
from mcp_perf.scenario.values.templates import LookupFailed, TooLong, compile_template

DRAWS: Final = 200
"""For each journey. If one draw in a hundred does not fit, it is found six times out of seven."""
_USERS: Final = 20


def misfits(
    loaded: Loaded, targets: Mapping[str, ArmTarget], identities: Sequence[Identity] = ()
) -> list[str]:
    """Return a line for each call whose arguments its tool's inputSchema forbids.

    Values that an earlier step saves are not known yet. Arguments with them are checked call by
    call.
    """
    mistakes = (
        mistake
        for target in targets.values()
        for journey in loaded.scenario.journeys
        for mistake in _of_journey(loaded, target, journey, identities)
    )
    return [*map(str, Blame(loaded.source, loaded.lines).problems(mistakes))]


def _of_journey(
    loaded: Loaded, target: ArmTarget, name: str, identities: Sequence[Identity]
) -> Iterator[Mistake]:
    draft = Draft(loaded.scenario, loaded.env, loaded.base)
    calls = {
        (*path, "arguments"): (
            compile_template(step.at("arguments"), loaded.env),
            validator((target.tools or {})[step.subject]),
        )
        for located in draft.steps(name, target.arm)
        for path, step in (located, *within(located))
        if step.action == "call"
    }
    most = DRAWS if any(template.names for template, _ in calls.values()) else 1
    drawn = itertools.islice(_drawn(loaded, target, name, identities), most)
    for number, values in enumerate(drawn, 1):
        for path, (template, is_valid) in [*calls.items()]:
            known = template.names <= values.keys()
            try:
                problem = is_valid(template.render(values)) if known else ""
            except (LookupFailed, TooLong) as error:
                problem = str(error)
            if problem:
                del calls[path]
                yield Mistake(path, problem, f"in draw {number} of {DRAWS}" if number > 1 else "")


def _drawn(
    loaded: Loaded, target: ArmTarget, name: str, identities: Sequence[Identity]
) -> Iterator[dict[str, Any]]:
    """Yield the values that journeys of the first users, in turn, begin with."""
    with_, seed = loaded.scenario.journeys[name].with_, loaded.scenario.seed
    made = compile_generators(with_, seed=seed, env=loaded.env, base=loaded.base)
    counter = itertools.count(1).__next__
    fillers = [made.for_user(user, counter) for user in range(_USERS)]
    for number in range(DRAWS):
        values: dict[str, Any] = {**target.variables, "arm": target.arm}
        if identities:
            values[IDENTITY] = identities[number % _USERS % len(identities)]
        with contextlib.suppress(LookupFailed, TooLong):  # a call that needs the value reports it
            fillers[number % _USERS](values)
        yield values
