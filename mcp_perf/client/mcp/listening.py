"""A client that listens: it subscribes, awaits notifications, and ends its subscriptions."""

from abc import abstractmethod
from typing import Any, Final

from mcp_perf.client.errors import TargetError
from mcp_perf.client.mcp.base import BaseClient, joined
from mcp_perf.client.protocol.requests import Request
from mcp_perf.client.protocol.subscriptions import Inbox, Wanted
from mcp_perf.client.reply import OK, TRANSPORT_ERROR, Reply

_SUBSCRIBE: Final = Request("resources/subscribe", None)
_UNSUBSCRIBE: Final = Request("resources/unsubscribe", None)
_END_S: Final = 1.0
"""How long each `resources/unsubscribe` may take: nobody waits for what it brings."""


class ListeningClient(BaseClient):
    """What listening is alike over every transport; how a stream is opened is the transport's."""

    @property
    @abstractmethod
    def hears(self) -> bool:
        """Whether changes of lists are told without being asked for: by the session's stream."""

    @abstractmethod
    def _open_subscription(self, wanted: Wanted, inbox: Inbox, timeout_s: float) -> Reply:
        """Send `subscriptions/listen` (2026-07-28), wait for its acknowledgement."""

    @abstractmethod
    def _open_stream(self, timeout_s: float) -> Reply | None:
        """Open the stream that a session has for notifications; None where it is open."""

    @abstractmethod
    def _end_subscriptions(self) -> None: ...

    def listen(self, wanted: Wanted, timeout_s: float | None = None) -> Reply | None:
        """Ask for notifications, until `unlisten`; None where nothing had to be sent for it.

        The reply is the server's acknowledgement (2026-07-28); before, its answer to
        `resources/subscribe`, and the opening of the session's stream where it was not open yet.
        """
        timeout = self.timeout_s if timeout_s is None else timeout_s
        start_ns = self._clock()
        try:
            self.ready()
        except TargetError as error:
            failed = Reply(start_ns).fail(error.outcome, f"no session: {error}")
            failed.end_ns = self._clock()
            return failed
        first = self._inbox is None
        inbox = self._inbox = self._inbox or Inbox(self._clock)
        if self.modern:
            return self._open_subscription(wanted, inbox, timeout)
        reply = self._subscribe(wanted.uri, timeout)
        if first and reply is not None and reply.session_lost:
            self._inbox = Inbox(self._clock)  # what was lost is from before
        return reply

    def awaited(
        self, method: str, uri: str = "", since_ns: int = 0, timeout_s: float | None = None
    ) -> Reply:
        """Wait for a notification that came, or comes, after `since_ns`; any if it is 0.

        The reply begins at `since_ns`, or now, and ends when the notification arrived. Nothing is
        sent.
        """
        timeout = self.timeout_s if timeout_s is None else timeout_s
        reply = Reply(since_ns or self._clock())
        if self._inbox is None:
            return reply.fail(TRANSPORT_ERROR, "no subscription is open")
        try:
            notice = self._inbox.wait(method, uri, since_ns, timeout)
        except TargetError as error:
            reply.end_ns = self._clock()
            return reply.fail(error.outcome, str(error))
        reply.bytes_in = notice.size
        reply.end_ns = max(reply.start_ns, notice.at_ns)
        return reply

    def unlisten(self) -> None:
        """End all subscriptions; up to 2025-11-25 the session's stream stays open."""
        subscribed = self._forget_subscriptions()
        for uri in subscribed:
            reply = self.call(_UNSUBSCRIBE, {"uri": uri}, min(_END_S, self.timeout_s))
            self._tell(_UNSUBSCRIBE.method, reply)

    def _forget_subscriptions(self) -> list[str]:
        """End all subscriptions but those that have to be called off; return these."""
        self._inbox = None
        self._end_subscriptions()
        subscribed, self._subscribed = self._subscribed, []
        return subscribed

    def _lose_subscriptions(self, reason: str) -> None:
        self._subscribed.clear()
        self._miss(reason)

    def _miss(self, reason: str) -> None:
        """Have whoever awaits a notification know that it may never come."""
        if self._inbox is not None:
            self._inbox.end(reason)

    def _subscribe(self, uri: str, timeout_s: float) -> Reply | None:
        opened = self._open_stream(timeout_s)
        if not uri or (opened is not None and opened.outcome != OK):
            return opened
        left_s = timeout_s if opened is None else self._left_s(opened, timeout_s)
        params: dict[str, Any] = {"uri": uri}
        reply = self.call(_SUBSCRIBE, params, left_s)
        if reply.outcome == OK:
            self._subscribed.append(uri)
        return reply if opened is None else joined(opened, reply)
