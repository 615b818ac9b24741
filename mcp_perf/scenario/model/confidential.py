"""Which values of identities are to appear nowhere."""

import re
from typing import Any, Final

from mcp_perf.scenario.model.identities import names_in
from mcp_perf.scenario.model.scenario import Scenario

SOUNDS_SECRET: Final = re.compile(r"token|secret|passw|pwd|key|credential|cookie", re.IGNORECASE)


def secret_names(scenario: Scenario) -> set[str]:
    """Return the names whose values are to appear nowhere.

    Those that go into headers, authorization, a server's environment, the request for identities or
    a value of `with`, and those that are called like a secret.
    """
    trees: list[Any] = []
    for arm in scenario.arms.values():
        auth = None if arm.auth is None else arm.auth.model_dump()
        trees += [arm.headers, arm.env, auth]
    for journey in scenario.journeys.values():
        steps = [step for listed in journey.steps.values() for step in listed]
        trees += [
            journey.with_,
            *(one.headers for step in steps for one in step.parallel or [step]),
        ]
    if scenario.identities is not None and (provision := scenario.identities.provision) is not None:
        trees += [provision.headers, provision.form, provision.json_]
    return set(names_in(trees))


def is_secret(name: str, used: set[str]) -> bool:
    """Tell whether the values of a name are to appear nowhere; `used` is of `secret_names`."""
    return name in used or "" in used or SOUNDS_SECRET.search(name) is not None
