"""When journeys of an open load begin: each moment of the plan is handed to a free user."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import gevent
from gevent.hub import Waiter

from mcp_perf.load.hub.alarm import Alarm
from mcp_perf.load.hub.neighbours import Neighbours


@dataclass(eq=False)
class Dispatcher:
    """Hands out the arrivals of one turn in this process.

    An arrival that finds no free user in any process of this machine is dropped. Each is counted in
    the process where it ends up: `planned = started + dropped`. The user who became free last
    begins first, so connections in use stay warm.
    """

    plan: Iterable[int]
    start_ns: int
    clock: Callable[[], int] = time.perf_counter_ns
    alarm: Alarm = field(default_factory=Alarm)
    late_ns: int = 5_000_000
    on_drop: Callable[[int], None] = lambda _lag_ns: None
    """Called for each arrival that is dropped, with how late the arrival itself was."""
    neighbours: Neighbours | None = None
    """The other processes of this machine, which take arrivals that find no user here."""
    planned: int = 0
    dropped: int = 0
    _free: list["Waiter[int | None]"] = field(default_factory=list)
    _over: bool = False

    def __post_init__(self) -> None:
        self._run_soon = gevent.get_hub().loop.run_callback
        if self.neighbours is not None:
            self.neighbours.join(self._arrive)
        self._greenlet = gevent.spawn(self._run)

    def next(self) -> int | None:
        """Wait for a journey to begin; return its intended start, or None at the end."""
        if self._over:
            return None
        waiter: Waiter[int | None] = Waiter()
        if not self._free and self.neighbours is not None:
            self.neighbours.tell(free=True)
        self._free.append(waiter)
        try:
            intended_ns: int | None = waiter.get()
        except BaseException:
            if waiter in self._free:
                self._free.remove(waiter)
            raise
        return intended_ns

    def end(self, *, early: bool) -> None:
        if early:
            self._greenlet.kill()
        else:
            self._greenlet.join()
        if not self._over:
            self._over = True
            self.alarm.close()
            if self.neighbours is not None:
                self.neighbours.leave()
        # The user with the last arrival may not have begun yet; until then it does not count as
        # busy.
        gevent.sleep(0)
        while self._free:
            self._run_soon(self._free.pop().switch, None)

    def _run(self) -> None:
        gevent.sleep(0)  # let the users of the turn come in first
        free, clock = self._free, self.clock
        for offset_ns in self.plan:
            due_ns = self.start_ns + offset_ns
            now_ns = clock()
            if due_ns > now_ns:
                self.alarm.wait_until(due_ns)
            elif not free and now_ns - due_ns > self.late_ns:
                # This greenlet was held up, so users may be free but had no chance to say so.
                gevent.sleep(0)
            self._arrive(due_ns)

    def _arrive(self, due_ns: int) -> None:
        free, neighbours = self._free, self.neighbours
        if free:
            self.planned += 1
            self._run_soon(free.pop().switch, due_ns)
            if not free and neighbours is not None:
                neighbours.tell(free=False)
        elif neighbours is None or not neighbours.hand_over(due_ns):
            self.planned += 1
            self.dropped += 1
            self.on_drop(max(0, self.clock() - due_ns))
