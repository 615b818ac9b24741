"""One connection to one origin: the only place where HTTP is written to a socket and read from it.

It uses the standard library's `socket`: it is plain and blocking in a test, and cooperative in a
process that gevent has patched.
"""

import _socket
import contextlib
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mcp_perf.client.errors import CallTimeout, ReadError, SendError, TargetError, wanted
from mcp_perf.client.http import states
from mcp_perf.client.http.budget import SMALL
from mcp_perf.client.http.cookies import Cookies
from mcp_perf.client.http.dialing import Clock, Wait, WaitFactory, dial
from mcp_perf.client.http.endpoint import Origin
from mcp_perf.client.http.http1 import ResponseReader
from mcp_perf.client.reply import Reply, ignore

RECEIVE_BYTES: Final = 65536
_PEEK: Final = socket.MSG_PEEK | socket.MSG_DONTWAIT
_FRESH_NS: Final = 1_000_000
"""A connection that was used within the last millisecond has not been closed as idle; a look at it
is a system call, and would cost every call of a busy user a tenth of its CPU."""
_DRAIN_S: Final = 0.05
"""How long to wait for the end of a stream whose reply has arrived before the connection is given
up: servers send it at once."""

_BYTES_ACKED: Final = 120
"""Offset of `tcpi_bytes_acked` in Linux's `struct tcp_info` (include/uapi/linux/tcp.h)."""

Unpatched = _socket.socket


class _Unread(ReadError):  # noqa: N818 -- it is sent again
    """The server closed the connection before it could read the request."""


