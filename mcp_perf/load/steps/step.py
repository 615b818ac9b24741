"""What: the steps of a journey, compiled once and shared by all users.

A step builds its request, hands it to the client, and says in which class the call ended. Nothing
here waits, logs or copies more than the call needs.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode

import gevent
import msgspec

from mcp_perf.client.channels.inprocess import PythonClient
from mcp_perf.client.http.endpoint import with_body
from mcp_perf.client.http.rest import RestClient
from mcp_perf.client.mcp.listening import Listening
from mcp_perf.client.mcp.streamable_http import Call
from mcp_perf.client.reply import Reply
from mcp_perf.load.replies.look import ReplyLook
from mcp_perf.load.steps.checks import Checks
from mcp_perf.load.steps.recorder import Recorder, Track
from mcp_perf.load.targets.clients import ArmClient, ToolClient
from mcp_perf.outcomes import HARNESS_ERROR, INTERRUPTED, OK, TIMEOUT
from mcp_perf.scenario.values.templates import LookupFailed, Template

encode_json: Final = msgspec.json.encode
MCP: Final = "MCP"
RUN: Final = "run"
_HARNESS_PAUSE_S: Final = 0.05
"""Our own fault costs no time, and would otherwise be repeated as fast as the machine can."""
_CUT_OFF: Final = {
    TIMEOUT: "no reply before the end of the drain, when the call was cut off",
    INTERRUPTED: "cut off at the end of the round",
}


C = TypeVar("C", bound=ArmClient)
"""The kind of client that a step needs; which one it gets is settled when it is compiled."""


class Interrupted(BaseException):
    """Thrown into a user whose call outlived the end of its round.

    Calls that began before `drained_from_ns` had the whole drain; with 0, none had.
    """

    def __init__(self, drained_from_ns: int = 0) -> None:
        super().__init__()
        self.drained_from_ns = drained_from_ns
        self.outcome = INTERRUPTED
        """The class that the journey ended in."""

    def judge(self, start_ns: int) -> str:
        """Return the class of a call that began at this moment, and was cut off."""
        if start_ns < self.drained_from_ns:
            self.outcome = TIMEOUT
            return TIMEOUT
        return INTERRUPTED


class CallFailed(Exception):  # noqa: N818 -- Locust shows its text in the table of failures
    """What Locust's statistics get for a failed call: few kinds, so that they group."""


@dataclass(slots=True)
class CallContext(Generic[C]):
    """One user on one arm: its client, and where its calls are counted."""

    arm: str
    client: C
    recorder: Recorder
    fire: Callable[..., None]
    """Locust's request event."""
    journey: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    waited_ns: int = 0
    intended_ns: int | None = None
    """Open load: when the next call was to begin; 0 if it begins when it is sent."""
    parallel: list["CallContext[C]"] = field(default_factory=list)
    """For calls at once: one context for each; the first has this context's own connection."""
    ends: bool = False
    """Whether a burst had a failed call that ends the journey."""
    changed_ns: int = 0
    """When the step began whose notification an `await` waits for."""
    listens: Listening | None = None
    """What the journey listens with; None if it does not listen."""
    opens: bool = True
    """Whether the session opens automatically, rather than by steps."""
    told_s: float = 0.0
    """How long the target has asked, with its last failure, to be left alone."""

    def others(self) -> list[C]:
        """Return the clients of calls at once that are not this context's own."""
        return [context.client for context in self.parallel if context.client is not self.client]

    def ready(self) -> None:
        """Make sure that session and connections are open. Raises TargetError."""
        for client in (self.client, *self.others()) if self.opens else ():
            client.ready()

    def unlisten(self) -> None:
        listening, self.listens = self.listens, None
        if listening is not None:
            listening.unlisten()

    def close(self) -> None:
        for client in (self.client, *self.others()):
            client.close()


