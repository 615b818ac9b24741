"""Which values of identities must not appear anywhere."""

import re
from typing import Any, Final

from mcp_perf.scenario.model.fields import Part
from mcp_perf.scenario.model.identities import names_in
from mcp_perf.scenario.model.scenario import Scenario

SOUNDS_SECRET: Final = re.compile(r"token|secret|passw|pwd|key|credential|cookie", re.IGNORECASE)


def secret_names(scenario: Scenario) -> set[str]:
    """Return the names whose values must not appear anywhere.

    Those that go into headers, authorization, a server's environment, the request for identities or
    a value of `with`. `is_secret` adds names that sound like a secret.
    """
    parts: list[Part] = [*scenario.arms.values()]
    if scenario.identities is not None and scenario.identities.provision is not None:
        parts.append(scenario.identities.provision)
    trees: list[Any] = [tree for part in parts for _, tree in part.texts(())]
    for journey in scenario.journeys.values():
        steps = [step for arm in scenario.arms for step in journey.of(arm)]
        singles = [one for step in steps for one in step.inner or (step,)]
        trees += [journey.with_, *(getattr(one, "headers", None) for one in singles)]
    return set(names_in(trees))


def is_secret(name: str, used: set[str]) -> bool:
    """Tell whether the values of a name must not appear anywhere; `used` is from `secret_names`."""
    return name in used or "" in used or SOUNDS_SECRET.search(name) is not None
