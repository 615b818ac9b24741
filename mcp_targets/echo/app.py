"""The echo application: faces, service time, faults and counters, on one HTTP server."""

import random
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Literal

import msgspec

from mcp_targets.echo import rest, rpc
from mcp_targets.echo.protocol.calls import TOOLS, Outcome, answered, failure
from mcp_targets.echo.protocol.features import Features
from mcp_targets.echo.protocol.handshake import VERSIONS, Handshake
from mcp_targets.echo.protocol.modern import Modern
from mcp_targets.echo.protocol.routing_headers import VERSION_HEADER
from mcp_targets.echo.protocol.sessions import Questions, Sessions
from mcp_targets.echo.works import Slots, Work, Works
from mcp_targets.serving.faults import Faults, Rates, malformed
from mcp_targets.serving.httpd import Reply, Request, Server, Stream
from mcp_targets.serving.service_time import Constant, ServiceTime

_HANDSHAKE_HEADERS: Final = frozenset({None, *(version.encode() for version in VERSIONS)})
_SSE: Final = b"text/event-stream"
_INJECTED: Final = "injected error"


class Settings(msgspec.Struct, frozen=True):
    """How the process was started."""

    replies: Literal["json", "sse"] = "json"
    page_size: int | None = None
    delay: ServiceTime = Constant()
    seed: int = 0
    slots: int | None = None
    """How many calls are worked on at once; None means no limit."""
    session_idle_s: float | None = None
    """The idle time after which a session ends automatically; None means never."""


