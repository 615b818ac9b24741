"""When an arm was available: each second of its rounds is one slot, and all slots count."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final

from mcp_perf.outcomes import ENDED, OK
from mcp_perf.results.tally.groups import DROPPED, SLOT
from mcp_perf.results.tally.turns import RecordedTurn

ENOUGH: Final = 0.99
"""The share of the journeys due in a slot that must end ok."""


@dataclass(frozen=True)
class Availability:
    """The slots of some turns of an arm."""

    slots: int = 0
    bad: int = 0
    longest_row: int = 0
    """The most bad slots in a row."""
    first_s: float = 0.0
    """When the first bad slot began, since the run's start."""
    last_s: float = 0.0
    """When the last bad slot ended."""

    @property
    def share(self) -> float | None:
        return 1 - self.bad / self.slots if self.slots else None


def availability(turns: Iterable[RecordedTurn]) -> Availability:
    """Count the slots of some turns, in the order of the turns."""
    slots = [slot for turn in turns for slot in _slots(turn)]
    bad = [at_s for at_s, good in slots if not good]
    rows = [len(list(row)) for good, row in groupby(slots, itemgetter(1)) if not good]
    first_s, last_s = (bad[0], bad[-1] + 1) if bad else (0.0, 0.0)
    return Availability(len(slots), len(bad), max(rows, default=0), first_s, last_s)


def _slots(turn: RecordedTurn) -> Iterator[tuple[float, bool]]:
    """Yield when each slot began, and whether it was good.

    A slot in which no journey began after a bad slot is bad, too: users wait for answers that do
    not come. After a good slot nobody wanted anything, and it does not count.
    """
    began, ok = Counter[int](), Counter[int]()
    for key, part in turn.parts.items():
        if key.kind == SLOT and (key.cls in ENDED or key.cls == DROPPED):
            began[int(key.name)] += part.n
            ok[int(key.name)] += part.n if key.cls == OK else 0
    length_s = min(turn.started.planned_s, turn.observed_s)
    bad = False
    for slot in range(max(math.ceil(length_s), max(began, default=-1) + 1)):
        if began[slot]:
            bad = ok[slot] < ENOUGH * began[slot]
        if began[slot] or bad:
            yield turn.started.at_s + slot, not bad