@dataclass(eq=False, slots=True)
class Connection:
    """A keep-alive connection that re-opens itself when the server has closed it idle."""

    origin: Origin
    clock: Clock = time.perf_counter_ns
    waits: WaitFactory | None = None
    unasked: Callable[[bytes], None] = ignore
    """Gets what came unasked after a reply."""
    cookies: Cookies | None = None
    """The client's cookies; None keeps none."""
    reader: ResponseReader = field(default_factory=ResponseReader)
    opened: int = 0
    """How many times."""
    used_ns: int = 0
    """When the last reply ended."""
    _socket: socket.socket | None = None
    _probe: Unpatched | None = None
    _timeout_s: float = -1.0
    _wait: Wait | None = None
    _request: bytes = b""
    _sent: int = 0
    """Bytes sent on this socket, including the last request."""

    def exchange(
        self,
        request: bytes,
        timeout_s: float,
        is_answer: Callable[[bytes], bool] | None = None,
        *,
        keep: bool = False,
    ) -> Reply:
        """Send one request and wait for its reply; the reply reports every failure.

        The reply of an event stream is the first event that `is_answer` accepts; without
        `is_answer`, all of its data. The clock of the call runs from the send to the answer. With
        `keep`, the caller reads on, even if the reply does not come in time.
        """
        clock, cookies = self.clock, self.cookies
        if cookies is not None and cookies.any:
            request = cookies.added_to(request)
        reply = Reply(clock())
        reply.bytes_out = len(request)
        deadline_ns = reply.start_ns + int(timeout_s * 1e9)
        try:
            if not self._sent_at_once(request, timeout_s, reply.start_ns):
                self.send(request, timeout_s, reply.start_ns)
            reader = self.receive(deadline_ns)
            chunks = reader.chunks
            if len(chunks) == 1:
                reply.body = chunks[0]
            elif reader.streaming:
                reply.body = self._read_events(deadline_ns, is_answer)
                if reader.events and not keep:
                    self._tell_unasked()
            else:
                reply.body = reader.body
            reply.end_ns = self.used_ns = clock()
        except TargetError as error:
            reply.end_ns = clock()
            if isinstance(error, CallTimeout) and not keep:
                self.close()
            reply.fail(error.outcome, str(error))
        reader = self.reader
        reply.status = reader.status
        reply.bytes_in = size = reader.size
        if (size > SMALL or reader.encoding) and not keep:
            reader.let_go()
        if reply.status >= 300 or reader.set_cookies:
            self._take_fields(reply)
        return reply

    def _take_fields(self, reply: Reply) -> None:
        """Take from the headers of a reply what only some replies have."""
        reader = self.reader
        self.keep_cookies()
        if reply.status >= 400:
            reply.retry_after_s = reader.retry_after_s
        elif reply.status >= 300:
            reply.detail = reply.detail or reader.redirected(self._request)

    def read_on(self, deadline_ns: int, is_answer: Callable[[bytes], bool]) -> None:
        """Read on after an exchange ran out of time. Closes before it raises TargetError."""
        try:
            if self._read_head(deadline_ns).streaming:
                while (event := self.next_event(deadline_ns)) is not None:
                    if is_answer(event):
                        return
        except TargetError:
            self.close()
            raise

    def ready(self, timeout_s: float) -> None:
        """Make sure that a live connection is open, before a clock runs. Raises ConnectError."""
        if not self.has_ended(_DRAIN_S) or self._socket is None or self._is_stale():
            self.close()
            self._open(timeout_s)

    def has_ended(self, within_s: float) -> bool:
        """Tell whether the last reply has ended; wait this long for the rest of its stream."""
        deadline_ns = self.clock() + int((within_s or _DRAIN_S) * 1e9)
        try:
            while self.reader.state in states.UNDER_WAY and (within_s or self._peek() is not None):
                self._read(deadline_ns)
                self._end()
                self._tell_unasked()
        except CallTimeout:
            return False
        except TargetError:
            self.close()
        return self.reader.state not in states.UNDER_WAY

    def send(self, request: bytes, timeout_s: float, now_ns: int) -> None:
        """Write one request, on a new connection if the old one was closed as idle.

        A request is sent again only if no part of it can have been processed: our kernel took none
        of it, or the server's kernel acknowledged none of it (see `receive`). Raises ConnectError,
        SendError and CallTimeout.
        """
        if self.cookies is not None and self.cookies.any:
            request = self.cookies.added_to(request)
        reused = self._socket is not None
        fresh = now_ns - self.used_ns < _FRESH_NS and self.reader.state is states.IDLE
        if not (reused and fresh):
            self.ready(timeout_s)
        try:
            taken = self._write(request, timeout_s)
        except SendError:
            if not reused:
                raise
            self._open(timeout_s)
            taken = self._write(request, timeout_s)
        self._note_sent(request)
        if taken < len(request):
            self._write_rest(request[taken:])

    def receive(self, deadline_ns: int) -> ResponseReader:
        """Read until the response is whole, or until its first events if it is a stream."""
        # If this call opened the connection, that took some of its time.
        first = self._sent > len(self._request)
        try:
            self._read(deadline_ns, first=first)
        except _Unread:
            self._open(self._timeout_s)
            self._write_rest(self._request)
            self._note_sent(self._request)
            self._read(deadline_ns)
        reader = self.reader
        return reader if reader.state in states.READY else self._read_head(deadline_ns)

    def keep_cookies(self) -> None:
        """Keep the cookies that the response sets; `exchange` does it after its clock has ended."""
        if self.cookies is not None and self.reader.set_cookies:
            self.cookies.take(self.reader.set_cookies, self._request)

    def next_event(self, deadline_ns: int) -> bytes | None:
        """Return the data of the stream's next message event, None at its end."""
        reader = self.reader
        while not reader.events:
            if reader.complete:
                return None
            self._read(deadline_ns)
            self._end()
        return reader.events.pop(0)

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        self.reader.happened(states.CLOSE)
        if self._probe is not None:
            self._probe.detach()
            self._probe = None
        if self._wait is not None:
            self._wait.close()
            self._wait = None
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def abort(self) -> None:
        """End a read that another thread is in; that thread closes the connection."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _open(self, timeout_s: float) -> None:
        # Nothing of an earlier reply stays.
        self.reader = ResponseReader(self.reader.limit, encodings=self.reader.encodings)
        opened = dial(self.origin, timeout_s)
        self._timeout_s = timeout_s
        self._socket = opened
        # The same descriptor below any patching: a look at it never waits.
        self._probe = Unpatched(fileno=opened.fileno())
        if self.waits is not None and self.origin.tls is None:
            self._wait = self.waits(opened.fileno())
        self.opened += 1
        self._sent = 0
        self.reader.happened(states.OPEN)

    def _is_stale(self) -> bool:
        """Tell whether the server has closed the idle connection, or has sent something unasked."""
        said = self._peek()
        if said and b'"jsonrpc"' in said:
            self.unasked(said.rpartition(b"\r\n\r\n")[2])
        return said is not None

    def _peek(self) -> bytes | None:
        """Return what came and is unread: empty if the connection is closed, None if it is idle."""
        if self._probe is None:
            return b""
        try:
            return self._probe.recv(RECEIVE_BYTES, _PEEK)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def _sent_at_once(self, request: bytes, timeout_s: float, now_ns: int) -> bool:
        """Write to a connection in use by one system call; False if more is needed."""
        reader, probe = self.reader, self._probe
        if (
            self._wait is None
            or probe is None
            or reader.state is not states.IDLE
            or now_ns - self.used_ns >= _FRESH_NS
        ):
            return False
        try:
            taken = probe.send(request, socket.MSG_DONTWAIT)
        except OSError:
            return False  # none of it was taken: `send` tries again, and opens it anew
        reader.happened(states.SEND)
        self._request = request
        self._sent += len(request)
        if taken < len(request):
            self._opened().settimeout(timeout_s)
            self._write_rest(request[taken:])
        return True

    def _write(self, request: bytes, timeout_s: float) -> int:
        opened = self._opened()
        if timeout_s != self._timeout_s:
            opened.settimeout(timeout_s)
            self._timeout_s = timeout_s
        try:
            return opened.send(request)
        except OSError as error:
            raise self._not_sent(error) from error

    def _write_rest(self, rest: bytes) -> None:
        try:
            self._opened().sendall(rest)
        except OSError as error:
            raise self._not_sent(error) from error

    def _not_sent(self, error: OSError) -> TargetError:
        self.close()
        if isinstance(error, TimeoutError):
            return CallTimeout("the request could not be sent before the timeout")
        return SendError(f"the connection broke while sending: {error}{wanted(error)}")

    def _read_head(self, deadline_ns: int) -> ResponseReader:
        reader = self.reader
        while reader.state in states.COMING:
            self._read(deadline_ns)
        self._end()
        return reader

    def _read_events(self, deadline_ns: int, is_answer: Callable[[bytes], bool] | None) -> bytes:
        if is_answer is None:
            return b"\n".join(iter(lambda: self.next_event(deadline_ns), None))
        while (event := self.next_event(deadline_ns)) is not None:
            if is_answer(event):
                return event
        raise ReadError("the stream ended without a reply")

    def _tell_unasked(self) -> None:
        for event in filter(None, self.reader.events):
            self.unasked(event)
        self.reader.events = []

    def _read(self, deadline_ns: int, *, first: bool = False) -> None:
        """Read once. A timeout leaves the connection open; any other exception closes it."""
        reader, probe, wait = self.reader, self._probe, self._wait
        try:
            if first and wait is not None and probe is not None:
                wait(deadline_ns)
                try:
                    data = probe.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
                except BlockingIOError:  # epoll sometimes wakes without data
                    data = self._receive(deadline_ns, first=False)
            else:
                data = self._receive(deadline_ns, first=first)
            if data:
                reader.feed(data)
            else:
                reader.feed_eof()
        except TimeoutError as error:
            raise CallTimeout(reader.late) from error
        except OSError as error:
            # Never sent again: a reset may come from a server that has read the request.
            self.close()
            said = f"the connection broke while reading: {error}{wanted(error)}"
            raise ReadError(said) from error
        except BaseException as error:
            unread = isinstance(error, ReadError) and self._is_unread()
            # Also if the caller is stopped from outside: what follows on this connection would be
            # mistaken for the answer to the next call.
            self.close()
            if unread:
                raise _Unread(str(error)) from error
            raise

    def _receive(self, deadline_ns: int, *, first: bool) -> bytes:
        opened = self._opened()
        if not first:  # the first wait may have the whole of the call's time
            self._timeout_s = left_s = (deadline_ns - self.clock()) / 1e9
            if left_s <= 0:
                raise TimeoutError
            opened.settimeout(left_s)
        return opened.recv(RECEIVE_BYTES)

    def _note_sent(self, request: bytes) -> None:
        self.reader.happened(states.SEND)
        self._request = request
        self._sent += len(request)

    def _is_unread(self) -> bool:
        """Tell whether a request that got the connection's end instead of a reply reached nobody.

        A server that had closed the connection before the request came acknowledges no part of it.
        A server that read it acknowledges it at the latest with its end. Only Linux shows this. A
        reset shows nothing: it may also come from a server that has read the request, before the
        request is acknowledged.
        """
        before = self._sent - len(self._request)
        if self.reader.state in states.STARTED or not before or self.origin.tls is not None:
            return False
        with contextlib.suppress(OSError, AttributeError, struct.error):
            info = self._opened().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            acknowledged: int = struct.unpack_from("=Q", info, _BYTES_ACKED)[0] - 1  # less the SYN
            return acknowledged <= before
        return False

    def _end(self) -> None:
        """Close a connection whose response is whole if it is of no further use."""
        if self.reader.state in (states.ENDED, states.STRAY):
            if self.reader.unasked:
                self.unasked(self.reader.unasked)
            self.close()

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise ReadError("the connection is closed")
        return self._socket
