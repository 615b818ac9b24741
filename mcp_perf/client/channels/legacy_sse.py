"""HTTP+SSE, the transport of MCP 2024-11-05: one stream down, and a POST for each message up.

The stream's first event, `endpoint`, says where to POST. Everything that the server says comes on
the stream; the reply to a POST only says that the message was taken. The end of the stream is the
end of the session.
"""

import threading
from typing import Final
from urllib.parse import urljoin

from mcp_perf.client import errors
from mcp_perf.client.channels.channel import Channel, Ended, Receive
from mcp_perf.client.http.connection import Connection
from mcp_perf.client.http.cookies import Cookies
from mcp_perf.client.http.dialing import WaitFactory
from mcp_perf.client.http.encodings import packed
from mcp_perf.client.http.endpoint import Endpoint, request_target, with_body
from mcp_perf.client.http.sse import MESSAGES
from mcp_perf.client.protocol.session_loss import loss
from mcp_perf.client.protocol.versions import handshake_headers, stream_headers
from mcp_perf.client.rate_limits import TOO_MANY_REQUESTS
from mcp_perf.client.reply import Reply, beginning
from mcp_perf.outcomes import OK, TIMEOUT

_FOREVER_NS: Final = 10 * 24 * 3600 * 10**9
"""How long a stream may be silent: the longest that `socket` waits for is 24 days."""
_END_S: Final = 1.0


class SseChannel(Channel):
    """One stream and one connection for POSTs; both belong to one user."""

    probes = False  # 2026-07-28 does not have this transport
    starting = ""

    def __init__(self, endpoint: Endpoint, *, waits: WaitFactory | None = None) -> None:
        self.endpoint = endpoint
        self.timeout_s = self.start_timeout_s = endpoint.timeout_s
        self._stream: Connection | None = None
        self._reader: threading.Thread | None = None
        self._cookies = Cookies(endpoint.origin)
        self._posts = Connection(endpoint.origin, waits=waits, cookies=self._cookies)
        self._posting = threading.Lock()
        self._head = b""
        self._encodings: set[str] = set()

    def open(self, receive: Receive, ended: Ended) -> None:
        """Open the stream, learn where to POST. Raises ConnectError and NegotiationError."""
        self.close()
        self._cookies.forget()
        stream = self._stream = Connection(self.endpoint.origin, cookies=self._cookies)
        try:
            self._head = self._post_head(self._first_event(stream))
        except BaseException:
            self.close()
            raise
        given = (stream, receive, ended)
        self._reader = threading.Thread(target=self._read, args=given, daemon=True)
        self._reader.start()

    def send(self, message: bytes, timeout_s: float) -> None:
        """POST one message. Raises SendError, RefusedError, SessionGone and CallTimeout."""
        head = self._head  # read now: what waits here is for this session, not for the next
        with self._posting:
            reply = self._posts.exchange(with_body(head, message), timeout_s)
        if reply.outcome == TIMEOUT:
            raise errors.CallTimeout(reply.detail)
        if reply.outcome != OK:
            broken = errors.SendError(reply.detail)
            broken.outcome = reply.outcome
            raise broken
        refused = reply.status > 400 and reply.status != TOO_MANY_REQUESTS
        if reply.status == 400 or (refused and loss(reply.status, reply.body)):
            raise errors.SessionGone(f"HTTP {reply.status}: {beginning(reply.body)}")
        if reply.status >= 300:
            said = reply.detail or beginning(reply.body)
            raise errors.RefusedError(f"HTTP {reply.status}: {said}").told_by(reply)

    def close(self) -> None:
        stream, self._stream = self._stream, None
        reader, self._reader = self._reader, None
        if stream is not None:
            stream.abort()
            if reader is not None and reader is not threading.current_thread():
                reader.join(_END_S)
            stream.close()
        with self._posting:
            self._posts.close()
        if stream is not None:
            self._encodings |= stream.reader.encodings

    def remarks(self) -> list[str]:
        encodings = packed(self._encodings | self._posts.reader.encodings)
        return [*encodings, *self._cookies.remarks()]

    def _first_event(self, stream: Connection) -> bytes:
        deadline_ns = stream.clock() + int(self.timeout_s * 1e9)
        stream.ready(self.timeout_s)
        stream.reader.event_names = (*MESSAGES, b"endpoint")
        line = self.endpoint.line("GET", self.endpoint.target)
        request = line + self.endpoint.fields(stream_headers("", "")) + b"\r\n"
        stream.send(request, self.timeout_s, stream.clock())
        reader = stream.receive(deadline_ns)
        stream.keep_cookies()
        if reader.status != 200 or not reader.streaming:
            refusal = Reply(0)
            refusal.status, refusal.retry_after_s = reader.status, reader.retry_after_s
            raise errors.NegotiationError(
                f"GET returns HTTP {reader.status}, not an event stream: "
                f"{reader.redirected(request) or beginning(reader.body)} "
                "(is this the address of the stream? It often ends with /sse)"
            ).told_by(refusal)
        event = stream.next_event(deadline_ns)
        if event is None:
            early = "the event stream ended before it gave the address for messages"
            raise errors.ConnectError(early)
        return event

    def _post_head(self, event: bytes) -> bytes:
        """Encode the beginning of every POST; it may only go to the stream's own origin."""
        try:
            where = urljoin(self.endpoint.url, event.decode("utf-8", "replace").strip())
            own = self.endpoint.origin.same(where)
            target = request_target(where)
            line = self.endpoint.line("POST", target)
        except ValueError:
            own = False
        if not own or b" " in target.encode() or not target.isprintable():
            foreign = "the stream gives an address on another host for messages"
            raise errors.NegotiationError(f"{foreign}: {beginning(event)}")
        return line + self.endpoint.fields(handshake_headers("", ""))

    def _read(self, stream: Connection, receive: Receive, ended: Ended) -> None:
        reason = "the event stream ended"
        try:
            while (event := stream.next_event(stream.clock() + _FOREVER_NS)) is not None:
                stream.reader.restart()
                receive(event)
        except errors.TargetError as error:
            reason = f"the event stream broke: {error}"
        except OSError:
            pass  # closed under us
        finally:
            ended(reason)
