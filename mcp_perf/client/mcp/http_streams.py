"""The streams that a session over HTTP has besides its calls: what the server sends unasked."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from mcp_perf.client.errors import TargetError
from mcp_perf.client.http.connection import Connection
from mcp_perf.client.http.endpoint import with_body
from mcp_perf.client.mcp.attempt import joined
from mcp_perf.client.mcp.get_stream import DAY_NS, JOIN_S, Listener
from mcp_perf.client.mcp.lifetime import StreamObserver, StreamOpenings
from mcp_perf.client.mcp.messenger import MOST_ATTEMPTS, Messenger
from mcp_perf.client.protocol import jsonrpc, subscriptions, versions
from mcp_perf.client.protocol.subscriptions import Inbox, Wanted
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import OK, RPC_ERROR


@dataclass(eq=False)
class HttpStreams:
    """The session's one stream, up to 2025-11-25; in 2026-07-28, one for each subscription."""

    messenger: Messenger
    wanted: bool
    """Whether the user asked for the stream: then a server that does not offer it has failed."""
    take: Callable[[bytes], None]
    observe: StreamObserver
    listener: Listener | None = None
    subscriptions: "list[ListenStream]" = field(default_factory=list)

    def __post_init__(self) -> None:
        self.from_the_start = self.wanted or bool(self.messenger.terms.capabilities)
        self.openings = StreamOpenings(self.messenger.terms.clock, self.observe)
        """The openings of subscriptions; the session's stream has its own."""

    @property
    def hears(self) -> bool:
        return self.listener is not None and self.listener.reading

    def listen(self, timeout_s: float) -> Reply:
        messenger, terms = self.messenger, self.messenger.terms
        self.listener = Listener(
            messenger.endpoint.origin,
            self._request,
            self.take,
            terms.clock,
            terms.miss,
            self.observe,
            messenger.admit,
            messenger.cookies,
        )
        opened = self.listener.start(timeout_s)
        if self.wanted:
            terms.tell("GET stream", opened)
        return opened

    def open_stream(self, timeout_s: float) -> Reply | None:
        """Open the session's stream; None if it is open.

        A stream that was open, or may come later, is opened again by its listener, and not before.
        """
        if self.hears:
            return None
        if self.listener is not None and self.listener.goes_on:
            return self.listener.opened_again(timeout_s)
        self.stop()
        reply = self.listen(timeout_s)
        if reply.outcome == OK:
            self.from_the_start = True  # a session that is opened again gets it, too
        elif not self.listener or not self.listener.goes_on:
            self.stop()
        return reply

    def _request(self, last_event: str) -> bytes:
        self.messenger.use_token()
        return self.messenger.stream_request(last_event)

    def stop(self) -> None:
        if self.listener is not None:
            self.listener.stop()
            self.listener = None

    def subscribe(self, wanted: Wanted, inbox: Inbox, timeout_s: float) -> Reply:
        """Send `subscriptions/listen`, wait for its acknowledgement.

        After the server has ended or refused a stream, the request waits until its turn, which is
        not counted.
        """
        messenger, terms = self.messenger, self.messenger.terms
        left_s = self.openings.left_s
        if left_s:
            terms.sleep(min(left_s, timeout_s))
        if (early_s := left_s - timeout_s) >= 0:
            said = f"the last stream was ended or refused: the next attempt is in {early_s:.2g} s"
            return Reply(terms.clock()).fail(RPC_ERROR, said)
        request_id = f"listen-{next(messenger.ids)}"
        message = versions.encode_listen(request_id, wanted.notifications(), terms.capabilities)
        headers = versions.modern_headers(versions.LISTEN, {})
        reply = Reply(terms.clock())
        try:
            for _ in range(MOST_ATTEMPTS):
                messenger.use_token()
                connection = Connection(
                    messenger.endpoint.origin, terms.clock, cookies=messenger.cookies
                )
                stream = ListenStream(connection, self.openings, inbox, terms.strays.other)
                self.subscriptions.append(stream)
                request = with_body(messenger.head(headers), message)
                left_s = terms.left_s(reply.start_ns, timeout_s)
                reply = joined(reply, stream.open(request, request_id, wanted, left_s))
                if not messenger.admit(reply, stream.connection.reader):
                    break
        except TargetError as error:
            reply.end_ns = terms.clock()
            error.fail(reply, "; ".join(filter(None, (reply.detail, str(error)))))
        if reply.outcome != OK:
            if reply.status not in (0, 200):
                self.openings.refused(reply.status)
            self.openings.put_off(reply.retry_after_s)
        return reply

    def end_subscriptions(self) -> None:
        while self.subscriptions:
            self.subscriptions.pop().close()


class ListenStream:
    """The stream of one `subscriptions/listen`, from its request to its end.

    It has its connection and its thread; closing the connection ends it.
    """

    def __init__(
        self,
        connection: Connection,
        openings: StreamOpenings,
        inbox: Inbox,
        stray: Callable[[bytes], None],
    ) -> None:
        self.connection = connection
        self._openings = openings
        self._opened_ns = 0
        self._stray = stray
        self._id = ""
        self._inbox = inbox
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="mcp-listen")

    def open(self, request: bytes, request_id: str, wanted: Wanted, timeout_s: float) -> Reply:
        """Send the request; return the acknowledgement, judged. A thread then reads on."""
        self._id = request_id

        def is_first(event: bytes) -> bool:
            return subscriptions.is_acknowledgement(event) or jsonrpc.is_reply(event, request_id)

        reply = self.connection.exchange(request, timeout_s, is_first, keep=True)
        if reply.outcome == OK:
            subscriptions.acknowledge(reply, wanted, request_id)
        if reply.outcome == OK:
            self._opened_ns = self._openings.opened()
            self._thread.start()
        else:
            self.connection.close()
        return reply

    def close(self) -> None:
        self._closing = True
        if self._thread.is_alive():
            self.connection.abort()
            self._thread.join(JOIN_S)
        self.connection.close()

    def _run(self) -> None:
        reason = "the server closed the stream of the subscription"
        connection, clock, of_use = self.connection, self.connection.clock, False
        try:
            while (event := connection.next_event(clock() + DAY_NS)) is not None:
                connection.reader.restart()
                method = jsonrpc.notification_of(event)
                if method in subscriptions.LISTENED:
                    of_use = True
                    self._inbox.add(method, event, clock())
                elif jsonrpc.is_reply(event, self._id):
                    reason = "the server ended the subscription"
                elif event and not method:
                    self._stray(event)
        except TargetError as error:
            reason = f"the stream of the subscription broke: {error}"
        finally:
            if not self._closing:
                of_use = self._openings.ended(self._opened_ns, of_use=of_use)
                self._openings.put_off(connection.reader.retry_s, of_use=of_use)
                self._inbox.end(reason)
