"""Measures the sides of a comparison by turns: A B, B A, A B, …, so drift affects both equally.

Nothing here knows pytest; the clocks are arguments.
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final

Clock = Callable[[], int]
Sides = Mapping[str, Callable[[], object]]

SHORTEST_NS: Final = 10_000
"""A call of this length is timed alone: reading the clock twice adds less than 1 %."""
BLOCK_NS: Final = 100_000
"""Shorter calls are timed together, about this long."""
_TRIES: Final = 5
_SURELY_LONG_NS: Final = 10_000_000
"""Too long to be a hiccup, and long enough not to be repeated."""


@dataclass(frozen=True)
class SideTurn:
    """One side, alone, in one round."""

    side: str
    round: int
    """From 1."""
    at_ns: int
    """Since the first turn began."""
    blocks_ns: list[int]
    """How long each block of calls took."""
    cpu_ns: int
    """CPU time of this process; it leaves out a target in another process."""
    wall_ns: int


@dataclass(frozen=True)
class Measured:
    """All turns of a comparison, in their order."""

    block: Mapping[str, int]
    """Side -> how many calls were timed together."""
    round_s: float
    turns: list[SideTurn] = field(default_factory=list)


def measure(
    sides: Sides,
    *,
    rounds: int,
    round_s: float,
    clock: Clock = time.perf_counter_ns,
    cpu: Clock = time.process_time_ns,
) -> Measured:
    """Call each side for at least `round_s` seconds in each of `rounds` rounds.

    The order of the sides is mirrored from round to round. What a side raises is not caught.
    """
    measured = Measured({name: _block(call, clock) for name, call in sides.items()}, round_s)
    names, round_ns = list(sides), int(round_s * 1e9)
    with _settled():
        zero_ns = clock()
        for number in range(1, rounds + 1):
            for name in names if number % 2 else reversed(names):
                gc.collect()  # one side's garbage is not the other's work
                begin_ns, begin_cpu = clock(), cpu()
                blocks = _blocks(sides[name], measured.block[name], round_ns, clock)
                wall_ns, cpu_ns = clock() - begin_ns, cpu() - begin_cpu
                turn = SideTurn(name, number, begin_ns - zero_ns, blocks, cpu_ns, wall_ns)
                measured.turns.append(turn)
    return measured


def _blocks(call: Callable[[], object], block: int, round_ns: int, clock: Clock) -> list[int]:
    end_ns = clock() + round_ns
    taken: list[int] = []
    while not taken or clock() < end_ns:
        taken.append(_time(call, block, clock))
    return taken


def _block(call: Callable[[], object], clock: Clock) -> int:
    """Return how many calls to time together; the search warms the side up."""
    if _time(call, 1, clock) >= _SURELY_LONG_NS:
        return 1
    if min(_time(call, 1, clock) for _ in range(_TRIES)) >= SHORTEST_NS:
        return 1
    number = 2
    while min(_time(call, number, clock) for _ in range(_TRIES)) < BLOCK_NS:
        number *= 2
    return number


def _time(call: Callable[[], object], number: int, clock: Clock) -> int:
    start_ns = clock()
    for _ in repeat(None, number):
        call()
    return clock() - start_ns


@contextmanager
def _settled() -> Iterator[None]:
    """Exempt all present objects, so that collecting the sides' garbage is quick."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
