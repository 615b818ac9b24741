"""To pytest-benchmark: each side is a benchmark of its own, in its table and its files."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any


def hand_over(
    benchmark: Any, side: str, seconds: Iterable[float], block: int, info: Mapping[str, Any]
) -> None:
    """Add what was measured of a side; `block` is how many calls each value stands for.

    So it can be compared with earlier sessions. `info` goes into its `extra_info`.
    """
    own = copy.copy(benchmark)
    own.name = f"{own.name} {side}"
    own.fullname = f"{own.fullname} {side}"
    own.group = own.group or benchmark.name
    own.extra_info = {**own.extra_info, "side": side, **info}
    # It measures one function per test, and has no public way in for other measurements.
    stats = own._make_stats(block)  # noqa: SLF001
    for value in seconds:
        stats.update(value)
