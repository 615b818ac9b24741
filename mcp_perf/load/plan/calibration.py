"""The turns of a run that first finds out how many users keep its targets below saturation.

The warm-ups run with some of the users, and show how much processor time the targets need for them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mcp_perf.load.plan.schedule import Turn
from mcp_perf.numbers import said
from mcp_perf.results.tally.tally import RunTally

CODE: Final = "calibrated"
"""The code of the note that says what was found."""
_TRIED: Final = 4
"""The warm-ups have the most users divided by this."""


def turns(
    planned: Sequence[Turn], bound: float, tally: RunTally, note: Callable[[str, str], object]
) -> Iterator[Turn]:
    """Yield the turns. The rounds have as many users as keep all targets below `bound`.

    `bound` is in processors; `tally` follows the run.
    """
    warmups = [turn for turn in planned if turn.phase == "warmup"]
    most = planned[0].users
    tried = max(1, most // _TRIED)
    for turn in warmups:
        yield replace(turn, users=tried)
    used = {turn.arm: _processors(tally, turn) for turn in warmups}
    known = {arm: cpu for arm, cpu in used.items() if cpu is not None}
    users = users_below(bound, most, tried, known.values()) if len(known) == len(used) else tried
    note(CODE, _found(users, most, tried, bound, used))
    for turn in planned[len(warmups) :]:
        yield replace(turn, users=users)


def users_below(bound: float, most: int, tried: int, used: Iterable[float]) -> int:
    """Return how many users keep the processor time below `bound`, from 1 to `most`.

    It is in proportion to what `tried` users have `used`. A target that gets slower as it fills up
    needs less than that.
    """
    highest = max(used)
    return most if highest * most <= bound * tried else max(1, int(bound * tried / highest))


def _processors(tally: RunTally, turn: Turn) -> float | None:
    usage = tally.turns[turn.number].usage
    return None if usage.cpu_s is None else usage.cpu_s / usage.seconds


def _found(
    users: int, most: int, tried: int, bound: float, used: Mapping[str, float | None]
) -> str:
    needs = ", ".join(
        f"{arm} {'an unknown part' if cpu is None else said(cpu, '')}" for arm, cpu in used.items()
    )
    return (
        f"Calibrated: {users} of at most {most} users make calls. With {tried} users the targets "
        f"used this many CPU cores: {needs}; the limit is {said(bound, '')}."
    )
