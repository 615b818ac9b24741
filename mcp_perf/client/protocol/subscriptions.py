"""What a user listens for, without I/O: notifications from their arrival until they are awaited."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from mcp_perf.client.errors import CallTimeout, ReadError
from mcp_perf.client.protocol import jsonrpc
from mcp_perf.client.reply import Reply, members
from mcp_perf.outcomes import CHECK_FAILED, OK, RPC_ERROR

LIST_CHANGED: Final = {
    what: f"notifications/{what}/list_changed" for what in ("tools", "prompts", "resources")
}
UPDATED: Final = "notifications/resources/updated"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
LISTENED: Final = frozenset((*LIST_CHANGED.values(), UPDATED, ACKNOWLEDGED))
"""The notifications that belong to a subscription, not to the call in flight."""
_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
_MOST_KEPT: Final = 10_000
"""The most notifications that are kept until they are awaited; then the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to subscribe to: changes of lists, and the updates of one resource."""

    lists: tuple[str, ...] = ()
    """Keys of `LIST_CHANGED`."""
    uri: str = ""

    def notifications(self) -> dict[str, Any]:
        asked: dict[str, Any] = {f"{what}ListChanged": True for what in self.lists}
        return {**asked, "resourceSubscriptions": [self.uri]} if self.uri else asked

    def missing(self, honoured: Any) -> str:
        given = members(honoured)
        left = [what for what in self.lists if given.get(f"{what}ListChanged") is not True]
        uris = given.get("resourceSubscriptions")
        if self.uri and not (isinstance(uris, list) and self.uri in uris):
            left.append(self.uri)
        return ", ".join(left)


class Notice(NamedTuple):
    """A notification that came."""

    method: str
    uri: str
    at_ns: int
    size: int


class Inbox:
    """The notifications of one journey's subscriptions, each until it is awaited.

    The threads that read streams fill it, and the user empties it.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._came: deque[Notice] = deque(maxlen=_MOST_KEPT)
        self._news = threading.Event()
        self._ended = ""

    def add(self, method: str, message: bytes, now_ns: int) -> None:
        uri = _params(message).get("uri")
        self._came.append(Notice(method, uri if isinstance(uri, str) else "", now_ns, len(message)))
        self._news.set()

    def end(self, reason: str) -> None:
        """Note that part of what was asked for can no longer come; only the first reason counts."""
        self._ended = self._ended or reason
        self._news.set()

    def wait(self, method: str, uri: str, since_ns: int, timeout_s: float) -> Notice:
        """Take the first that came since then, or wait for it; drop earlier ones of its kind.

        `uri` is empty if any will do. Raises CallTimeout, and ReadError after the end.
        """
        deadline_ns = self._clock() + int(timeout_s * 1e9)
        while True:
            self._news.clear()  # first: what comes from now on is not missed
            notice = self._take(method, uri, since_ns)
            if notice is not None:
                return notice
            if self._ended:
                raise ReadError(self._ended)
            left_s = (deadline_ns - self._clock()) / 1e9
            if left_s <= 0 or not self._news.wait(left_s):
                of = f" of {uri}" if uri else ""
                raise CallTimeout(f"no {method.removeprefix('notifications/')}{of} came in time")

    def _take(self, method: str, uri: str, since_ns: int) -> Notice | None:
        for notice in list(self._came):
            if notice.method == method and uri in ("", notice.uri):
                self._came.remove(notice)
                if notice.at_ns >= since_ns:
                    return notice
        return None


def subscription_of(message: bytes) -> jsonrpc.RequestId | None:
    """Return the id of the subscription that a notification belongs to; None if it has none."""
    found = members(_params(message).get("_meta")).get(_SUBSCRIPTION)
    return found if isinstance(found, int | str) else None


def is_acknowledgement(message: bytes) -> bool:
    """Tell whether a message is the first of a subscription."""
    return jsonrpc.notification_of(message) == ACKNOWLEDGED


def acknowledge(reply: Reply, wanted: Wanted, request_id: jsonrpc.RequestId) -> Reply:
    """Judge what came first after `subscriptions/listen`: everything asked for must be honoured."""
    if not is_acknowledgement(reply.body):
        if jsonrpc.judge(reply, request_id).outcome == OK:
            reply.fail(RPC_ERROR, "the server ended the subscription before it began")
        return reply
    reply.outcome, reply.detail = OK, ""
    if left := wanted.missing(_params(reply.body).get("notifications")):
        reply.fail(CHECK_FAILED, f"the server does not send notifications about: {left}")
    return reply


def _params(message: bytes) -> dict[str, Any]:
    return members(jsonrpc.message_of(message).get("params"))
