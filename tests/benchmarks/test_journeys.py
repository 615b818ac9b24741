"""Whole journeys of the shipped scenarios, arm against arm: with one user, and with many."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mcp_perf.scenario.loader import load, shipped
from mcp_perf.scenario.model.scenario import Journey, Scenario

USERS = 8
MOST_ARMS = 4
ROUNDS = 6
"""The fewest that can decide a gate; the gates are far from the measured values."""


def shipped_with_systems() -> list[tuple[str, str]]:
    """Return each scenario and journey whose arms are all bundled systems; no list to maintain.

    If several scenarios make the same calls on the same faces, the last one counts. Many arms are
    one system with different flags: comparing those needs a whole run with many more rounds.
    """
    found = {}
    for scenario in (load(path).scenario for path in shipped()):
        bundled = [arm.address.startswith("system:") for arm in scenario.arms.values()]
        if all(bundled) and 1 < len(bundled) <= MOST_ARMS:
            for name, journey in scenario.journeys.items():
                steps = {arm: journey.of(arm) for arm in scenario.arms}
                if any(step.action == "parallel" for listed in steps.values() for step in listed):
                    continue  # without Locust nothing runs at once
                found[_work(scenario, journey)] = scenario.name, name
    return list(found.values())


def _work(scenario: Scenario, journey: Journey) -> str:
    faces = {(arm.address.partition("?")[0], arm.protocol) for arm in scenario.arms.values()}
    calls = {tuple(step.label for step in journey.of(arm)) for arm in scenario.arms}
    return repr((sorted(faces), sorted(calls)))


JOURNEYS = shipped_with_systems()
FIRST = list(dict(reversed(JOURNEYS)).items())


def ids(cases: list[tuple[str, str]]) -> list[str]:
    """Name the cases after the scenarios."""
    return ["/".join(case) for case in cases]


def info(journey: str, arms: dict) -> dict[str, dict[str, str]]:
    """Describe each arm for pytest-benchmark."""
    return {
        arm: {"system": users[0].system, "layer": users[0].target.kind, "tool": journey}
        for arm, users in arms.items()
    }


def simulations(arms: dict, simulated) -> list[str]:
    """Name the simulated providers behind the arms."""
    systems = dict.fromkeys(user.system for users in arms.values() for user in users)
    return [name for system in systems for name in simulated(system)]


@pytest.mark.process
@pytest.mark.parametrize(("scenario", "journey"), JOURNEYS, ids=ids(JOURNEYS))
def test_a_journey_by_each_arm(scenario, journey, stations, simulated, benchmark, side_by_side):
    """One journey of one user: the time that each arm takes."""
    benchmark.group = f"{scenario}: latency of {journey}"
    arms = stations(scenario, journey)
    benchmark.extra_info["simulated"] = simulations(arms, simulated)
    sides = {arm: users[0].walk.journey for arm, users in arms.items()}
    side_by_side(sides, rounds=ROUNDS, info=info(journey, arms))
    for arm, [user] in arms.items():
        [done] = user.journey.tracks[arm].tallies
        assert done == "ok"


@pytest.mark.process
@pytest.mark.parametrize(("scenario", "journey"), FIRST, ids=ids(FIRST))
def test_many_users_at_once_by_each_arm(
    scenario, journey, stations, simulated, benchmark, side_by_side
):
    """Eight users, one journey each: the time until all are done, for each arm."""
    benchmark.group = f"{scenario}: throughput of {journey}, {USERS} users at once"
    arms = stations(scenario, journey, USERS)
    benchmark.extra_info["simulated"] = simulations(arms, simulated)
    with ThreadPoolExecutor(USERS) as pool:

        def all_at_once(users: list) -> list[None]:
            return [done.result() for done in [pool.submit(user.walk.journey) for user in users]]

        sides = {arm: lambda users=users: all_at_once(users) for arm, users in arms.items()}
        returned = side_by_side(sides, rounds=ROUNDS, info=info(journey, arms))
    assert all(len(done) == USERS for done in returned.values())
