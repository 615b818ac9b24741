"""A node's side of a round: prepare the connections, open the gate, close it, drain, report.

Every process that has users runs one `TurnRunner`. It gets its orders from the conductor
(`conductor.py`) as Locust's messages, which are plain function calls if both are in one process.
"""

import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import gevent
import msgspec
from gevent.event import Event
from gevent.pool import Pool

from mcp_perf.client.errors import TargetError
from mcp_perf.load.engine.health import Watch
from mcp_perf.load.engine.turn_gate import OpenTurn, TurnGate
from mcp_perf.load.engine.user import UserContext
from mcp_perf.load.plan.drain import CONNECT_S
from mcp_perf.load.plan.schedule import Turn
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.results.journal.records import TurnEnded

logger = logging.getLogger("mcp-perf")

FLUSH_S: Final = 1.0
_CONNECTS_AT_ONCE: Final = 32


@dataclass(eq=False)
class TurnRunner:
    """Runs this process's part of each turn."""

    gate: TurnGate
    recorder: Recorder
    users: Callable[[], Iterable[UserContext]]
    answer: Callable[[str, dict[str, Any]], None]
    arrivals: Callable[[Turn], Iterable[int]] = lambda _turn: ()
    prepared: Callable[[], None] = lambda: None
    """Called when the connections of a turn are ready, and no call is in flight."""
    without_session: Callable[[OpenTurn], int] = lambda _turn: 0
    """How many users at work in a turn have had no session in it."""
    watch: Watch = field(default_factory=Watch)
    connect_s: float = CONNECT_S
    """How long the conductor waits for the users of this process to connect."""
    _flusher: gevent.Greenlet | None = None
    _hurry: Event = field(default_factory=Event)
    _ending: bool = False

    def start(self) -> None:
        """Begin to watch this process and to flush its record every second."""
        self.watch.start()
        self._flusher = gevent.spawn(self._flush_for_ever)

    def stop(self) -> None:
        if self._flusher is not None:
            self._flusher.kill()
        self.watch.stop()
        self.flush()

    def flush(self) -> None:
        self.recorder.flush(self.watch.take())

    def prepare(self, order: dict[str, Any]) -> None:
        """Check the connections of an arm before its turn; answer `ready`."""
        gevent.spawn(self._supervise, self._prepare, order)

    def go(self, order: dict[str, Any]) -> None:
        """Run a turn; answer `done` when its last call has ended."""
        gevent.spawn(self._supervise, self._go, order)

    def close(self, order: dict[str, Any]) -> None:
        """End the turn early; with `hard`, also cut off the calls in flight."""
        if order.get("hard"):
            self._hurry.set()
        self._ending = True
        self.gate.close(early=True)

    def _supervise(self, act: Callable[[dict[str, Any]], None], order: dict[str, Any]) -> None:
        """Carry out an order. A fault in mcp-perf is answered, so the conductor does not wait."""
        try:
            act(order)
        except Exception:
            logger.exception("A round was broken off by a fault in mcp-perf")
            self.answer("failed", {"turn": order["turn"]})

    def _prepare(self, order: dict[str, Any]) -> None:
        pool = Pool(_CONNECTS_AT_ONCE)
        users = list(self.users())
        with gevent.Timeout(self.connect_s, exception=False):
            for user in users:
                pool.spawn(_ready, user, order["arm"], self.gate.at_work(order["users"]))
            pool.join()
        pool.kill()
        self.prepared()
        self.answer("ready", {"turn": order["turn"], "users": len(users)})

    def _go(self, order: dict[str, Any]) -> None:
        turn = Turn(*order["plan"])
        self.flush()
        self.recorder.start(order["at_s"])
        self.recorder.begin(turn.number, turn.arm)
        calls_before = self.recorder.calls
        open_turn = self.gate.open(turn, self.arrivals(turn) if turn.rate else ())
        if self._ending:  # the order to close came right after the order to go
            self.gate.close(early=True)
        open_turn.closed.wait(turn.seconds)
        self.gate.close()
        left_s = drain_s = order["drain_s"]
        if turn.rate:
            left_s -= self._complete(open_turn, drain_s)
        elif not self.gate.idle(0):
            self._go_on_draining()
        late = self._drain(left_s, open_turn.bell_ns if drain_s else 0)
        self.flush()
        self.recorder.end()
        calls = self.recorder.calls - calls_before
        ended = self._ended(open_turn, calls)
        done = {"turn": turn.number, "late": late, "ended": msgspec.to_builtins(ended)}
        self.answer("done", done)

    def _complete(self, open_turn: OpenTurn, most_s: float) -> float:
        """Give journeys in flight as long as the first one took; return how long that was."""
        # Rates count ends of journeys, and none end at the start: the end gets as much extra time.
        left_s = min(open_turn.until_first_s, most_s)
        self.gate.idle(left_s)
        self._go_on_draining()
        return left_s

    def _go_on_draining(self) -> None:
        """Record separately what ends from now on."""
        self.flush()
        self.recorder.draining = True

    def _drain(self, left_s: float, bell_ns: int) -> int:
        """Let the last calls end; return how many users had to be cut off.

        A call from before the bell is then a timeout, unless the drain was cut short.
        """
        while left_s > 0 and not self._hurry.is_set():
            step_s = min(left_s, FLUSH_S / 4)
            if self.gate.idle(step_s):
                return 0
            left_s -= step_s
        return self.gate.cut_off(0 if self._hurry.is_set() else bell_ns)

    def _ended(self, open_turn: OpenTurn, calls: int) -> TurnEnded:
        dispatcher = open_turn.dispatcher
        return TurnEnded(
            turn=open_turn.turn.number,
            node=self.recorder.node,
            users=open_turn.users,
            busy_s=open_turn.busy_s,
            planned=calls if dispatcher is None else dispatcher.planned,
            dropped=0 if dispatcher is None else dispatcher.dropped,
            without_session=self.without_session(open_turn),
            without_journey=open_turn.without_journey,
            backed_off_s=open_turn.backed_off_ns / 1e9,
        )

    def _flush_for_ever(self) -> None:
        while True:
            gevent.sleep(FLUSH_S)
            self.flush()


def _ready(user: UserContext, arm: str, at_work: int | None) -> None:
    with contextlib.suppress(TargetError):  # the next call will fail in the same way, and counts
        user.ready(arm, at_work)
