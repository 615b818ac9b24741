"""When: the order of turns, as a pure function of the load.

A turn is a time in which exactly one arm runs alone. Arms alternate in mirrored blocks (ABBA), so
that a machine which slowly gets faster or slower favours no arm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SHORTEST_ROUND_S: Final = 1.0
"""Below this, a bound on the run's time takes rounds away instead of shortening them further."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of one arm. `round` counts from 1; the warm-up is round 0."""

    number: int
    arm: str
    phase: str
    round: int
    seconds: float


def fit(rounds: int, round_s: float, arms: int, run_time_s: float | None) -> tuple[int, float]:
    """Fit rounds into a bound on the measured time; return their number and length.

    More time than the file asks for brings more rounds, less time brings shorter ones, down to
    `SHORTEST_ROUND_S`, and then fewer.
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


def plan(arms: Sequence[str], rounds: int, round_s: float, warmup_s: float) -> tuple[Turn, ...]:
    """Lay out all turns: a warm-up of each arm, then mirrored blocks of rounds."""
    slots = [(arm, "warmup", 0, warmup_s) for arm in arms if warmup_s > 0]
    for index in range(rounds):
        block = arms if index % 2 == 0 else list(reversed(arms))
        slots.extend((arm, "round", index + 1, round_s) for arm in block)
    return tuple(Turn(number, *slot) for number, slot in enumerate(slots))
