"""The gate of turns: which arm runs in this process, and which users are still busy."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import gevent
from gevent.event import Event

from mcp_perf.load.engine.pace import Pace
from mcp_perf.load.hub.dispatch import Dispatcher
from mcp_perf.load.plan.schedule import Turn
from mcp_perf.load.steps.step import Interrupted
from mcp_perf.outcomes import OK

WalkJourney = Callable[[int], str]
"""Walks one journey and returns the class that it ended in. Takes its intended start in ns of the
clock; 0 is now."""


@dataclass(slots=True, eq=False)
class OpenTurn:
    """A turn while its arm runs."""

    turn: Turn
    start_ns: int
    end_ns: int
    at_work: int | None = None
    """How many users of this process may take part; None is all."""
    closed: Event = field(default_factory=Event)
    left: int | None = None
    """How many more journeys may begin; None is any number."""
    dispatcher: Dispatcher | None = None
    """Open load: says when a journey begins."""
    users: int = 0
    """Users that took part."""
    busy_ns: int = 0
    """Closed load: sum over these users, from the turn's start to the end of their last journey."""
    first_ns: int = 0
    """When the first journey ended."""
    bell_ns: int = 0
    """When the turn closed; 0 while it is open."""
    served: set[int] = field(default_factory=set)
    """The numbers of the users who had a journey that ended ok."""
    without_journey: int = 0
    """Closed load: users who had time for a journey, but did not begin one."""
    backed_off_ns: int = 0
    """Closed load: how long users left the target alone after failures; the sum over all users."""

    @property
    def busy_s(self) -> float:
        """The denominator of rates: mean busy time of a user, or the length of an open turn."""
        if self.dispatcher is not None:
            return (self.end_ns - self.start_ns) / 1e9
        return self.busy_ns / self.users / 1e9 if self.users else self.turn.seconds

    @property
    def until_first_s(self) -> float:
        """From the turn's start to the end of the first journey; 0 if none has ended."""
        return max(0, self.first_ns - self.start_ns) / 1e9


