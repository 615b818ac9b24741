"""A call from its first byte to its class, with everything that belongs to it alone.

A client keeps no state of a call. So one session can carry several calls at once, and no part of
one call can be mistaken for a part of another.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import msgspec

from mcp_perf.client.errors import NO_SESSION, TargetError
from mcp_perf.client.mcp.handshake import Terms
from mcp_perf.client.protocol import jsonrpc, tasks
from mcp_perf.client.protocol.answers import NoAnswer, Responder, Rounds
from mcp_perf.client.protocol.requests import Arguments, PreparedCall, Request
from mcp_perf.client.protocol.tasks import TaskState
from mcp_perf.client.reply import Heard, Reply, beginning
from mcp_perf.outcomes import CHECK_FAILED, OK, RPC_ERROR, TIMEOUT

NOTHING: Final[dict[str, Any]] = {}
_CANCEL_S: Final = 1.0
"""How long a user may be held up by telling the server that nobody waits for a task."""
_NOTHING_LEFT_S: Final = 0.001


class Caller(Protocol):
    """Whoever makes calls."""

    terms: Terms
    timeout_s: float

    def call(
        self, call: PreparedCall, arguments: Arguments = None, timeout_s: float | None = None
    ) -> Reply: ...


class Client(Caller, Protocol):
    """A client, over any transport."""

    def send(self, attempt: Any, timeout_s: float, added: dict[str, Any] = NOTHING) -> Reply:
        """Send a call once, under a new id, with `added` besides its params; judge the reply."""

    def begin(self) -> None:
        """Open a connection, and the session if there is none. Raises TargetError."""

    def drop(self) -> None:
        """Leave the session without a goodbye, if the transport lets it live on."""

    def leave(self) -> None:
        """Close the session. Raises TargetError if the server does not let it go."""


@dataclass(eq=False, slots=True)
class CallAttempt:
    """One call with all its repetitions, which are one call to whoever waits for it."""

    client: Client
    call: PreparedCall
    arguments: Arguments
    timeout_s: float
    connection: Any = None
    """Over HTTP, only this call uses it while it lasts; a channel carries all calls."""
    keep: bool = False
    """Whether a reply that does not come in time leaves the connection open."""
    request_id: int = 0
    """The id of the last request."""
    token: int = 0
    """The token of its progress: the id of the request that asked for it."""
    heard: Heard | None = None
    task: TaskState | None = None
    """The task that the call has become, if the server answered with one."""

    @property
    def answers(self) -> Responder:
        return self.call.answers or self.client.terms.answers

    def sent(self) -> Reply:
        """Send the call, and do what its transport prescribes for a reply that is not an answer."""
        return self.client.send(self, self.timeout_s)

    def again(self, first: Reply, added: dict[str, Any] = NOTHING) -> Reply:
        """Repeat the call within what is left of its time, which began with the first reply."""
        return joined(first, self.client.send(self, self.left_s(first), added))

    def left_s(self, reply: Reply) -> float:
        """Return what is left of the call's time, in seconds, since a reply began; never 0."""
        return self.client.terms.left_s(reply.start_ns, self.timeout_s)

    def give_input(self, reply: Reply) -> Reply:
        """Give the input that a result asks for (2026-07-28), if it does, round by round."""
        rounds = Rounds(self.answers)
        while jsonrpc.wants_input(reply):
            try:
                added, pause_s = rounds.following(jsonrpc.result_of(reply))
            except NoAnswer as error:
                return reply.fail(CHECK_FAILED, str(error))
            if pause_s:
                self.client.terms.sleep(min(pause_s, self.left_s(reply)))
            reply = self.again(reply, added)
        return reply

    def settle(self, reply: Reply) -> Reply:
        """Do what a result asks for if it is not the last: give input, follow a task to its end."""
        reply = self.give_input(reply)
        if self.call.task_ttl_ms and tasks.is_task(reply, modern=self.client.terms.modern):
            try:
                reply = self._follow(reply)
            except BaseException:
                self._cancel_task()
                raise
            if reply.outcome == TIMEOUT:
                self._cancel_task()
        return reply

    def _follow(self, reply: Reply) -> Reply:
        terms, polls, rounds = self.client.terms, 0, Rounds(self.answers)
        given: dict[str, Any] = {}
        while (task := tasks.task_of(reply)) is not None:
            self.task = task
            if task.is_over or (task.asks and not terms.modern):
                reply = self._fetched(reply, task)
                if reply.outcome == OK:
                    reply.detail = f"a task, polled {polls} times"
                return reply
            asked = {key: value for key, value in task.asked.items() if key not in given}
            if asked:
                given |= asked
                try:
                    added, _ = rounds.following({"inputRequests": asked})
                except NoAnswer as error:
                    self._cancel_task()
                    return reply.fail(CHECK_FAILED, str(error))
                reply = self._about(tasks.UPDATE, reply, added)
                if reply.outcome != OK:
                    return reply
            terms.sleep(min(task.pause_s, self.left_s(reply)))
            if self.left_s(reply) <= _NOTHING_LEFT_S:
                reply.end_ns = terms.clock()
                return reply.fail(TIMEOUT, f"the task is {task.status} after {polls} polls")
            reply = self._about(tasks.GET, reply)
            polls += 1
            if reply.outcome != OK:
                return reply
        odd = f"the reply is not the state of a task: {beginning(reply.body)}"
        return reply.fail(RPC_ERROR, odd)

    def _fetched(self, reply: Reply, task: TaskState) -> Reply:
        """Return the result of a task; up to 2025-11-25 it may ask for input before it comes."""
        if not self.client.terms.modern:
            return self._about(tasks.RESULT, reply)
        message = {"jsonrpc": "2.0", "id": self.request_id, **task.outcome()}
        reply.body, reply.outcome, reply.detail = msgspec.json.encode(message), OK, ""
        return jsonrpc.judge(reply, self.request_id)

    def _about(self, method: str, first: Reply, added: dict[str, Any] = NOTHING) -> Reply:
        assert self.task is not None  # noqa: S101 -- there is one from here on
        request = Request(method, None, self.answers, task_ttl_ms=self.call.task_ttl_ms)
        params = {"taskId": self.task.task_id, **added}
        left_s = self.left_s(first)
        attempt = replace(self, call=request, arguments=params, timeout_s=left_s, keep=False)
        reply = attempt.sent()
        self.heard, self.request_id = self.heard or attempt.heard, attempt.request_id
        self.client.terms.tell(method, reply)
        return joined(first, reply)

    def _cancel_task(self) -> None:
        terms = self.client.terms
        self.timeout_s = min(_CANCEL_S, self.client.timeout_s)
        self._about(tasks.CANCEL, Reply(terms.clock()))

    def await_progress(self, request_id: int) -> None:
        """From now on, hear the progress that a request asks for, by its id."""
        in_progress = self.client.terms.in_progress
        in_progress.pop(self.token, None)
        self.token = request_id
        in_progress[request_id] = self.hear

    def hear(self, method: str, now_ns: int) -> None:
        self.heard = self.heard or Heard(now_ns)
        self.heard.add(method, now_ns)

    def tell(self, reply: Reply) -> None:
        reply.heard = self.heard
        if self.heard is not None and reply.outcome == OK:
            reply.detail = self.heard.told(reply.start_ns)


def no_session(start_ns: int, error: TargetError, end_ns: int) -> Reply:
    """Return the reply of a call whose session could not be opened."""
    reply = error.fail(Reply(start_ns), f"{NO_SESSION}: {error}")
    reply.end_ns = end_ns
    return reply


def joined(first: Reply, reply: Reply) -> Reply:
    """Make two exchanges one call: it began with the first, and ended as the second did."""
    reply.start_ns = first.start_ns
    reply.bytes_in += first.bytes_in
    reply.bytes_out += first.bytes_out
    reply.session_lost = reply.session_lost or first.session_lost
    reply.healed = reply.healed or first.healed
    return reply
