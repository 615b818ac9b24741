"""A session with one MCP server over streamable HTTP: opened, kept, closed; both eras.

Opening raises `TargetError`, because without a session there is nothing to measure.
"""

import threading
import time
from typing import Any, Final, Protocol

import msgspec

from mcp_perf.client import errors
from mcp_perf.client.http.connection import Clock, Connection, WaitFactory
from mcp_perf.client.http.endpoint import Endpoint, Redirects, with_body
from mcp_perf.client.http.http1 import ResponseReader
from mcp_perf.client.mcp.base import NOTHING, Observer, Sleep, ignore, joined
from mcp_perf.client.mcp.get_stream import Listener
from mcp_perf.client.mcp.listen_stream import ListenStream
from mcp_perf.client.mcp.listening import ListeningClient
from mcp_perf.client.protocol import jsonrpc, versions
from mcp_perf.client.protocol.answers import SILENT, Answers, respond
from mcp_perf.client.protocol.requests import Prepared
from mcp_perf.client.protocol.subscriptions import LISTENED, Inbox, Wanted
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import OK, TIMEOUT, TRANSPORT_ERROR, Heard, Reply


class Credentials(Protocol):
    """What gives a client its access token."""

    def current(self) -> str:
        """Return the token to use now; empty while there is none. Raises TargetError."""

    def renew(self, used: str, status: int, challenge: str, version: str) -> None:
        """Get another token than the one that was refused. Raises TargetError."""


_MOST_ATTEMPTS: Final = 4
"""Of one request: as it is, redirected, with a token, and with a token of more scope."""