class Echo:
    """The application; `server` serves it."""

    def __init__(self, settings: Settings) -> None:
        features = Features(settings.page_size)
        stream = settings.replies == "sse"
        self._stream = stream
        self._sessions = Sessions(settings.session_idle_s, self._later)
        self._changes = self._sessions.changes
        self.works = Works()
        self._questions = Questions()
        self.modern = Modern(features, self._finish_call, self._changes)
        self.handshake = Handshake(
            features, self._finish_call, self._sessions, self.works, self._questions, stream=stream
        )
        self._delay = settings.delay
        self._delay_rng = random.Random(settings.seed)
        self._slots = None if settings.slots is None else Slots(settings.slots)
        self._faults = Faults()
        self._by_tool = dict.fromkeys([*TOOLS, *(_shown(*route) for route in rest.ROUTES)], 0)
        self._welcome: set[tuple[bytes | None, ...]] = set()
        self.server = Server(self._answer, self._admin)

    def _later(self, delay_s: float, act: Callable[[], None]) -> None:
        self.server.timer.call_later(delay_s, act)

    def _answer(self, request: Request) -> Reply | Stream:
        if request.path == b"/mcp":
            return self._answer_mcp(request)
        reply = rest.answer(request)
        route = (request.method, request.path)
        if route not in rest.ROUTES:
            return reply
        self._by_tool[_shown(*route)] += 1
        reply.after_s = self._done_after_s(reply.after_s)
        kind = self._faults.draw()
        if kind == "error":
            return rest.error(500, "injected", _INJECTED)
        return self._faults.spoil(kind, reply)

    def _answer_mcp(self, request: Request) -> Reply | Stream:
        headers = request.headers
        seen = (
            request.method,
            headers.get(b"content-type"),
            headers.get(b"accept"),
        )
        if seen not in self._welcome:
            refusal = _refusal(*seen)
            if refusal is not None:
                return refusal
            if len(self._welcome) < 1000:
                self._welcome.add(seen)
        if headers.get(VERSION_HEADER) in _HANDSHAKE_HEADERS:
            return self.handshake.answer(request)
        return self.modern.answer(request)

    def _finish_call(
        self, request: Request, session: bytes, tool: str, request_id: rpc.Id, outcome: Outcome
    ) -> Reply | Stream:
        """Count a tool call and answer it, at its time or with a fault."""
        self._by_tool[tool] += 1
        if outcome.change is not None:
            self._changes.tell(outcome.change)
        after_s = self._done_after_s(outcome.after_s)
        if outcome.question is not None:
            asking = self._questions.ask(session, request_id, outcome.question, answered)
            return Stream(asking, after_s=after_s)
        kind = self._faults.draw()
        if kind == "error":
            outcome.result |= failure(_INJECTED)
            outcome.result.pop("structuredContent", None)
        message = rpc.result(request_id, outcome.result)
        if kind == "malformed":
            # The JSON is broken, the stream is intact.
            message, kind = malformed(message), ""
        streams = bool(outcome.notifications and not kind)
        work = None
        if outcome.work_s:
            lasts_s = after_s + (outcome.work_s - outcome.after_s) * streams
            work = self.works.begin(request, (session, request_id), lasts_s, streams=streams)
        if not outcome.notifications and not self._stream:
            return self._faults.spoil(kind, Reply(message, after_s=after_s))
        events = [rpc.event(note) for note in (*outcome.notifications, message)]
        if not streams:
            whole = Reply(b"".join(events), 200, _SSE, after_s=after_s, chunked=True)
            return self._faults.spoil(kind, whole)
        if work is None:
            return Stream(_each(events), after_s=after_s)
        return Stream(self._stepwise(events, work, request_id, outcome.interval_s), after_s=after_s)

    async def _stepwise(
        self, events: list[bytes], work: Work, request_id: rpc.Id, interval_s: float
    ) -> AsyncIterator[bytes]:
        """Send the notifications, each after a pause, then the answer, or that it was cancelled."""
        for event in events[:-1]:
            await work.pause(self.server.timer, interval_s)
            if work.stopped:
                error = rpc.RpcError(rpc.CANCELLED, "Request cancelled")
                yield rpc.event(error.body(request_id))
                return
            yield event
        yield events[-1]

    def _done_after_s(self, work_s: float) -> float:
        """Return the seconds until the answer: the wait for a slot, the work and the delay."""
        service_s = work_s + self._delay.draw_s(self._delay_rng)
        return service_s if self._slots is None else self._slots.take(service_s)

    def _admin(self, request: Request) -> Reply:
        match request.method, request.path:
            case b"GET", b"/_counters":
                return Reply(rpc.encode(self._counters()))
            case b"POST", b"/_faults":
                try:
                    rates = msgspec.json.decode(request.body, type=Rates)
                except (msgspec.ValidationError, msgspec.DecodeError) as problem:
                    return rest.error(400, "bad_request", str(problem))
                self._faults.set(rates)
                return Reply(rpc.encode(rates))
        return rest.error(404, "not_found", "there are GET /_counters and POST /_faults")

    def _counters(self) -> dict[str, Any]:
        counters = self.server.counters
        return {
            "connections": counters.connections,
            "requests": counters.requests,
            "by_tool": {name: count for name, count in self._by_tool.items() if count},
            "faults": {kind: count for kind, count in self._faults.counts.items() if count},
            "sessions_open": len(self._sessions),
            "streams_open": self._changes.streams,
            "running": self.works.running,
            "cancelled": self.works.cancelled,
            "max_in_parallel": counters.max_in_parallel,
        }


def _shown(method: bytes, path: bytes) -> str:
    return f"{method.decode()} {path.decode()}"


async def _each(events: list[bytes]) -> AsyncIterator[bytes]:
    for event in events:
        yield event


def _refusal(method: bytes, content_type: bytes | None, accept: bytes | None) -> Reply | None:
    """Return why plain HTTP refuses a request, or None. The caller caches the result."""
    if method == b"POST" and not (content_type or b"").lower().startswith(b"application/json"):
        return Reply(b"Invalid Content-Type header", 400, b"text/plain")
    if method == b"POST" and not _accepts_both(accept or b""):
        return Reply(b"Client must accept both JSON and event streams", 406, b"text/plain")
    return None


def _accepts_both(accept: bytes) -> bool:
    kinds = {part.partition(b";")[0].strip().lower() for part in accept.split(b",")}
    json = kinds & {b"*/*", b"application/*", b"application/json"}
    sse = kinds & {b"*/*", b"text/*", b"text/event-stream"}
    return bool(json and sse)
