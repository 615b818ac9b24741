"""Who begins a journey when, in an open load: the plan's moments, handed to users that are free."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import gevent
from gevent.hub import Waiter

from mcp_perf.load.hub.alarm import Alarm


@dataclass(eq=False)
class Dispatcher:
    """Hands out the arrivals of one turn in this process.

    An arrival that finds no free user is dropped, and counted: `planned = started + dropped`. The
    user who was free last begins first, so that connections in use stay warm.
    """

    plan: Iterable[int]
    start_ns: int
    clock: Callable[[], int]
    alarm: Alarm
    late_ns: int
    on_drop: Callable[[int], None] = lambda _lag_ns: None
    """Hears of each arrival that is dropped, and by how much it was late itself."""
    planned: int = 0
    dropped: int = 0
    _free: list["Waiter[int | None]"] = field(default_factory=list)
    _over: bool = False

    def __post_init__(self) -> None:
        self._run_soon = gevent.get_hub().loop.run_callback
        self._greenlet = gevent.spawn(self._run)

    def next(self) -> int | None:
        """Wait for a journey to begin; return its intended start, or None at the end."""
        if self._over:
            return None
        waiter: Waiter[int | None] = Waiter()
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
        # Who was handed the last arrival may not have begun yet, and counts as busy only then.
        gevent.sleep(0)
        if not self._over:
            self._over = True
            self.alarm.close()
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
                # We were kept from running ourselves: users may be free without having said so.
                gevent.sleep(0)
            self.planned += 1
            if free:
                self._run_soon(free.pop().switch, due_ns)
            else:
                self.dropped += 1
                self.on_drop(max(0, clock() - due_ns))