class HttpSession(ListeningClient):
    """What a client needs to be understood: version, session, connections, capabilities."""

    def __init__(
        self,
        endpoint: Endpoint,
        protocol: str = "auto",
        *,
        observe: Observer = ignore,
        clock: Clock = time.perf_counter_ns,
        waits: WaitFactory | None = None,
        sleep: Sleep = time.sleep,
        answers: Answers = SILENT,
        listens: bool = False,
        no_delete: bool = False,
        credentials: Credentials | None = None,
    ) -> None:
        super().__init__(protocol, answers, observe, clock, sleep)
        self.endpoint = endpoint
        self.connection = Connection(endpoint.origin, clock, waits)
        self._answers = answers
        self._wanted = listens
        """Whether the stream is asked for: one that is not offered is then told as a failure."""
        self._listens = listens or bool(self._capabilities)
        self._no_delete = no_delete
        self._credentials = credentials
        self._token = ""
        self._encoded: dict[Prepared, tuple[bytes, bytes]] = {}
        """What calls look like in this session: head and tail."""
        self._session = ""
        self._opened = False
        self._lost = False
        """Whether the server has forgotten the session, and none could be opened in its place."""
        self._renewing = threading.RLock()
        """Held by the line that opens a session; see `lines.py`."""
        self._moved = Redirects(endpoint)
        self._listener: Listener | None = None
        self._streams: list[ListenStream] = []
        self._side: Connection | None = None
        """For what is said while the connection is busy with a stream."""
        self._side_lock = threading.Lock()
        self._heard: Heard | None = None
        self._call_id = 0
        self._relisted: dict[str, Tool] = {}
        """Tools whose headers turned out to have changed since they were listed."""

    @property
    def timeout_s(self) -> float:
        return self.endpoint.timeout_s

    @property
    def has_session(self) -> bool:
        """Whether a session is open, by its id: a server that gives none has no sessions."""
        return bool(self._session)

    @property
    def has_stream(self) -> bool:
        return self._listener is not None and self._listener.reading

    def negotiate(self) -> str:
        """Find out which version the server speaks, open a session, return the version.

        Raises ConnectError where there is nobody, NegotiationError where no session comes about.
        """
        if self.protocol not in ("auto", versions.MODERN) or not self._discover():
            self._initialize()
        self._opened = True
        return self.version

    def open(self) -> bool:
        """Open a session by a version that is known already; negotiate where it is not.

        Returns True: it was this caller who opened it.
        """
        if not self.version:
            self.negotiate()
        elif not self.modern:
            self._initialize()
        self._opened = True
        return True

    def ready(self) -> None:
        self.connection.ready(self.endpoint.timeout_s)
        if not self._opened:
            self.open()

    def close(self) -> None:
        self._stop_listening()
        self._say_goodbye()
        self.drop()

    def drop(self) -> None:
        self._forget_subscriptions()
        self._stop_listening()
        self._session = ""
        self._opened = self._lost = False
        self._encoded.clear()
        self.connection.close()
        if self._side is not None:
            self._side.close()

    def _say_goodbye(self) -> Reply | None:
        if not self._session or self._no_delete:
            return None
        reply = self._send(self._head(self._session_headers(), "DELETE") + b"\r\n")
        self._tell("DELETE session", reply)
        return reply

    def _leave(self) -> None:
        """Close the session. Raises RefusedError where the server does not let it go.

        405 is an answer that the protocol allows: this server ends its sessions by itself.
        """
        self._stop_listening()
        reply = self._say_goodbye()
        self.drop()
        if reply is None:
            return
        if reply.outcome == TIMEOUT:
            raise errors.CallTimeout(reply.detail)
        if reply.outcome != OK:
            raise errors.ReadError(reply.detail)
        if reply.status >= 400 and reply.status != 405:
            raise errors.RefusedError(f"HTTP {reply.status}: {reply.excerpt(120)}")

    # The two ways to open one.

    def _initialize(self) -> None:
        self._stop_listening()
        self._lose_subscriptions("the session was lost, and its subscriptions with it")
        self._opened = False
        self._session = ""
        self._encoded.clear()
        self._agree()
        self._session = self.connection.reader.header(b"mcp-session-id").decode("latin-1")
        self._notify_initialized()
        if self._listens:
            self._listen(self.timeout_s)
        self._opened, self._lost = True, False

    def _notify_initialized(self) -> None:
        reply = self._send(with_body(self._head(self._session_headers()), versions.INITIALIZED))
        if reply.outcome == OK and reply.status not in (200, 202, 204):
            reply.fail("http_error", f"HTTP {reply.status}: {reply.excerpt(120)}")
        self._tell("notifications/initialized", reply)
        if reply.outcome != OK:
            raise errors.NegotiationError(f"notifications/initialized failed: {reply.detail}")

    # What the server says by itself.

    def _listen(self, timeout_s: float) -> Reply:
        self._listener = Listener(
            self.endpoint.origin,
            self._stream_request,
            self._take,
            self._clock,
            self._miss,
        )
        opened = self._listener.start(timeout_s)
        if self._wanted:
            self._tell("GET stream", opened)
        return opened

    @property
    def hears(self) -> bool:
        return self.has_stream

    def _open_stream(self, timeout_s: float) -> Reply | None:
        if self.hears:
            return None
        self._stop_listening()
        reply = self._listen(timeout_s)
        if reply.outcome == OK:
            self._listens = True  # a session that is opened again has it from the start
        else:
            self._stop_listening()
        return reply

    def _open_subscription(self, wanted: Wanted, inbox: Inbox, timeout_s: float) -> Reply:
        request_id, params, message = self._listen_message(wanted)
        head = versions.modern_headers(versions.LISTEN, params)
        reply = Reply(self._clock())
        try:
            for _ in range(_MOST_ATTEMPTS):
                self._use_token()
                stream = ListenStream(self.endpoint.origin, self._clock, inbox)
                self._streams.append(stream)
                request = with_body(self._head(head), message)
                left_s = self._left_s(reply, timeout_s)
                reply = joined(reply, stream.open(request, request_id, wanted, left_s))
                if not self._admit(reply, stream.reader):
                    break
        except errors.TargetError as error:
            reply.end_ns = self._clock()
            reply.fail(error.outcome, "; ".join(filter(None, (reply.detail, str(error)))))
        return reply

    def _end_subscriptions(self) -> None:
        while self._streams:
            self._streams.pop().close()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.stop()
            self._listener = None

    def _stream_request(self, last_event: str) -> bytes:
        headers = versions.stream_headers(self.version, self._session, last_event)
        return self._head(headers, "GET") + b"\r\n"

    def _is_answer(self, event: bytes) -> bool:
        """Tell whether a stream's message answers the call; take it in where it does not."""
        if jsonrpc.is_answer(event):
            return True
        if event:
            self._take(event)
        return False

    def _take(self, event: bytes) -> None:
        message = jsonrpc.message_of(event)
        method = message.get("method")
        if not isinstance(method, str):
            return
        if "id" not in message:
            now_ns = self._clock()
            if self._inbox is not None and method in LISTENED:
                self._inbox.add(method, event, now_ns)
                return
            if self._heard is None:
                self._heard = Heard(now_ns)
            self._heard.add(method, now_ns)
        elif not self.modern:
            response = msgspec.json.encode(respond(message, self._answers))
            self._say(f"answer to {method}", response)

    def _say(self, name: str, message: bytes, timeout_s: float | None = None) -> Reply:
        timeout = self.endpoint.timeout_s if timeout_s is None else timeout_s
        request = with_body(self._head(self._session_headers()), message)
        with self._side_lock:
            if self._side is None:
                self._side = Connection(self.endpoint.origin, self._clock)
            reply = self._side.exchange(request, timeout)
        if reply.outcome == OK and reply.status >= 400:
            reply.fail("http_error", f"HTTP {reply.status}: {reply.excerpt(120)}")
        self._tell(name, reply)
        return reply

    # Requests.

    def _session_headers(self) -> list[tuple[str, str]]:
        return versions.handshake_headers(self.version, self._session)

    def _head(self, headers: list[tuple[str, str]], method: str = "POST") -> bytes:
        if self._token:
            headers = [*headers, ("Authorization", f"Bearer {self._token}")]
        return self.endpoint.line(method, self._moved.target) + self.endpoint.fields(headers)

    def _request(self, method: str, params: dict[str, Any], *, modern: bool) -> Reply:
        request_id = next(self._ids)
        for _ in range(_MOST_ATTEMPTS):
            self._use_token()
            if modern:
                headers = versions.modern_headers(method, params)
                sent = versions.modern_params(params, self._capabilities, NOTHING)
            else:
                headers = (
                    versions.handshake_headers("", "")
                    if method == "initialize"
                    else self._session_headers()
                )
                sent = params
            message = versions.encode_message(request_id, versions.encode_tail(method, sent))
            reply = self._send(with_body(self._head(headers), message))
            if not self._admit(reply, self.connection.reader):
                break
        if reply.outcome == OK:
            jsonrpc.judge(reply, request_id)
        self._tell(method, reply)
        if reply.outcome == TIMEOUT:
            raise errors.CallTimeout(f"{method}: {reply.detail}")
        if reply.outcome == TRANSPORT_ERROR and reply.bytes_in == 0:
            raise errors.ConnectError(f"{method}: {reply.detail}")
        return reply

    def _use_token(self) -> None:
        """Take the current token. Raises TargetError when it has expired and none is to be had."""
        if self._credentials is not None and self._token != (token := self._credentials.current()):
            self._token = token
            self._encoded.clear()

    def _admit(self, reply: Reply, reader: ResponseReader) -> bool:
        """Follow a redirect, or get the token that is wanted; tell whether. Raises TargetError."""
        if self._moved.follow(reader):
            self._encoded.clear()
            return True
        if self._credentials is None or reply.status not in (401, 403):
            return False
        challenge = reader.header(b"www-authenticate").decode("latin-1")
        if reply.status == 403 and "insufficient_scope" not in challenge:
            return False
        self._credentials.renew(self._token, reply.status, challenge, self.version)
        self._use_token()
        return True

    def _send(self, request: bytes) -> Reply:
        timeout_s = self.endpoint.timeout_s
        return self.connection.exchange(request, timeout_s, self._is_answer)
