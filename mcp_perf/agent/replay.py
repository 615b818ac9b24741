"""Does a task without an agent: makes its scripted calls once, and records them as a session."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from mcp_perf.agent.sessions import ApiCall, Completion, NewSession
from mcp_perf.agent.store import AgentSession, AgentStore
from mcp_perf.agent.tasks import Mode, tag
from mcp_perf.load.prepare.permission import User
from mcp_perf.load.prepare.prepare import RunOptions
from mcp_perf.outcomes import OK

MODEL: Final = "scripted"


class Replay:
    """Records the calls of one task; the session begins with the first of them."""

    def __init__(self, store: AgentStore, task: int, mode: Mode) -> None:
        self._store = store
        names = {"model": MODEL, "server": "twilio" if mode == "mcp" else "", "client": "mcp-perf"}
        self._new = NewSession(mode=mode, taskNumber=task, **names)
        self._session = ""

    def call(self, call: Mapping[str, str | float]) -> None:
        """Add a call. Agents do not see calls of the MCP session itself, so these only begin it."""
        now_ms, took_ms = time.time() * 1000, float(call["ms"])
        if not self._session:
            self._session = self._store.make(int(now_ms - took_ms), self._new).id
        if call["journey"]:
            method, _, endpoint = str(call["step"]).partition(" ")
            told = ApiCall(
                endpoint=endpoint or method,
                method=method,
                success=call["class"] == OK,
                durationMs=took_ms,
            )
            self._store.make(int(now_ms), told, self._session)

    def end(self, *, success: bool) -> AgentSession:
        told = Completion(success=success, notes="Scripted calls, without an agent")
        return self._store.make(int(time.time() * 1000), told, self._session)


def replay(
    store: AgentStore,
    task: int,
    mode: Mode,
    user: User,
    targets: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> AgentSession:
    """Do a task by its journey in `twilio-tasks`, each call once. Raises Refusal, HistoryError."""
    from mcp_perf.load.engine.dry_run import dry_run  # noqa: PLC0415 -- loads Locust

    made = Replay(store, task, mode)
    options = RunOptions(arms=(mode,), tags=(tag(task),), targets=targets, settings=settings)
    return made.end(success=dry_run(options, user, made.call))
