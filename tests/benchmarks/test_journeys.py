"""Whole journeys of the shipped scenarios, arm against arm: latency alone, throughput with many."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mcp_perf.scenario.loader import load, shipped
from mcp_perf.scenario.model.scenario import Journey, Scenario

USERS = 8
MOST_ARMS = 4
ROUNDS = 6
"""The fewest that decide anything: the gates are far from what is measured."""


def shipped_with_systems() -> list[tuple[str, str]]:
    """Return scenario and journey wherever all arms are bundled systems: no list to keep.

    Of scenarios that make the same calls at the same faces, the last one. Many arms are one system
    with other flags: what those are worth is for a whole run, with many more rounds.
    """
    found = {}
    for scenario in (load(path).scenario for path in shipped()):
        bundled = [arm.address.startswith("system:") for arm in scenario.arms.values()]
        if all(bundled) and 1 < len(bundled) <= MOST_ARMS:
            for name, journey in scenario.journeys.items():
                steps = {arm: journey.of(arm) for arm in scenario.arms}
                if any(step.action == "parallel" for listed in steps.values() for step in listed):
                    continue  # without Locust there is nothing at once
                found[_work(scenario, journey)] = scenario.name, name
    return list(found.values())


def _work(scenario: Scenario, journey: Journey) -> str:
    faces = {(arm.address.partition("?")[0], arm.protocol) for arm in scenario.arms.values()}
    calls = {tuple(step.label for step in journey.of(arm)) for arm in scenario.arms}
    return repr((sorted(faces), sorted(calls)))


JOURNEYS = shipped_with_systems()
FIRST = list(dict(reversed(JOURNEYS)).items())


def ids(cases: list[tuple[str, str]]) -> list[str]:
    """Name the cases as the scenarios are."""
    return ["/".join(case) for case in cases]


def info(journey: str, arms: dict) -> dict[str, dict[str, str]]:
    """Say for pytest-benchmark what each arm is."""
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
    """One journey of one user: how long each arm takes."""
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
    """Eight users, a journey each: how long each arm takes until all are done."""
    benchmark.group = f"{scenario}: throughput of {journey}, {USERS} users at once"
    arms = stations(scenario, journey, USERS)
    benchmark.extra_info["simulated"] = simulations(arms, simulated)
    with ThreadPoolExecutor(USERS) as pool:

        def all_at_once(users: list) -> list[None]:
            return [done.result() for done in [pool.submit(user.walk.journey) for user in users]]

        sides = {arm: lambda users=users: all_at_once(users) for arm, users in arms.items()}
        returned = side_by_side(sides, rounds=ROUNDS, info=info(journey, arms))
    assert all(len(done) == USERS for done in returned.values())