@dataclass(eq=False, kw_only=True)
class CompiledStep(ABC, Generic[C]):
    """What all calls share: counting the outcome, and reporting it to Locust."""

    track: Track
    goes_on: bool
    """Whether the journey continues when this step fails."""
    timeout_s: float | None = None
    kind: str = MCP
    """What Locust shows in the column Type: MCP, or the verb."""
    prefix: str = ""
    """What Locust's name of the step begins with."""
    _failures: dict[str, CallFailed] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._name = self.prefix + self.track.name.removeprefix(f"{self.kind} ")
        self.track = self.track.shown_as(self.kind, self._name)

    def run(self, context: CallContext[C]) -> str:
        start_ns = time.perf_counter_ns()
        try:
            reply, cls = self.call(context)
        except Exception as error:  # noqa: BLE001 -- whatever it was, it is counted as our fault
            reply = Reply(start_ns).fail(HARNESS_ERROR, _reason(error))
            cls = HARNESS_ERROR
        except BaseException as stop:
            # We are stopped from outside, in the middle of a call.
            cls = stop.judge(start_ns) if isinstance(stop, Interrupted) else INTERRUPTED
            reply = Reply(start_ns).fail(cls, _CUT_OFF[cls])
            reply.end_ns = time.perf_counter_ns()
            context.recorder.call(self.track, context.journey, cls, reply, _lag(context, reply))
            raise
        recorder = context.recorder
        feed = recorder.feed
        if feed is not None and len(feed.listeners) > 1:
            recorder.tell_each()
        lag_ns = None if context.intended_ns is None else _lag(context, reply)
        recorder.call(self.track, context.journey, cls, reply, lag_ns)
        if cls != OK:
            if cls == HARNESS_ERROR:
                gevent.sleep(_HARNESS_PAUSE_S)
            context.told_s = reply.retry_after_s
        if recorder.feed is None:
            self._tell(context, cls, reply)
        return cls

    def _tell(self, context: CallContext[C], cls: str, reply: Reply) -> None:
        context.fire(
            request_type=self.kind,
            name=self._name,
            response_time=(reply.end_ns - reply.start_ns) / 1e6,
            response_length=reply.bytes_in,
            response=None,
            context={},
            exception=None if cls == OK else self._failures.setdefault(cls, CallFailed(cls)),
            start_time=time.time(),
        )

    @abstractmethod
    def call(self, context: CallContext[C]) -> tuple[Reply, str]:
        """Build the request, send it, judge the reply."""


@dataclass(eq=False, kw_only=True)
class ToolStep(CompiledStep[ToolClient]):
    """`call: TOOL`."""

    prepared: Call
    checks: Checks
    arguments: Template | None
    """None if they are constant, and part of the prepared call."""
    is_valid: Callable[[Any], str]
    look: ReplyLook | None = None

    def call(self, context: CallContext[ToolClient]) -> tuple[Reply, str]:
        arguments = None
        if self.arguments is not None:
            arguments = self.arguments.render(context.values)
            problem = self.is_valid(arguments)
            if problem:
                reply = Reply(time.perf_counter_ns())
                return reply.fail(HARNESS_ERROR, problem), HARNESS_ERROR
        reply = self._send(context, arguments)
        cls = self.checks.judge(reply, context.values)
        look = self.look
        if look is not None and cls == OK and look.share.due():
            look.at(reply, arguments)
        return reply, cls

    def _send(self, context: CallContext[ToolClient], arguments: dict[str, Any] | None) -> Reply:
        return context.client.call(self.prepared, arguments, self.timeout_s)


