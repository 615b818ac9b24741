"""The work of each arm, as a digest: runs with different digests did different work."""

import hashlib
import json
from typing import Any, Final

from mcp_perf.scenario.model.scenario import Scenario
from mcp_perf.scenario.model.steps import Step

_LATER: Final = (
    *("name", "arguments", "query", "form", "json_", "headers", "save", "expect", "equals"),
    *("on_error", "timeout", "answers", "cancel_after", "progress"),
)
"""The keys of a step after its action, in a fixed order: digests do not depend on the model's."""
_SHOWN: Final = 12
"""Digits: enough to tell digests apart, few enough to read."""


def workload(scenario: Scenario) -> dict[str, str]:
    """Return arm -> digest of its journeys and of what draws their values.

    Gates, limits, titles, the load and the target's address are left out: if one of these differs,
    the work is still the same.
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
                journey.model_dump(
                    mode="json", include={"weight", "with_", "answers"}, exclude_defaults=True
                ),
                *map(_told, journey.of(name)),
            ]
            for label, journey in scenario.journeys.items()
        },
    }
    # The keys are not sorted, because the seed draws journeys and values in the file's order.
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:_SHOWN]


def _told(step: Step) -> dict[str, Any]:
    if step.inner:
        return {"parallel": [_told(one) for one in step.inner]}
    written = step.model_dump(mode="json", exclude_defaults=True)
    if "expect" in written:
        written["expect"] = _ordered(written["expect"])
    return _ordered(written)


def _ordered(written: dict[str, Any]) -> dict[str, Any]:
    first = [key for key in written if key not in _LATER]
    return {key: written[key] for key in (*first, *_LATER) if key in written}
