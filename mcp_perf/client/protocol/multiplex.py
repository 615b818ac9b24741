"""Messages both ways over one channel, without I/O: who asked, and what is answered.

stdio, HTTP+SSE and memory streams carry all messages of a session on one channel each way: answers
in any order, notifications, and requests of the server. `Conversation` sorts them; it owns no
thread, no socket and no clock.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from mcp_perf.client.errors import ReadError, SendError, TargetError, ended_by
from mcp_perf.client.http.budget import SMALL, Portion
from mcp_perf.client.protocol import jsonrpc, unreadable
from mcp_perf.client.protocol.identity import PROGRESS, Strays, token_of
from mcp_perf.client.protocol.jsonrpc import RequestId
from mcp_perf.client.protocol.session_loss import Doubt, Standing
from mcp_perf.client.protocol.subscriptions import ACKNOWLEDGED, LISTENED, Inbox, subscription_of
from mcp_perf.client.reply import UNREADABLE, Heard, Reply
from mcp_perf.outcomes import HTTP_ERROR, RPC_ERROR

Hear = Callable[[str, int], None]
"""Takes a notification: its method, and when it came."""
Respond = Callable[[bytes], bytes | None]
"""Takes a request of the server and returns the answer; None if it cannot be read."""
InboxNow = Callable[[], Inbox | None]
"""Returns where the notifications of subscriptions go; None if nobody listens."""


class _Envelope(msgspec.Struct):
    jsonrpc: Literal["2.0"]
    id: RequestId | msgspec.UnsetType | None = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET


_decode = msgspec.json.Decoder(_Envelope).decode
_OF_CLIENTS: Final = (
    *("initialize", "server/", "tools/", "prompts/", "resources/", "completion/"),
    "subscriptions/",
)
"""How methods begin that only clients may call: some servers print what they read."""


@dataclass(eq=False, slots=True)
class Pending:
    """A request that waits for its answer."""

    heard: Heard | None = None
    message: bytes = b""
    end_ns: int = 0
    """When the answer arrived, which is before the waiting caller gets to run."""
    failure: str = ""
    fault: str = ""
    """What the server did instead of answering; it ends the call."""
    # In a patched process this is gevent's event, which costs half as much as a lock with a
    # timeout.
    _settled: threading.Event = field(default_factory=threading.Event)

    def wait(self, timeout_s: float) -> bool:
        """Wait for the answer; tell whether it is there. Raises ReadError if it cannot come."""
        settled = self._settled.wait(timeout_s)
        if self.failure:
            raise ended_by(self.failure)
        return settled

    def settle(self, message: bytes, now_ns: int) -> None:
        self.message = message
        self.end_ns = now_ns
        self._settled.set()

    def hear(self, method: str, now_ns: int) -> None:
        self.heard = self.heard or Heard(now_ns)
        self.heard.add(method, now_ns)

    def fail(self, failure: str) -> None:
        self.failure = failure
        self._settled.set()


class Conversation:
    """The requests in flight on one channel, from its opening to its end."""

    def __init__(
        self,
        respond: Respond,
        strays: Strays,
        listening: InboxNow = lambda: None,
        in_progress: Mapping[RequestId, Hear] | None = None,
    ) -> None:
        self.ended = ""
        """Why nothing comes any more."""
        self.strays: Final = strays
        self.standing: Final = Standing()
        self._respond = respond
        self._listening = listening
        self._in_progress: Final = {} if in_progress is None else in_progress
        """What hears the progress of a call that continues between its requests, by its token."""
        self._subscriptions: set[RequestId] = set()
        """Requests that were acknowledged; they are answered when nothing more comes."""
        self._pending: dict[RequestId, Pending] = {}
        self._given_up: set[RequestId] = set()

    def expect(self, request_id: RequestId, heard: Heard | None = None) -> Pending:
        """Await the answer to a request that is about to be sent. Raises ReadError after the end.

        `heard` holds the notifications of an earlier round of the same call.
        """
        pending = self._pending[request_id] = Pending(heard)
        if self.ended:  # checked last: the end may come from another thread
            self._pending.pop(request_id, None)
            raise ended_by(self.ended)
        return pending

    def forget(self, request_id: RequestId) -> None:
        """Await an answer no longer; it is skipped if it comes after all."""
        if request_id in self._subscriptions:
            self._subscriptions.discard(request_id)
            self._given_up.add(request_id)
        elif self._pending.pop(request_id, None) is not None:
            self._given_up.add(request_id)

    def receive(self, message: bytes, now_ns: int) -> bytes | None:
        """Take a message; return the one to send back if it was a request of the server."""
        try:
            envelope = _decode(message)
        except UNREADABLE:
            self._take_unreadable(message, now_ns)
            return None
        request_id = envelope.id
        if envelope.method is not msgspec.UNSET:
            if request_id is None or request_id is msgspec.UNSET:
                self._notice(envelope.method, message, now_ns)
                return None
            if request_id in self._pending and envelope.method.startswith(_OF_CLIENTS):
                said = f"the server sent the client's request back ({envelope.method})"
                self.strays.request(said, message)
                return None
            return self._respond(message)
        if request_id is None or request_id is msgspec.UNSET:
            self.strays.other(message)
            return None
        answered = self._pending.pop(request_id, None)
        if answered is not None:
            answered.settle(message, now_ns)
        elif request_id in self._given_up:
            self._given_up.discard(request_id)
            if isinstance(request_id, int):  # a cancelled subscription is answered, too
                self.strays.late(message)
        elif request_id in self._subscriptions:
            self._end_subscription(request_id)
        else:
            self._take_unmatched(request_id, message, now_ns)
        return None

    def accuse(self, method: str, message: bytes, now_ns: int) -> None:
        """End the only call in flight, because the server sent a request that the version forbids.

        The server waits for an answer that it does not get. With no call in flight, or several,
        nothing shows which call it belongs to.
        """
        said = jsonrpc.asked_back(method)
        if len(self._pending) != 1:
            self.strays.request(said, message)
            return
        request_id, answered = self._pending.popitem()
        self._given_up.add(request_id)
        answered.fault = said
        answered.settle(message, now_ns)

    def is_given_up(self, reply: Reply, doubt: Doubt) -> bool:
        """Take in a failed call; end if messages are refused as if the session were unknown.

        Only HTTP+SSE can refuse a single message.
        """
        given_up = reply.outcome == HTTP_ERROR and doubt.falls_on(self.standing, reply)
        if given_up:
            reply.detail += "; every call gets this answer, so the session is treated as lost"
            self.end("the server no longer knows the session")
        return given_up

    def end(self, reason: str) -> None:
        """Fail everything that waits: the channel has ended. Only the first reason counts."""
        self.ended = reason = self.ended or reason
        while self._pending:
            self._pending.popitem()[1].fail(reason)
        if (inbox := self._listening()) is not None:
            inbox.end(reason)

    def _notice(self, method: str, message: bytes, now_ns: int) -> None:
        """Take a notification: for a subscription if there is one, otherwise for a call."""
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
        """Count progress for the call that has its token, which is the call's id.

        Other notifications do not name their call, so on a channel they are not counted.
        """
        if method != PROGRESS:
            return
        token = token_of(message)
        if (hear := self._in_progress.get(token)) is not None:
            hear(method, now_ns)
        elif (pending := self._pending.get(token)) is not None:
            pending.hear(method, now_ns)
        else:
            self.strays.progress(message)

    def _take_unmatched(self, request_id: RequestId, message: bytes, now_ns: int) -> None:
        """Take an answer that nobody waits for, unless a call's id is written in it as a text."""
        number = int(request_id) if isinstance(request_id, str) and request_id.isdecimal() else 0
        answered = self._pending.pop(number, None)
        if answered is None:
            self.strays.reply(request_id, message)
        else:
            answered.settle(message, now_ns)

    def _take_unreadable(self, message: bytes, now_ns: int) -> None:
        """Ignore what servers print besides the protocol, as all clients do.

        A broken answer that still shows its id should not cost a timeout: it ends its call.
        """
        read = unreadable.read(message).message
        found = read.get("id") if read.get("jsonrpc") == "2.0" and "method" not in read else None
        answered = self._pending.pop(found, None) if isinstance(found, int) else None
        if answered is None:
            self.strays.other(message)
        else:
            answered.settle(message, now_ns)


