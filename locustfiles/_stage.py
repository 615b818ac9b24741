"""The stage: which arm's turn it is in this process, and who is still busy with the last one."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import gevent
from gevent.event import Event

from locustfiles._schedule import Turn
from locustfiles._steps import Interrupted


@dataclass(slots=True, eq=False)
class OpenTurn:
    """A turn while its arm runs."""

    turn: Turn
    start_ns: int
    end_ns: int
    closed: Event = field(default_factory=Event)
    users: int = 0
    """Users that took part."""
    busy_ns: int = 0
    """Sum over them, from the turn's start to the end of their last journey."""


class Stage:
    """Lets users in when a turn opens, and knows when the last of them has left it.

    A turn closes by `close`, or by its own clock: users look at it before each journey, so that not
    even a starved hub makes a round longer.
    """

    def __init__(self, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self.open_turn: OpenTurn | None = None
        self._clock = clock
        self._opened = Event()
        self._idle = Event()
        self._idle.set()
        self._busy: set[gevent.Greenlet] = set()

    def open(self, turn: Turn) -> OpenTurn:
        """Let the users run an arm, from now on."""
        now_ns = self._clock()
        self.open_turn = OpenTurn(turn, now_ns, now_ns + int(turn.seconds * 1e9))
        self._opened.set()
        return self.open_turn

    def close(self) -> None:
        """End the turn: no journey starts any more."""
        if self.open_turn is not None:
            self.open_turn.end_ns = min(self.open_turn.end_ns, self._clock())
            self.open_turn.closed.set()
            self.open_turn = None
            self._opened.clear()

    def idle(self, timeout_s: float) -> bool:
        """Wait for the last user to leave; tell whether all have."""
        return bool(self._idle.wait(timeout_s))

    def cut_off(self) -> int:
        """Interrupt the users that are still busy; return how many there were."""
        late = list(self._busy)
        for greenlet in late:
            greenlet.kill(Interrupted, block=False)
        self._idle.wait()
        return len(late)

    def perform(
        self, lane_of: Callable[[str], Callable[[], None]], think: Callable[[], float]
    ) -> None:
        """Take part in the next turn: walk journeys until it closes. Called by each user."""
        self._opened.wait()
        open_turn = self.open_turn
        if open_turn is None:
            return
        greenlet = gevent.getcurrent()
        self._busy.add(greenlet)
        self._idle.clear()
        open_turn.users += 1
        last_ns = open_turn.start_ns
        try:
            journey = lane_of(open_turn.turn.arm)
            while not open_turn.closed.is_set() and self._clock() < open_turn.end_ns:
                journey()
                last_ns = self._clock()
                pause_s = think()
                if pause_s and open_turn.closed.wait(pause_s):
                    break
        except Interrupted:
            last_ns = self._clock()
        finally:
            self._leave(open_turn, last_ns, greenlet)
        open_turn.closed.wait()

    def _leave(self, open_turn: OpenTurn, last_ns: int, greenlet: gevent.Greenlet) -> None:
        open_turn.busy_ns += max(last_ns, open_turn.end_ns) - open_turn.start_ns
        self._busy.discard(greenlet)
        if not self._busy:
            self._idle.set()
