"""The users of this process, and what they share: the compiled scenario, the gate, the recorder.

A pool is built at the start of a test, and dropped at its end.
"""

import contextlib
import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from typing import Final

import gevent
from gevent.event import Event
from gevent.pool import Pool

from mcp_perf.client.channels.inprocess import Code, PythonClient
from mcp_perf.client.errors import TargetError
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.http.rest import RestClient
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.protocol.versions import MODERN
from mcp_perf.client.reply import Reply
from mcp_perf.load.engine.pace import Pace
from mcp_perf.load.engine.turn_gate import OpenTurn, TurnGate, WalkJourney
from mcp_perf.load.hub.bridge import bridge
from mcp_perf.load.hub.dispatch import Dispatcher
from mcp_perf.load.hub.waiting import Watchdog
from mcp_perf.load.plan.arrivals import arrivals
from mcp_perf.load.plan.schedule import Turn, share_of
from mcp_perf.load.prepare.relay import Task
from mcp_perf.load.steps.burst import opens_by_steps, widest
from mcp_perf.load.steps.compile import compile_journeys
from mcp_perf.load.steps.journey import Walk
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.steps.step import MCP, CallContext, CallFailed, prefix
from mcp_perf.load.targets import clients
from mcp_perf.load.targets.personal import Identity, Roster
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.outcomes import OK
from mcp_perf.scenario.model.syntax import Think
from mcp_perf.scenario.model.targets import split_target
from mcp_perf.scenario.values.generators import IDENTITY

_SPAWN_S: Final = 30.0
_CLOSES_AT_ONCE: Final = 32
_USERS_PER_NODE: Final = 1_000_000


@dataclass(slots=True, eq=False)
class UserContext:
    """One virtual user: a client and a walk for each arm."""

    walks: dict[str, Walk]
    number: int = 0
    """Its number among the users of this process, from 0; no two have the same one."""
    at_once: bool = True
    """Whether sessions are opened at the start; if not, each before its user's first turn."""
    identity: Identity = field(default_factory=dict)
    paces: Mapping[str, Pace] = field(default_factory=dict)
    """By arm."""
    opened: Event = field(default_factory=Event)

    def ready(self, arm: str, at_work: int | None = None) -> None:
        """Make sure the arm's session and connection are open. Raises TargetError.

        If only the first `at_work` users work in this turn, the others close theirs.
        """
        self.opened.wait(_SPAWN_S)
        context = self.walks[arm].context
        if at_work is None or self.number < at_work:
            context.ready()
        elif not isinstance(context.client, clients.SharedSession):
            context.close()

    def open(self) -> None:
        """Open the session of every arm. If one does not open, its turn tries it again."""
        for walk in self.walks.values() if self.at_once else ():
            with contextlib.suppress(TargetError):
                walk.context.ready()
        self.opened.set()

    def close(self) -> None:
        for walk in self.walks.values():
            walk.context.close()


