"""The order of turns and their levels, as a pure function of the load.

In a turn exactly one arm runs. Arms alternate in mirrored blocks (ABBA), so a machine that slowly
gets faster or slower does not favour an arm. Every arm gets the same levels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_perf.results.document.document import Phase
from mcp_perf.scenario.model.load import DOUBLING, Load, Stage

SHORTEST_ROUND_S: Final = 1.0
"""A bound on the run's time shortens rounds down to this; below it, there are fewer rounds."""
_STEPS: Final = 5
_CALM: Final = 0.1
"""The level before and after a spike, as a share of the spike's level."""


@dataclass(frozen=True, slots=True)
class Level:
    """How much load there is: users at work, and in an open load, journeys begun per second."""

    users: int
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of one arm.

    `round` counts from 1. A warm-up has round 0, and a probe has the round of the trial after it.
    """

    number: int
    arm: str
    phase: Phase
    round: int
    seconds: float
    users: int
    rate: float = 0.0
    """0 in a closed load."""
    rest_s: float = 0.0
    """How long the target is left alone before the turn."""

    @property
    def seed(self) -> str:
        """The seed of its arrivals: the same for all arms in a round, a new one for each probe."""
        return f"{self.round}/{self.number}" if self.phase == "probe" else str(self.round)


def fit(rounds: int, round_s: float, arms: int, run_time_s: float | None) -> tuple[int, float]:
    """Fit rounds into a bound on the measured time; return their number and length.

    If there is more time than the file asks for, there are more rounds. If there is less, rounds
    get shorter, down to `SHORTEST_ROUND_S`, and then fewer.
    """
    if run_time_s is None:
        return rounds, round_s
    per_arm_s = run_time_s / arms
    shortest_s = min(SHORTEST_ROUND_S, round_s)
    if per_arm_s >= rounds * round_s:
        rounds = int(per_arm_s / round_s + 1e-9)
    elif per_arm_s < rounds * shortest_s:
        rounds = max(1, int(per_arm_s / shortest_s + 1e-9))
    return rounds, per_arm_s / rounds


def levels(load: Load, rounds: int, most_users: int) -> list[Level]:
    """Return the level of each round: the load's shape, in steps of one round.

    A level never changes within a round, so every number of a round belongs to one level.
    """
    if load.shape == DOUBLING:
        return [Level(min(2**index, most_users)) for index in range(rounds)]
    shares = [_share(load, index, rounds) for index in range(rounds)]
    if load.open:
        return [Level(most_users, load.peak * share) for share in shares]
    return [Level(max(1, round(most_users * share))) for share in shares]


def plan(
    arms: Sequence[str], levels_: Sequence[Level], round_s: float, warmup_s: float
) -> tuple[Turn, ...]:
    """Lay out all turns: a warm-up of each arm, then mirrored blocks of rounds, one per level."""
    first = levels_[0]
    slots: list[tuple[str, Phase, int, float, Level]] = [
        (arm, "warmup", 0, warmup_s, first) for arm in arms if warmup_s > 0
    ]
    for index, level in enumerate(levels_):
        block = arms if index % 2 == 0 else list(reversed(arms))
        slots.extend((arm, "round", index + 1, round_s, level) for arm in block)
    return tuple(
        Turn(number, arm, phase, round_, seconds, level.users, level.rate)
        for number, (arm, phase, round_, seconds, level) in enumerate(slots)
    )


def share_of(users: int, node: int, nodes: int) -> int:
    """Return how many of all users one node has, if they are dealt out one by one."""
    return len(range(node, users, nodes))


def _share(load: Load, index: int, rounds: int) -> float:
    if load.stages is not None:
        return _staged(load.stages, (index + 0.5) / rounds) / load.peak
    return _SHAPES.get(load.shape, _flat)(index, rounds)


def _staged(stages: Sequence[Stage], share: float) -> float:
    at_s = share * sum(stage.for_ for stage in stages)
    for stage in stages:
        if at_s < stage.for_:
            return stage.start + (stage.end - stage.start) * at_s / stage.for_
        at_s -= stage.for_
    return stages[-1].end


def _flat(_index: int, _rounds: int) -> float:
    return 1.0


def _ramp(index: int, rounds: int) -> float:
    return (index + 1) / rounds


def _step(index: int, rounds: int) -> float:
    return (index * _STEPS // rounds + 1) / _STEPS if rounds >= _STEPS else _ramp(index, rounds)


def _spike(index: int, rounds: int) -> float:
    """Put the spike into the middle fifth, but into at least one round."""
    middle = (index + 0.5) / rounds
    return 1.0 if 0.4 <= middle < 0.6 or index == rounds // 2 else _CALM


_SHAPES: Final[Mapping[str, Callable[[int, int], float]]] = {
    "ramp": _ramp,
    "step": _step,
    "spike": _spike,
}
"""The shapes whose level changes."""
