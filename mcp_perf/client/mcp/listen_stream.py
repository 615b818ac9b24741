"""The stream of one `subscriptions/listen` (2026-07-28): a connection and a thread of its own."""

import threading
from typing import Final

from mcp_perf.client.errors import TargetError
from mcp_perf.client.http.connection import Clock, Connection
from mcp_perf.client.http.endpoint import Origin
from mcp_perf.client.http.http1 import ResponseReader
from mcp_perf.client.protocol import jsonrpc, subscriptions
from mcp_perf.client.reply import OK, Reply

_DAY_NS: Final = 24 * 3600 * 10**9
_JOIN_S: Final = 1.0


class ListenStream:
    """From its request to its end; closing the connection is how it is called off."""

    def __init__(self, origin: Origin, clock: Clock, inbox: subscriptions.Inbox) -> None:
        self._connection = Connection(origin, clock)
        self._clock = clock
        self._inbox = inbox
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="mcp-listen")

    @property
    def reader(self) -> ResponseReader:
        return self._connection.reader

    def open(
        self, request: bytes, request_id: str, wanted: subscriptions.Wanted, timeout_s: float
    ) -> Reply:
        """Send the request; the reply is the acknowledgement, judged. Then read on beside."""
        reply = self._connection.exchange(request, timeout_s, _is_first)
        if reply.outcome == OK:
            subscriptions.acknowledge(reply, wanted, request_id)
        if reply.outcome == OK:
            self._thread.start()
        else:
            self._connection.close()
        return reply

    def close(self) -> None:
        self._closing = True
        if self._thread.is_alive():
            self._connection.abort()
            self._thread.join(_JOIN_S)
        self._connection.close()

    def _run(self) -> None:
        reason = "the server closed the stream of the subscription"
        connection = self._connection
        try:
            while (event := connection.next_event(self._clock() + _DAY_NS)) is not None:
                connection.reader.size = (
                    0  # a stream without end is limited by event, not as a whole
                )
                method = jsonrpc.notification_of(event)
                if method in subscriptions.LISTENED:
                    self._inbox.add(method, event, self._clock())
                elif jsonrpc.is_answer(event):
                    reason = "the server ended the subscription"
        except TargetError as error:
            reason = f"the stream of the subscription broke: {error}"
        finally:
            if not self._closing:
                self._inbox.end(reason)


def _is_first(event: bytes) -> bool:
    return subscriptions.is_acknowledgement(event) or jsonrpc.is_answer(event)