class UserPool:
    """What the users of this process share."""

    def __init__(self, task: Task, recorder: Recorder, fire: Callable[..., None]) -> None:
        loaded, node, nodes = task.loaded, task.node, task.nodes
        load = loaded.scenario.load
        self._neighbours = task.neighbours()
        self.gate = TurnGate(
            at_work=lambda level: None if level == task.users else share_of(level, node, nodes),
            journeys=share_of(most, node, nodes) if (most := load.journeys) else None,
            dispatch=partial(
                Dispatcher,
                late_ns=recorder.late_ns,
                on_drop=recorder.dropped,
                neighbours=self._neighbours,
            ),
        )
        self.recorder = recorder
        self.users: list[UserContext] = []
        self._task = task
        self._loaded = loaded
        self._watchdog = Watchdog()
        self._fire = fire
        self._journeys = compile_journeys(loaded, task.targets, recorder)
        self._sequence = itertools.count(node + 1, nodes)
        self._pause = _pause(load.think)
        self._shared: dict[str, clients.SharedSession] = {}
        self._left: list[int] = []  # a heap
        self._roster = Roster(task.identities if loaded.scenario.identities else None)
        having = (one for one in task.targets.values() if one.kind == "mcp" and not _stateless(one))
        self._with_sessions = [one.arm for one in having]

    def add(self) -> UserContext:
        """Make one more user. Raises NoneLeft if there is no identity for it."""
        identity = self._roster.take()
        number = heappop(self._left) if self._left else len(self.users)
        first = self._task.node * _USERS_PER_NODE
        walks = {
            arm: self._walk(target, first + number, identity)
            for arm, target in self._task.targets.items()
        }
        at_once = not self._loaded.scenario.load.users_vary
        paces = {arm: self._pace(walk) for arm, walk in walks.items()}
        user = UserContext(walks, number, at_once, identity, paces)
        self.users.append(user)
        return user

    def remove(self, user: UserContext) -> None:
        user.close()
        for arm, walk in user.walks.items():
            for text in clients.remarks_of(walk.context.client):
                self.recorder.remark(arm, text)
        if user in self.users:
            self.users.remove(user)
            heappush(self._left, user.number)
            self._roster.give_back(user.identity)

    def await_users(self, expected: Callable[[], int]) -> list[UserContext]:
        with gevent.Timeout(_SPAWN_S, exception=False):
            while len(self.users) < expected():
                gevent.sleep(0.01)
        return list(self.users)

    def take_part(self, user: UserContext) -> None:
        self.gate.take_part(lambda arm: self._way(user.walks[arm]), user.paces, user.number)

    def without_session(self, turn: OpenTurn) -> int:
        """Count the users at work in a turn who had no session in it.

        These are users without a session at its end and without a journey that ended ok.
        """
        arm, most = turn.turn.arm, turn.at_work
        if arm not in self._with_sessions:
            return 0
        contexts = [
            user.walks[arm].context
            for user in self.users
            if (most is None or user.number < most) and user.number not in turn.served
        ]
        return sum(context.opens and not context.client.is_open for context in contexts)

    def arrivals(self, turn: Turn) -> Iterator[int]:
        return arrivals(
            turn.rate,
            turn.seconds,
            poisson=self._loaded.scenario.load.arrivals == "poisson",
            recorded=self._loaded.replay.starts_ns if self._loaded.replay else (),
            seed=f"{self._loaded.scenario.seed}/{turn.seed}",
            users=turn.users,
            node=self._task.node,
            nodes=self._task.nodes,
        )

    def _way(self, walk: Walk) -> WalkJourney:
        """Return how a user walks: any journey, or in a replay the journey of the session."""
        replay = self._loaded.replay
        if replay is None or not replay.journeys:
            return walk.journey
        journeys, gate = replay.journeys, self.gate

        def walk_recorded(due_ns: int) -> str:
            walk.deal(journeys[due_ns - gate.opened_ns])
            return walk.journey(due_ns)

        return walk_recorded

    def sessions(self) -> dict[str, list[clients.ToolClient]]:
        return {
            arm: [
                client
                for user in self.users
                if isinstance(client := user.walks[arm].context.client, clients.TOOL_CLIENTS)
            ]
            for arm in self._with_sessions
        }

    def close(self) -> None:
        """End what the users shared, when the last of them has gone."""
        pool = Pool(_CLOSES_AT_ONCE)
        for user in list(self.users):  # these were killed before they could leave
            pool.spawn(self.remove, user)
        pool.join()
        self._watchdog.stop()
        if self._neighbours is not None:
            self.gate.close(early=True)  # a turn is still open if the master was lost
            self._neighbours.close()

    def _pace(self, walk: Walk) -> Pace:
        pace = Pace(self._pause, left_s=random.random() * self._pause())
        if self._loaded.scenario.load.respect_retry_after:
            pace.told_s = walk.told_s
        return pace

    def _walk(self, target: ArmTarget, number: int, identity: Identity) -> Walk:
        scenario = self._loaded.scenario
        client = self._client(target, identity)
        others = clients.for_bursts(client, widest(scenario, target.arm), self._watchdog.wait_for)
        every, told = (client, *others), (self.recorder, self._fire)
        context, *contexts = (CallContext(target.arm, one, *told) for one in every)
        context.parallel, context.opens = contexts, not opens_by_steps(scenario, target.arm)
        own = {IDENTITY: identity} if identity else {}
        return Walk(
            self._journeys,
            context,
            {**target.variables, **own},
            user=number,
            seed=self._loaded.scenario.seed,
            counter=self._sequence.__next__,
        )

    def _client(self, target: ArmTarget, identity: Identity) -> clients.ArmClient:
        personal = target.personal
        where = target.destination
        if personal is not None:
            where = personal.destination(where, identity)
        if isinstance(where, Endpoint) and target.kind == "http":
            return RestClient(where, waits=self._watchdog.wait_for)
        if isinstance(target.destination, Code) and target.kind == "python":
            return PythonClient(target.destination, bridge())
        if target.arm in self._shared:
            return self._shared[target.arm].join()
        arm = self._loaded.scenario.arms[target.arm]
        made = clients.session(
            target.url,
            where,
            target.version,
            observe=partial(self._observe, target.arm),
            stream=partial(self.recorder.stream, target.arm),
            stray=partial(self.recorder.stray, target.arm),
            waits=self._watchdog.wait_for,
            answers=target.script,
            credentials=None if personal is None else personal.credentials(identity),
            listens=arm.stream,
            no_delete=arm.no_delete,
        )
        if arm.process == "user" or not isinstance(made, SessionClient):
            return made
        shared = self._shared[target.arm] = clients.SharedSession(made)
        return shared.join()

    def _observe(self, arm: str, method: str, reply: Reply) -> None:
        self.recorder.setup(arm, method, reply)
        self._fire(
            request_type=MCP,
            name=prefix(arm, self._task.targets) + method,
            response_time=(reply.end_ns - reply.start_ns) / 1e6,
            response_length=reply.bytes_in,
            response=None,
            context={},
            exception=None if reply.outcome == OK else CallFailed(reply.outcome),
        )


def _stateless(target: ArmTarget) -> bool:
    """Tell whether a target's protocol is without sessions: 2026-07-28 over streamable HTTP."""
    return target.version == MODERN and split_target(target.url)[0] == "http"


def _pause(think: Think) -> Callable[[], float]:
    if think.min == think.max:
        return lambda: think.min
    return lambda: random.uniform(think.min, think.max)