class AnswersElsewhere:
    """Answers that come on a session's stream instead of in the reply to their request's POST."""

    def __init__(self, strays: Strays) -> None:
        self._strays = strays
        self._pending: dict[RequestId, Pending] = {}
        self._early: tuple[RequestId, bytes, int] | None = None
        """One that came before the POST of its request was answered."""

    def take(self, request_id: RequestId, message: bytes, now_ns: int, *, in_flight: bool) -> None:
        """Take an answer; `in_flight` says whether its call is known to be in flight."""
        pending = self._pending.pop(request_id, None)
        if pending is not None:
            pending.settle(message, now_ns)
        elif not in_flight:
            self._strays.reply(request_id, message)
        else:
            if self._early is not None:  # its call was answered in another way, too
                self._strays.reply(*self._early[:2])
            self._early = (request_id, message, now_ns)

    def wait(self, request_id: RequestId, timeout_s: float) -> Pending | None:
        """Wait for the answer to a request; None if it does not come in time."""
        pending = self._pending[request_id] = Pending()
        if self._early is not None and self._early[0] == request_id:
            pending.settle(*self._early[1:])
            self._early = None
        came = pending.wait(timeout_s)
        self._pending.pop(request_id, None)
        return pending if came else None


class Lines:
    """Cuts a stream of bytes into lines; fed in pieces of any size."""

    def __init__(self, limit: int) -> None:
        self._limit: Final = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._portion = Portion()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that this piece completes, without their ends and without empty ones.

        Raises ReadError if a line is longer than the limit.
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
        if self._size > SMALL or self._portion.held:
            self._portion.hold(self._size if self._size > SMALL else 0)
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


def silence(strays: Strays, count: int) -> str:
    """Say that no answer came, and what came instead if there are more than `count` strays."""
    return "no answer in time" + strays.since(count)


def why(error: TargetError, conversation: Conversation) -> str:
    """Say what went wrong; if a line could not be sent, the end of the server is the cause."""
    return conversation.ended if isinstance(error, SendError) and conversation.ended else str(error)
