"""How many replies are looked at: all, as long as the looks take a small share of the CPU."""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

FIRST: Final = 64
"""Replies of each step that are looked at, whatever it costs."""
_TIMED: Final = 16
"""One look in so many is timed: to read a thread's CPU time costs as much as a small look."""
_WINDOW: Final = 64
"""The fewest calls from which it is judged what a call costs."""
_RAREST: Final = 1000


@dataclass(eq=False, slots=True)
class CpuShare:
    """Says which replies are due for a look.

    Looks take at most `share` of the CPU that this process needs for its calls without them. If
    they would take more, one reply of `every` is looked at: of each so many one by chance, so that
    a server which is wrong at every n-th call cannot hide from a fixed step.
    """

    share: float
    calls: Callable[[], int]
    """How many calls this process has made."""
    process_ns: Callable[[], int] = time.process_time_ns
    thread_ns: Callable[[], int] = time.thread_time_ns
    every: int = 1
    _left: int = 1
    _looks: int = 0
    _timed_ns: int = 0
    _timed: int = 0
    _since: tuple[int, int, int] = (0, 0, 0)
    """CPU time, calls and looks at the beginning of the window."""
    _chance: random.Random = field(default_factory=lambda: random.Random(0))

    def __post_init__(self) -> None:
        self._since = self.process_ns(), self.calls(), 0

    def due(self) -> bool:
        """Tell whether this reply is to be looked at. Called once for each."""
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
        """End a look that is timed."""
        self._timed_ns += self.thread_ns() - begun_ns
        self._timed += 1
        if self._looks >= FIRST:
            self._adapt()

    def _adapt(self) -> None:
        """Decide by the calls of this window, and begin another one."""
        now = self.process_ns(), self.calls(), self._looks
        cpu_ns, calls, looks = (new - old for new, old in zip(now, self._since, strict=True))
        if calls < _WINDOW:
            return
        look_ns = self._timed_ns / self._timed
        others_ns = max(cpu_ns - looks * look_ns, 1.0) / calls
        wanted = math.ceil(look_ns / (self.share * others_ns))
        self.every = min(max(1, wanted), _RAREST)
        self._since, self._timed_ns, self._timed = now, 0, 0
