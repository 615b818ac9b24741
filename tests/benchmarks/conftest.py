"""The bundled systems, and users that walk the journeys of the shipped scenarios on them.

In this process, unpatched: importing Locust would make asyncio four times slower.
"""

import functools
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from mcp_perf.client.http.rest import RestClient
from mcp_perf.load.steps.compile import compile_journeys
from mcp_perf.load.steps.journey import CompiledJourney, Walk
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.steps.step import CallContext
from mcp_perf.load.targets.clients import ArmClient, session
from mcp_perf.load.targets.targets import SYSTEM, ArmTarget, reach_all
from mcp_perf.scenario.loader import Loaded, find, load
from mcp_perf.scenario.model.scenario import Scenario
from mcp_targets.launcher.catalog import SYSTEMS
from mcp_targets.launcher.systems import Systems
from mcp_targets.upstream import provider

LIMITED = (f"{SYSTEM}business_tools/mcp", f"{SYSTEM}business_tools/rest")


def bundled(scenario: Scenario, arm: str) -> bool:
    """Return whether an arm is a bundled system; code within this process would need Locust's."""
    return scenario.arms[arm].address.startswith(SYSTEM)


def _unlimited(address: str) -> str:
    """Lift the providers' limits, which one user without pauses exceeds on a fast machine."""
    face, _, flags = address.partition("?")
    if face not in LIMITED or "limits=off" in flags.split("&"):
        return address
    return f"{face}?{'&'.join(filter(None, (flags, 'limits=off')))}"


@dataclass
class Station:
    """One user of one arm, for one journey."""

    system: str
    target: ArmTarget
    context: CallContext
    journey: CompiledJourney
    walk: Walk
    fill: Callable[[dict], object]
    """Draws the values of one journey."""

    def begin(self) -> None:
        """Begin a journey with new values."""
        self.context.values = {**self.target.variables, "arm": self.target.arm}
        self.fill(self.context.values)


@pytest.fixture(scope="session", autouse=True)
def unpatched() -> None:
    """Measure as a plain process does."""
    monkey = sys.modules.get("gevent.monkey")
    assert monkey is None or not monkey.saved, "benchmarks need a process without Locust"


@pytest.fixture(scope="session")
def systems(tmp_path_factory, _processes) -> Iterator[Systems]:
    """Start each bundled system when it is first asked for."""
    with Systems(tmp_path_factory.mktemp("systems")) as systems:
        yield systems


@pytest.fixture(scope="session")
def simulated() -> Callable[[str], list[str]]:
    """Note for the report which providers a system simulates."""
    return lambda system: [
        provider.describe(provider.load(name)) for name in SYSTEMS[system].simulates
    ]


@pytest.fixture(scope="session")
def reached(systems) -> Callable[..., tuple[Loaded, dict[str, ArmTarget]]]:
    """Reach the targets of a shipped scenario, or of one of its arms, once."""

    @functools.cache
    def reach(scenario: str, only: str = "") -> tuple[Loaded, dict[str, ArmTarget]]:
        whole = load(find(scenario)).scenario
        arms = [only] if only else [arm for arm in whole.arms if bundled(whole, arm)]
        loaded = load(find(scenario), arms=arms)
        pointed = {arm: _unlimited(whole.arms[arm].address) for arm in arms}
        return loaded, reach_all(loaded, systems, pointed, {"run": "bench"})

    return reach


@pytest.fixture
def stations(reached) -> Iterator[Callable[..., dict[str, list[Station]]]]:
    """Give some users on every arm of a scenario, or on one, for one of its journeys."""
    opened: list[Station] = []
    numbers = itertools.count(1)

    def make(
        scenario: str, journey: str, users: int = 1, only: str = ""
    ) -> dict[str, list[Station]]:
        loaded, targets = reached(scenario, only)
        made = {
            arm: [_station(loaded, targets, arm, journey, numbers) for _ in range(users)]
            for arm in targets
        }
        opened.extend(station for of_arm in made.values() for station in of_arm)
        return made

    yield make
    for station in opened:
        station.context.client.close()


def _station(
    loaded: Loaded, targets: dict[str, ArmTarget], arm: str, journey: str, numbers: Iterator[int]
) -> Station:
    recorder = Recorder("bench", lambda _: None)
    target = targets[arm]
    compiled = next(
        found for found in compile_journeys(loaded, targets, recorder) if found.name == journey
    )
    client: ArmClient = (
        RestClient(target.endpoint)
        if target.kind == "http"
        else session(target.url, target.destination, target.version, answers=target.script)
    )
    client.ready()
    context = CallContext(arm, client, recorder, _complain)
    user = next(numbers)
    walk = Walk(
        [compiled],
        context,
        target.variables,
        user=user,
        seed=loaded.scenario.seed,
        counter=_SEQUENCE.__next__,
    )
    fill = compiled.generators.for_user(user, _SEQUENCE.__next__)
    address = loaded.scenario.arms[arm].address
    system = address.removeprefix(SYSTEM).partition("/")[0]
    return Station(system, target, context, compiled, walk, fill)


_SEQUENCE = itertools.count(1)
"""Counts over the whole session; otherwise journeys would meet names that others created."""


def _complain(*, name: str, exception: Exception | None, **_: object) -> None:
    """Replace Locust's request event: a failed call must not be taken for a benchmark."""
    if exception is not None:
        pytest.fail(f"{name}: {exception}")
