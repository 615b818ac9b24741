"""Listening: subscriptions, the notifications that they bring, and their end."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from mcp_perf.client.errors import TargetError
from mcp_perf.client.mcp.attempt import Client, joined, no_session
from mcp_perf.client.protocol.requests import Request
from mcp_perf.client.protocol.subscriptions import Inbox, Wanted
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import OK, TRANSPORT_ERROR

_SUBSCRIBE: Final = Request("resources/subscribe", None)
_UNSUBSCRIBE: Final = Request("resources/unsubscribe", None)
_END_S: Final = 1.0
"""How long each `resources/unsubscribe` may take: nobody needs its result."""


class Streams(Protocol):
    """How a transport brings what the server sends unasked."""

    @property
    def hears(self) -> bool:
        """Whether the server reports changes of lists unasked: by the session's stream."""

    def open_stream(self, timeout_s: float) -> Reply | None:
        """Open the stream that a session has for notifications; None if it is open."""

    def subscribe(self, wanted: Wanted, inbox: Inbox, timeout_s: float) -> Reply:
        """Send `subscriptions/listen` (2026-07-28), wait for its acknowledgement."""

    def end_subscriptions(self) -> None: ...


@dataclass(eq=False)
class Listening:
    """What one client listens for."""

    client: Client
    streams: Streams
    _subscribed: list[str] = field(default_factory=list)
    """Resources that have to be unsubscribed from (up to 2025-11-25)."""

    @property
    def hears(self) -> bool:
        return self.streams.hears

    def listen(self, wanted: Wanted, timeout_s: float | None = None) -> Reply | None:
        """Ask for notifications, until `unlisten`; None if nothing had to be sent for it.

        The reply is the server's acknowledgement (2026-07-28); before, its answer to
        `resources/subscribe`, and the opening of the session's stream if it was not open yet.
        """
        client, terms = self.client, self.client.terms
        timeout = client.timeout_s if timeout_s is None else timeout_s
        start_ns = terms.clock()
        try:
            client.begin()
        except TargetError as error:
            return no_session(start_ns, error, terms.clock())
        first = terms.inbox is None
        inbox = terms.inbox = terms.inbox or Inbox(terms.clock)
        if terms.modern:
            return self.streams.subscribe(wanted, inbox, timeout)
        reply = self._subscribe(wanted.uri, timeout)
        if first and reply is not None and reply.session_lost:
            terms.inbox = Inbox(terms.clock)  # what was lost is from before
        return reply

    def awaited(
        self, method: str, uri: str = "", since_ns: int = 0, timeout_s: float | None = None
    ) -> Reply:
        """Wait for a notification that came, or comes, after `since_ns`; any if it is 0.

        The reply begins at `since_ns`, or now, and ends when the notification arrived. Nothing is
        sent.
        """
        inbox, clock = self.client.terms.inbox, self.client.terms.clock
        timeout = self.client.timeout_s if timeout_s is None else timeout_s
        reply = Reply(since_ns or clock())
        if inbox is None:
            return reply.fail(TRANSPORT_ERROR, "no subscription is open")
        try:
            notice = inbox.wait(method, uri, since_ns, timeout)
        except TargetError as error:
            reply.end_ns = clock()
            return reply.fail(error.outcome, str(error))
        reply.bytes_in = notice.size
        reply.end_ns = max(reply.start_ns, notice.at_ns)
        return reply

    def unlisten(self) -> None:
        """End all subscriptions; up to 2025-11-25 the session's stream stays open."""
        client = self.client
        for uri in self.forget():
            reply = client.call(_UNSUBSCRIBE, {"uri": uri}, min(_END_S, client.timeout_s))
            client.terms.tell(_UNSUBSCRIBE.method, reply)

    def forget(self) -> list[str]:
        """End all subscriptions; return the resources that still have to be unsubscribed from."""
        self.client.terms.inbox = None
        self.streams.end_subscriptions()
        subscribed, self._subscribed = self._subscribed, []
        return subscribed

    def lose(self, reason: str) -> None:
        """Note that the session has ended, and with it what it subscribed to."""
        self._subscribed.clear()
        self.client.terms.miss(reason)

    def _subscribe(self, uri: str, timeout_s: float) -> Reply | None:
        opened = self.streams.open_stream(timeout_s)
        if not uri or (opened is not None and opened.outcome != OK):
            return opened
        terms = self.client.terms
        left_s = timeout_s if opened is None else terms.left_s(opened.start_ns, timeout_s)
        reply = self.client.call(_SUBSCRIBE, {"uri": uri}, left_s)
        if reply.outcome == OK:
            self._subscribed.append(uri)
        return reply if opened is None else joined(opened, reply)
