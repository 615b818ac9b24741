"""How many replies we look at: all, as long as the looks take a small share of the CPU."""

import math
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

FIRST: Final = 64
"""The first replies of each step are looked at, whatever it costs."""
_TIMED: Final = 16
"""One look in this many is timed: reading a thread's CPU time costs as much as a small look."""
_WINDOW: Final = 64
"""The fewest calls from which the cost of a call is judged."""
_ROOM: Final = 0.75
"""A sample takes less than the share, because choosing it takes some time, too."""
_RAREST: Final = 1000
_REMEMBERED: Final = 8


@dataclass(eq=False, slots=True)
class CpuShare:
    """Says which replies are due for a look.

    Looks take at most `share` of the CPU that this process needs for its calls without them. If
    they would take more, one reply in `every` is looked at. It is drawn at random, so a server that
    is wrong in every n-th call cannot hide from a fixed step.
    """

    share: float
    calls: Callable[[], int]
    """How many calls this process has made."""
    spent_ns: Callable[[], int] = time.process_time_ns
    """The clock for the cost of calls. With a wall clock, looks may use idle time."""
    thread_ns: Callable[[], int] = time.thread_time_ns
    every: int = 1
    _left: int = 1
    _looks: int = 0
    _timed_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """How long the last timed looks took."""
    _since: tuple[int, int, int] = (0, 0, 0)
    """CPU time, calls and looks at the beginning of the window."""
    _chance: random.Random = field(default_factory=lambda: random.Random(0))

    def __post_init__(self) -> None:
        self._since = self.spent_ns(), self.calls(), 0

    def due(self) -> bool:
        """Tell whether to look at this reply. Called once for each reply."""
        self._left -= 1
        if self._left:
            return False
        self._left = 1 if self.every == 1 else 1 + int(self._chance.random() * (2 * self.every - 1))
        return True

    def begin(self) -> int:
        """Begin a look; return what `end` takes: 0 if this one is not timed."""
        self._looks += 1
        return 0 if self._looks % _TIMED else self.thread_ns()

    def end(self, begun_ns: int) -> None:
        self._timed_ns.append(self.thread_ns() - begun_ns)
        if self._looks >= FIRST:
            self._adapt()

    def _adapt(self) -> None:
        """Decide by the calls of this window, and begin the next one."""
        now = self.spent_ns(), self.calls(), self._looks
        cpu_ns, calls, looks = (new - old for new, old in zip(now, self._since, strict=True))
        if calls < _WINDOW:
            return
        look_ns = self._look_ns()
        others_ns = max(cpu_ns - looks * look_ns, 1.0) / calls
        most_ns = self.share * others_ns
        wanted = 1 if look_ns <= most_ns else math.ceil(look_ns / (_ROOM * most_ns))
        self.every = min(wanted, _RAREST)
        self._since = now

    def _look_ns(self) -> float:
        """Return the mean time of looks without the longest one, which may include other work."""
        times = sorted(self._timed_ns)
        usual = times[:-1] or times
        return sum(usual) / len(usual)
