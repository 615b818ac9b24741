"""The working side, in each process with users: the pool of users, the recorder, the turns."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import gevent

from mcp_perf.load.engine.call_log import recorder_for
from mcp_perf.load.engine.conductor import ANSWER, ORDER
from mcp_perf.load.engine.turn_runner import TurnRunner
from mcp_perf.load.engine.user import UserPool
from mcp_perf.load.plan.drain import connect_s
from mcp_perf.load.plan.schedule import share_of
from mcp_perf.load.prepare import open_files, relay
from mcp_perf.load.steps.locust_feed import LocustFeed
from mcp_perf.load.targets.targets import started_here
from mcp_perf.load.watch.sessions import SessionWatch
from mcp_perf.results.journal.records import AnyRecord

USER: Final = "ScenarioUser"
"""The name of our users' class in the locustfile."""


@dataclass(eq=False)
class WorkingSide:
    """Has the users of one test after another. `node` is the name of this process in records."""

    environment: Any
    node: str
    sink: Callable[[list[AnyRecord]], None]
    pool: UserPool | None = None
    _turns: TurnRunner | None = None
    _end: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        self.environment.runner.register_message(ORDER, self._obey)

    def build(self, task: relay.Task) -> None:
        """Compile the journeys and get ready for users. Raises Refusal."""
        lines = {name: target.url for name, target in task.targets.items()}
        open_files.require(task.loaded, share_of(task.users, task.node, task.nodes), lines)
        late_ns = int(task.loaded.scenario.limits.loop_lag_p99 * 1e9)
        runner, feed = self.environment.runner, LocustFeed.of(self.environment)
        make = recorder_for(self.environment.parsed_options.log_calls)
        recorder = make(self.node, self.sink, late_ns=late_ns, feed=feed)
        pool = self.pool = UserPool(task, recorder, self.environment.events.request.fire)
        told = recorder.sink, recorder.now_s
        watch = SessionWatch(self.node, pool.sessions, lambda: len(pool.users), *told)
        watch.start()
        turns = self._turns = TurnRunner(
            pool.gate,
            recorder,
            # Count only our users: another locustfile may have some that are not in the pool.
            lambda: pool.await_users(lambda: runner.user_classes_count.get(USER, 0)),
            lambda kind, data: runner.send_message(ANSWER, {"kind": kind, **data}),
            pool.arrivals,
            watch.note,
            pool.without_session,
            connect_s=connect_s(task.loaded.scenario, started_here(task.targets)),
        )
        for end in (watch.stop, pool.close, turns.stop):  # the last one comes first
            self._end.callback(end)

    def start(self) -> None:
        """Begin to watch this process and to hand over records."""
        if self._turns is not None:
            self._turns.start()

    def stop(self) -> None:
        self._end.close()
        self._turns = self.pool = None

    def _obey(self, msg: Any, **_kwargs: Any) -> None:
        turns = self._turns
        if msg.data["order"] == "leave":
            gevent.spawn(self._leave, msg.data["turn"])
            return
        if turns is None:
            return
        orders = {"prepare": turns.prepare, "go": turns.go, "close": turns.close}
        orders[msg.data["order"]](msg.data)

    def _leave(self, turn: int) -> None:
        """End the users of this worker, and say so after its last records."""
        runner = self.environment.runner
        runner.stop()
        runner.send_message(ANSWER, {"kind": "gone", "turn": turn})
