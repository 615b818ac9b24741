"""What each arm does, as a digest: runs whose digests differ did other work."""

import hashlib
import json
from typing import Final

from mcp_perf.scenario.model.scenario import Scenario

_SHOWN: Final = 12
"""Digits: enough to tell, few enough to read."""


def workload(scenario: Scenario) -> dict[str, str]:
    """Return arm -> digest of its journeys and what draws their values.

    Gates, limits, titles, the load and the target's address are no part of it: with another one of
    these, the work is the same.
    """
    return {name: _digest(scenario, name) for name in scenario.arms}


def _digest(scenario: Scenario, name: str) -> str:
    arm = scenario.arms[name]
    told = {
        "seed": scenario.seed,
        "vars": scenario.vars,
        "arm": {"kind": arm.kind, "protocol": arm.protocol, "vars": arm.vars},
        "journeys": {
            label: [
                journey.model_dump(mode="json", exclude={"steps", "tags"}, exclude_defaults=True),
                *(step.model_dump(mode="json", exclude_defaults=True) for step in steps),
            ]
            for label, journey in scenario.journeys.items()
            for steps in (journey.steps[name],)
        },
    }
    # Not sorted: the seed draws journeys and values in the file's order.
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:_SHOWN]
