"""When journeys begin in an open load: a seeded, exact plan that is split over the nodes.

Every node computes the whole plan and takes a part of it, so the parts together are the plan of a
single node. Arrivals are dealt out to the users of all nodes one by one, so a node with more users
gets more of them. Every arm gets the same plan in the same round.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import compress, count, cycle, takewhile
from typing import Final

_SECOND_NS: Final = 1_000_000_000


def arrivals(
    rate: float,
    seconds: float,
    *,
    poisson: bool,
    seed: str,
    recorded: Sequence[int] = (),
    users: int = 1,
    node: int = 0,
    nodes: int = 1,
) -> Iterator[int]:
    """Yield the intended starts of a turn in ns from its beginning, ascending.

    There are `rate` journeys per second: evenly spaced, the first at once, or with exponential gaps
    drawn from `seed` (a Poisson process). With `recorded`, they start at those moments instead.
    `node` of `nodes` counts from 0; it has as many of all `users` as `share_of` gives it.
    """
    every = iter(recorded) if recorded else _poisson(rate, seed) if poisson else _even(rate)
    end_ns = round(seconds * _SECOND_NS)
    own = cycle([user % nodes == node for user in range(users)])
    return compress(takewhile(lambda at_ns: at_ns < end_ns, every), own)


def _even(rate: float) -> Iterator[int]:
    gap_ns = _SECOND_NS / rate
    return (round(number * gap_ns) for number in count())


def _poisson(rate: float, seed: str) -> Iterator[int]:
    draw = random.Random(seed).expovariate
    at_s = 0.0
    while True:
        at_s += draw(rate)
        yield int(at_s * _SECOND_NS)