@dataclass(eq=False)
class TurnGate:
    """Lets users in when a turn opens, and knows when the last of them has left it.

    A turn closes by `close`, or by the clock: users look at it before each journey, so not even a
    starved hub makes a round longer.
    """

    clock: Callable[[], int] = time.perf_counter_ns
    at_work: Callable[[int], int | None] = lambda _level: None
    """How many users of this process a level has at work; None is all."""
    journeys: int | None = None
    """How many journeys may begin in one turn of this process; None is any number."""
    dispatch: Callable[[Iterable[int], int], Dispatcher] = Dispatcher
    """Open load: makes the dispatcher of a plan that starts at a moment in ns."""
    open_turn: OpenTurn | None = None
    opened_ns: int = 0
    """When the last turn began."""
    _opened: Event = field(default_factory=Event)
    _idle: Event = field(default_factory=Event)
    _busy: set[gevent.Greenlet] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._idle.set()

    def open(self, turn: Turn, plan: Iterable[int] = ()) -> OpenTurn:
        """Let the users run an arm from now on; in an open load, at the moments of `plan`."""
        now_ns = self.opened_ns = self.clock()
        end_ns = now_ns + int(turn.seconds * 1e9)
        opened = OpenTurn(turn, now_ns, end_ns, self.at_work(turn.users), left=self.journeys)
        if turn.rate:
            opened.dispatcher = self.dispatch(plan, now_ns)
        self.open_turn = opened
        self._opened.set()
        return opened

    def close(self, *, early: bool = False) -> None:
        """End the turn: no more journeys start. With `early`, the plan of arrivals is cut short."""
        opened = self.open_turn
        if opened is None:
            return
        if opened.dispatcher is not None:
            opened.dispatcher.end(early=early)
        if self.open_turn is opened:  # not closed by others while we waited for the dispatcher
            opened.bell_ns = self.clock()
            opened.end_ns = min(opened.end_ns, opened.bell_ns)
            opened.closed.set()
            self.open_turn = None
            self._opened.clear()

    def idle(self, timeout_s: float) -> bool:
        return bool(self._idle.wait(timeout_s))

    def cut_off(self, drained_from_ns: int = 0) -> int:
        """Interrupt the users that are still busy; return how many there were.

        Calls that began before `drained_from_ns` have had the whole drain without an answer: the
        target is answerable for them.
        """
        late = list(self._busy)
        soon = gevent.get_hub().loop.run_callback
        for greenlet in late:
            # Not with `kill`, which removes the greenlet's arguments that Locust looks for.
            soon(greenlet.throw, Interrupted(drained_from_ns))
        self._idle.wait()
        return len(late)

    def take_part(
        self, journey_of: Callable[[str], WalkJourney], paces: Mapping[str, Pace], number: int = 0
    ) -> None:
        """Take part in the next turn: walk journeys until it closes. Called by each user.

        `paces` are by arm. `number` counts the users of this process from 0: at a low level the
        last ones pause.
        """
        self._opened.wait()
        opened = self.open_turn
        if opened is None:
            return
        if opened.at_work is None or number < opened.at_work:
            opened.users += 1
            arm = opened.turn.arm
            journey = journey_of(arm)
            if opened.dispatcher is None:
                self._walk(opened, journey, paces[arm], number)
            else:
                self._serve(opened, opened.dispatcher, journey, number)
        # Never wait for a set event: gevent forgets waiters that come while it notifies others.
        if not opened.closed.is_set():
            opened.closed.wait()

    def _walk(self, opened: OpenTurn, journey: WalkJourney, pace: Pace, number: int) -> None:
        self._enter()
        last_ns = opened.start_ns
        pause_s = think_s = pace.left_s
        back_off_s = 0.0
        begun = served = False
        try:
            while not (pause_s and opened.closed.wait(pause_s)):
                if back_off_s:
                    opened.backed_off_ns += _beyond(back_off_s, think_s)
                    back_off_s = 0.0
                if opened.closed.is_set() or self.clock() >= opened.end_ns:
                    break
                if opened.left is not None:
                    if not opened.left:
                        self.close(early=True)
                        break
                    opened.left -= 1
                begun = True
                outcome = journey(0)
                last_ns = self.clock()
                if outcome == OK:  # most journeys end here, so this branch does the least
                    served, pace.failed = True, 0
                    pause_s = think_s = pace.think()
                else:
                    think_s, back_off_s = pace.after(outcome)
                    pause_s = max(think_s, back_off_s)
        except Interrupted as cut:
            last_ns = self.clock()
            think_s, back_off_s = pace.after(cut.outcome)
        finally:
            end_ns = max(last_ns, opened.end_ns)
            left_s = (end_ns - last_ns) / 1e9
            opened.busy_ns += end_ns - opened.start_ns
            opened.backed_off_ns += _beyond(min(back_off_s, left_s), think_s)
            opened.without_journey += not begun and not pace.left_s
            if served:
                opened.served.add(number)
            pace.left_s = max(0.0, think_s - left_s)
            self._leave()

    def _serve(
        self, opened: OpenTurn, dispatcher: Dispatcher, journey: WalkJourney, number: int
    ) -> None:
        try:
            while (intended_ns := dispatcher.next()) is not None:
                self._enter()
                try:
                    if journey(intended_ns) == OK:
                        opened.served.add(number)
                finally:
                    self._leave()
                opened.first_ns = opened.first_ns or self.clock()
        except Interrupted:
            return

    def _enter(self) -> None:
        self._busy.add(gevent.getcurrent())
        self._idle.clear()

    def _leave(self) -> None:
        self._busy.discard(gevent.getcurrent())
        if not self._busy:
            self._idle.set()


def _beyond(back_off_s: float, think_s: float) -> int:
    """Return how many ns longer a pause after failures is than the think time meanwhile."""
    return int(max(0.0, back_off_s - think_s) * 1e9)
