"""The conductor gives the turns, one after the other, to all nodes at once.

It runs in the process that keeps Locust's statistics: the only one, or the master. No turn begins
before every node has drained the last one and has its connections ready for the next.
"""

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, field
from typing import Any, Final

import msgspec
from gevent.event import Event

from mcp_perf.load.plan.drain import CONNECT_S
from mcp_perf.load.plan.schedule import Turn
from mcp_perf.load.watch.upstreams import Together
from mcp_perf.numbers import counted
from mcp_perf.results.document.document import PHASES
from mcp_perf.results.journal.records import SETUP, AnyRecord, Note, TurnEnded, TurnStarted

ORDER: Final = "mcp-perf-order"
"""From the conductor to the nodes. These three are types of Locust's messages."""
ANSWER: Final = "mcp-perf-answer"
"""From the nodes to the conductor."""
RECORDS: Final = "mcp-perf-records"
"""From a worker to the master, for the journal."""
_MARGIN_S: Final = 15.0
"""How long after its last possible call a node may take to answer before it counts as lost."""
_LEAVE_S: Final = 60.0
"""How long a node may take to end its users, and to hand over its last records."""


@dataclass(slots=True)
class _Waiting:
    kind: str
    turn: int
    missing: set[str]
    complete: Event = field(default_factory=Event)

    def strike(self, node: str) -> None:
        self.missing.discard(node)
        if not self.missing:
            self.complete.set()


@dataclass(eq=False, kw_only=True)
class Conductor:
    """Leads a run through its turns. `nodes` lists all nodes, `tell` sends an order to them."""

    turns: Iterable[Turn]
    nodes: Callable[[], set[str]]
    tell: Callable[[str, dict[str, Any]], None]
    write: Callable[[list[AnyRecord]], None]
    now_s: Callable[[], float]
    drain_s: Callable[[str], float]
    """How long the last calls of an arm's turn may take."""
    connect_s: float = CONNECT_S
    """How long the users of a process may take to connect."""
    observer: Together
    """Measures from before a turn's first call until after its last one."""
    reason: str = "finished"
    """Why the run ended: `finished`, `signal`, `stopped` or `error` (our own)."""
    current: Turn | None = None
    lost: set[str] = field(default_factory=set)
    _stopping: Event = field(default_factory=Event)
    _waiting: _Waiting | None = None

    def conduct(self) -> None:
        for turn in self.turns:
            if self._stopping.wait(turn.rest_s) or not self._prepare(turn):
                return
            self._run(turn)

    def dismiss(self) -> None:
        """Have all nodes hand over their last records, such as the number of open sessions."""
        if self.reason != "error":
            self._ask("gone", "leave", SETUP, {}, _LEAVE_S)

    def stop(self, reason: str, *, hard: bool = False) -> None:
        """End the run after the calls in flight; with `hard`, do not wait for them."""
        if not self._stopping.is_set():
            self._stopping.set()
            self.reason = reason
        self.tell("close", {"hard": hard})

    def hear(self, kind: str, node: str, data: dict[str, Any]) -> None:
        waiting = self._waiting
        if kind == "failed":
            self.stop("error")
            if waiting is not None:
                waiting.complete.set()
        if waiting is None or (kind, data["turn"]) != (waiting.kind, waiting.turn):
            return
        if kind == "done":
            self._note_done(node, data)
        waiting.strike(node)

    def lose(self, node: str) -> None:
        """Note that a node is lost. The run goes on without it, and will be invalid."""
        if node in self.lost:
            return
        self.lost.add(node)
        text = f"worker {node} was lost"
        self.write([Note(at_s=self.now_s(), code="worker_lost", text=text, node=node)])
        if self._waiting is not None:
            self._waiting.strike(node)

    def _prepare(self, turn: Turn) -> bool:
        order = {"arm": turn.arm, "users": turn.users}
        self._ask("ready", "prepare", turn.number, order, self.connect_s + _MARGIN_S)
        return not self._stopping.is_set()

    def _run(self, turn: Turn) -> None:
        drain_s = self.drain_s(turn.arm)
        before = self.observer.begin(turn)
        at_s = self.now_s()
        self.current = turn
        self.write(
            [
                TurnStarted(
                    turn=turn.number,
                    arm=turn.arm,
                    phase=turn.phase,
                    round=turn.round,
                    at_s=at_s,
                    planned_s=turn.seconds,
                    users=turn.users,
                    rate=turn.rate,
                ),
                *before,
            ]
        )
        order = {"plan": astuple(turn), "drain_s": drain_s, "at_s": at_s}
        self._ask("done", "go", turn.number, order, turn.seconds + drain_s + _MARGIN_S)
        self.write(self.observer.end(turn))
        self.current = None

    def _ask(
        self, answer: str, order: str, turn: int, data: dict[str, Any], timeout_s: float
    ) -> None:
        """Send an order to all nodes and wait for their answers; a node that sends none is lost."""
        waiting = self._waiting = _Waiting(answer, turn, self.nodes() - self.lost)
        if not waiting.missing:
            return
        self.tell(order, {"turn": turn, **data})
        if not waiting.complete.wait(timeout_s):
            for node in sorted(waiting.missing):
                self.lose(node)
        self._waiting = None

    def _note_done(self, node: str, data: dict[str, Any]) -> None:
        records: list[AnyRecord] = [msgspec.convert(data["ended"], TurnEnded)]
        if (late := data["late"]) and (turn := self.current):
            users = counted(late, "user")
            where = "" if node == "local" else f" on worker {node}"
            what = PHASES[turn.phase].format(turn.round)
            when = what if turn.phase == "round" else f"the {what}"
            text = (
                f"The calls of {users}{where} were still in flight at the end of the drain after "
                f"{when} of {turn.arm}, and were cut off."
            )
            note = Note(at_s=self.now_s(), code="interrupted_calls", text=text, count=late)
            records.append(note)
        self.write(records)