@dataclass(eq=False, kw_only=True)
class RunStep(CompiledStep[PythonClient]):
    """`run: FUNCTION`."""

    kind: str = RUN
    function: Callable[..., Any]
    checks: Checks
    arguments: Template

    def call(self, context: CallContext[PythonClient]) -> tuple[Reply, str]:
        arguments = self.arguments.render(context.values)
        reply = context.client.run(self.function, arguments, self.timeout_s)
        gevent.sleep(0)  # a function that waits for nothing would let nobody else run
        return reply, self.checks.judge(reply, context.values)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request in parts: a constant part is bytes, any other one a function."""

    line: bytes | Callable[[dict[str, Any]], bytes]
    fields: bytes | Callable[[dict[str, Any]], bytes]
    body: bytes | Callable[[dict[str, Any]], bytes] | None

    def render(self, values: dict[str, Any], own_fields: bytes = b"") -> bytes:
        """Return the bytes to send; `own_fields` are the headers that only this user has."""
        line, fields, body = self.line, self.fields, self.body
        head = (
            (line if isinstance(line, bytes) else line(values))
            + (fields if isinstance(fields, bytes) else fields(values))
            + own_fields
        )
        if body is None:
            return head + b"\r\n"
        return with_body(head, body if isinstance(body, bytes) else body(values))

    @property
    def constant(self) -> bool:
        return not any(map(callable, (self.line, self.fields, self.body)))


@dataclass(eq=False, kw_only=True)
class HttpStep(CompiledStep[RestClient]):
    """`get|post|put|patch|delete: PATH`."""

    request: HttpRequest
    checks: Checks
    personal: bool = False
    """Whether the arm has headers that differ from user to user."""

    def __post_init__(self) -> None:
        super().__post_init__()
        constant = self.request.constant and not self.personal
        self.encoded = self.request.render({}) if constant else None

    def call(self, context: CallContext[RestClient]) -> tuple[Reply, str]:
        client = context.client
        request = self.encoded or self.request.render(context.values, client.own_fields)
        reply = client.send(request, self.timeout_s)
        cls = self.checks.judge(reply, context.values)
        if (
            cls == OK and reply.detail and not self.checks.statuses
        ):  # a redirect, perhaps to a login
            told = (
                f"{self.track.name} was answered by HTTP {reply.status}, which counts as ok and is"
            )
            hint = "not followed. Write the status that the step expects."
            context.recorder.remark(context.arm, f"{told} {hint}")
        return reply, cls


@dataclass(eq=False)
class WaitStep:
    """`wait: DURATION`: the user pauses; no call, and left out of the journey's time."""

    seconds: float
    goes_on: bool = False

    def run(self, context: CallContext[Any]) -> str:
        start_ns = time.perf_counter_ns()
        gevent.sleep(self.seconds)
        context.waited_ns += time.perf_counter_ns() - start_ns
        if context.intended_ns is not None:
            context.intended_ns = 0
        return OK


def prefix(arm: str, arms: Collection[str]) -> str:
    """Return what Locust's rows of an arm begin with, so that several arms are apart there."""
    return f"{arm} · " if len(arms) > 1 else ""


def _lag(context: CallContext[Any], reply: Reply) -> int | None:
    """Return how late a call of an open load was sent; None in a closed load."""
    if context.intended_ns is None:
        return None
    intended_ns, context.intended_ns = context.intended_ns, 0
    return reply.start_ns - intended_ns if intended_ns else 0


def count_unmade(context: CallContext[Any], error: Exception) -> str:
    """Count a journey whose values could not be drawn, as a call that could not be built."""
    track = context.recorder.track(
        context.arm, "call", f"with of {context.journey}", context.journey
    )
    reply = Reply(time.perf_counter_ns()).fail(HARNESS_ERROR, str(error))
    context.recorder.call(track, context.journey, HARNESS_ERROR, reply, _lag(context, reply))
    gevent.sleep(_HARNESS_PAUSE_S)
    return HARNESS_ERROR


def _reason(error: Exception) -> str:
    """Say why a call could not be built: a lookup, a header's value, or our own bug."""
    return str(error) if isinstance(error, LookupFailed | ValueError) else repr(error)


def encode_form(form: dict[str, Any]) -> bytes:
    """Encode an HTML form; true and false are written as JSON writes them."""
    return urlencode(
        [
            (name, str(value).lower() if isinstance(value, bool) else value)
            for name, value in form.items()
            if value is not None
        ],
        doseq=True,
    ).encode()
