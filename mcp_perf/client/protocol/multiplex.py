"""Messages both ways over one channel, without I/O: who asked, and what is answered.

stdio, HTTP+SSE and memory streams carry all messages of a session on one channel each way: answers
in any order, notifications, and requests of the server. `Conversation` sorts them; it owns no
thread, no socket and no clock.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from mcp_perf.client.errors import ReadError, SendError, TargetError
from mcp_perf.client.protocol import jsonrpc
from mcp_perf.client.protocol.jsonrpc import RequestId
from mcp_perf.client.protocol.subscriptions import ACKNOWLEDGED, LISTENED, Inbox, subscription_of
from mcp_perf.client.reply import RPC_ERROR, UNREADABLE, Heard, Reply, beginning

Respond = Callable[[bytes], bytes | None]
"""From a request of the server to the answer; None where it cannot be read."""
InboxNow = Callable[[], Inbox | None]
"""Returns where the notifications of subscriptions go; None where nobody listens."""


class _Envelope(msgspec.Struct):
    id: RequestId | msgspec.UnsetType | None = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET


class _Token(msgspec.Struct):
    progress_token: RequestId = msgspec.field(name="progressToken")


class _Progress(msgspec.Struct):
    params: _Token


_PROGRESS: Final = "notifications/progress"
_decode = msgspec.json.Decoder(_Envelope).decode
_decode_progress = msgspec.json.Decoder(_Progress).decode


@dataclass(eq=False, slots=True)
class Pending:
    """A request that waits for its answer."""

    heard: Heard | None = None
    """The notifications that came meanwhile."""
    message: bytes = b""
    end_ns: int = 0
    """When the answer arrived, which is before the one who waits gets to run."""
    failure: str = ""
    fault: str = ""
    """What the server did instead of answering: the call ends by it."""
    # gevent's event in a patched process, half as dear there as a lock with a timeout.
    _settled: threading.Event = field(default_factory=threading.Event)

    def wait(self, timeout_s: float) -> bool:
        """Wait for the answer; tell whether it is there. Raises ReadError when it cannot come."""
        settled = self._settled.wait(timeout_s)
        if self.failure:
            raise ReadError(self.failure)
        return settled

    def settle(self, message: bytes, now_ns: int) -> None:
        self.message = message
        self.end_ns = now_ns
        self._settled.set()

    def fail(self, failure: str) -> None:
        self.failure = failure
        self._settled.set()


class Conversation:
    """The requests in flight on one channel, from its opening to its end."""

    def __init__(self, respond: Respond, listening: InboxNow = lambda: None) -> None:
        self.ended = ""
        """Why nothing comes any more."""
        self.stray = ""
        """The beginning of the last thing that nobody waited for: no JSON-RPC, or a foreign id."""
        self._respond = respond
        self._listening = listening
        self._subscriptions: set[RequestId] = set()
        """Requests that were acknowledged, and are answered when nothing more comes."""
        self._pending: dict[RequestId, Pending] = {}
        self._named: dict[RequestId, Pending] = {}
        """By the progress token of the last call that had it."""
        self._given_up: set[RequestId] = set()
        """Requests whose answers nobody waits for any more."""

    def expect(self, request_id: RequestId, heard: Heard | None = None) -> Pending:
        """Await the answer to a request that is about to be sent. Raises ReadError at the end.

        `heard` are notifications of an earlier round of the same call.
        """
        pending = self._pending[request_id] = Pending(heard)
        if self.ended:  # asked last: the end may come from another thread
            self._pending.pop(request_id, None)
            raise ReadError(self.ended)
        return pending

    def name(self, pending: Pending, token: RequestId | None) -> None:
        if token is not None:
            self._named[token] = pending

    def forget(self, request_id: RequestId) -> None:
        """Await an answer no longer; it is skipped if it comes after all."""
        if request_id in self._subscriptions:
            self._subscriptions.discard(request_id)
            self._given_up.add(request_id)
        elif self._pending.pop(request_id, None) is not None:
            self._given_up.add(request_id)

    def receive(self, message: bytes, now_ns: int) -> bytes | None:
        """Take a message; return the one to send back, where it was a request of the server."""
        try:
            envelope = _decode(message)
        except UNREADABLE:
            self._take_stray(message, now_ns)
            return None
        request_id = envelope.id
        if envelope.method is not msgspec.UNSET:
            if request_id is None or request_id is msgspec.UNSET:
                self._notice(envelope.method, message, now_ns)
                return None
            return self._respond(message)
        if request_id is None or request_id is msgspec.UNSET:
            answered = self._only()
        else:
            answered = self._pending.pop(request_id, None)
        if answered is not None:
            answered.settle(message, now_ns)
        elif request_id in self._given_up:
            self._given_up.discard(request_id)
        elif request_id in self._subscriptions:
            self._end_subscription(request_id)
        else:
            self.stray = beginning(message)
        return None

    def accuse(self, method: str, message: bytes, now_ns: int) -> None:
        """End the only call by a request of the server that the version in use forbids."""
        self.stray = jsonrpc.asked_back(method)
        if (answered := self._only()) is not None:
            answered.fault = self.stray
            answered.settle(message, now_ns)

    def end(self, reason: str) -> None:
        """Fail all that wait: the channel has ended. Only the first reason counts."""
        self.ended = reason = self.ended or reason
        while self._pending:
            self._pending.popitem()[1].fail(reason)
        if (inbox := self._listening()) is not None:
            inbox.end(reason)

    def _notice(self, method: str, message: bytes, now_ns: int) -> None:
        """Take a notification: of a subscription, where there is one, else of a call."""
        of = subscription_of(message) if method in LISTENED else None
        inbox = self._listening() if method in LISTENED else None
        if of is None and inbox is None:
            self._hear(method, message, now_ns)
        elif of is not None and method == ACKNOWLEDGED:
            if (pending := self._pending.pop(of, None)) is not None:
                self._subscriptions.add(of)
                pending.settle(message, now_ns)
        elif inbox is not None and (of is None or of in self._subscriptions):
            inbox.add(method, message, now_ns)

    def _end_subscription(self, request_id: RequestId) -> None:
        self._subscriptions.discard(request_id)
        if (inbox := self._listening()) is not None:
            inbox.end("the server ended the subscription")

    def _hear(self, method: str, message: bytes, now_ns: int) -> None:
        """Count a notification for the call in flight; of several, for the one whose token it has.

        Of a log message, which has none, it cannot be told then.
        """
        if len(self._pending) == 1:
            pending: Pending | None = next(iter(self._pending.values()))
        else:
            pending = self._by_token(message) if method == _PROGRESS else None
        if pending is None:
            return
        if pending.heard is None:
            pending.heard = Heard(now_ns)
        pending.heard.add(method, now_ns)

    def _by_token(self, message: bytes) -> Pending | None:
        try:
            return self._named.get(_decode_progress(message).params.progress_token)
        except UNREADABLE:
            return None

    def _take_stray(self, message: bytes, now_ns: int) -> None:
        """Pass over what servers print beside the protocol, unless it looks like a broken answer.

        As all clients do; but an answer that is cut short should not cost a timeout.
        """
        self.stray = beginning(message)
        if message.lstrip()[:1] == b"{" and (answered := self._only()) is not None:
            answered.fault = f"the answer is not JSON-RPC: {self.stray}"
            answered.settle(message, now_ns)

    def _only(self) -> Pending | None:
        """Return the one request in flight: an answer without an id can be only for it.

        What it took for the answer may have been something else: the answer is skipped if it comes.
        """
        if len(self._pending) != 1:
            return None
        request_id, pending = self._pending.popitem()
        self._given_up.add(request_id)
        return pending


class Lines:
    """Cuts a stream of bytes into lines; fed in pieces of any size."""

    def __init__(self, limit: int) -> None:
        self._limit: Final = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that this piece completes, without their ends and without empty ones.

        Raises ReadError when a line is longer than the limit.
        """
        first, *others = data.split(b"\n")
        self._parts.append(first)
        self._size += len(first)
        lines = []
        for part in others:
            lines.append(b"".join(self._parts))
            self._parts = [part]
            self._size = len(part)
        if self._size > self._limit:
            raise ReadError(f"the server wrote a line of more than {self._limit} bytes")
        return [line for line in lines if line.strip()]


def settled(reply: Reply, pending: Pending, request_id: RequestId) -> Reply:
    """Judge the answer that has come."""
    reply.end_ns = pending.end_ns
    reply.body = pending.message
    reply.bytes_in = len(pending.message)
    reply.heard = pending.heard
    if pending.fault:
        return reply.fail(RPC_ERROR, pending.fault)
    return jsonrpc.judge(reply, request_id)


def silence(conversation: Conversation) -> str:
    """Say that no answer came, and what came instead."""
    stray = conversation.stray
    return "no answer in time" + (f"; what came instead: {stray}" if stray else "")


def why(error: TargetError, conversation: Conversation) -> str:
    """Say what went wrong; a line that could not be sent has the end of the server as its cause."""
    return conversation.ended if isinstance(error, SendError) and conversation.ended else str(error)
