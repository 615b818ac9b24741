"""One benchmark for each call of the shipped scenarios: every tool and every path, by system."""

import pytest

from mcp_perf.scenario.loader import load, shipped

ROUNDS = 5


def calls() -> dict[str, tuple[str, str, str, int]]:
    """Return where each call is made: id -> scenario, journey, arm and index of the step.

    If several scenarios make the same call, with any flags of the system, the last one counts.
    """
    found: dict[str, tuple[str, str, str, int]] = {}
    for scenario in (load(path).scenario for path in shipped()):
        for name, journey in scenario.journeys.items():
            for arm in scenario.arms:
                steps = journey.of(arm)
                address = scenario.arms[arm].address
                if not address.startswith("system:"):
                    continue
                if any(step.action == "parallel" for step in steps):
                    continue  # without Locust nothing runs at once
                for place, step in enumerate(steps):
                    if step.action != "wait":
                        face, _, _flags = address.removeprefix("system:").partition("?")
                        protocol = scenario.arms[arm].protocol.replace("auto", "")
                        key = " ".join(filter(None, (face, protocol, step.label)))
                        found[key] = scenario.name, name, arm, place
    return found


CALLS = calls()


@pytest.mark.process
@pytest.mark.parametrize("call", CALLS)
def test_a_call(call, stations, benchmark):
    """Only the call is timed, not the calls before it that provide its values."""
    scenario, journey, arm, place = CALLS[call]
    [station] = stations(scenario, journey, only=arm)[arm]
    system, _, label = call.partition(" ")
    benchmark.group = f"tools of {system.partition('/')[0]}"
    layer = {"http": "REST", "mcp": "MCP"}[station.target.kind]
    benchmark.extra_info |= {"system": system, "layer": layer, "tool": label}
    *before, step = station.journey.steps[arm][: place + 1]

    def walk_there() -> None:
        station.begin()
        for earlier in before:
            earlier.run(station.context)

    ended = benchmark.pedantic(step.run, (station.context,), setup=walk_there, rounds=ROUNDS)
    assert ended == "ok"
