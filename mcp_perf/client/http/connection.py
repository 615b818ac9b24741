"""One connection to one origin: the only place of the client that touches a socket.

It uses the standard library's `socket`, so that it is plain and blocking in a test and cooperative
in a process that gevent has patched.
"""

import _socket
import contextlib
import re
import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlsplit

from mcp_perf.client.errors import CallTimeout, ReadError, SendError, TargetError, connect_error
from mcp_perf.client.http.http1 import ResponseReader

RECEIVE_BYTES: Final = 65536
_PEEK: Final = socket.MSG_PEEK | socket.MSG_DONTWAIT
_FRESH_NS: Final = 1_000_000
"""A connection that was used within the last millisecond has not been closed as idle; a look at it
is a system call, and would cost every call of a busy user a tenth of its CPU."""
_DRAIN_S: Final = 0.05
"""How long the end of a stream, whose reply has arrived, is waited for before the connection is
given up: servers send it at once."""

_BYTES_ACKED: Final = 120
"""Offset of `tcpi_bytes_acked` in Linux's `struct tcp_info` (include/uapi/linux/tcp.h)."""

_STRANGE: Final = re.compile(r"[^!-~]")

Clock = Callable[[], int]
Unpatched = _socket.socket
"""What `socket` is below any patching."""


class Wait(Protocol):
    """A way to wait for the first byte of a reply that is cheaper than the socket's own."""

    def __call__(self, timeout_s: float) -> None:
        """Return when the descriptor is readable. Raises TimeoutError."""

    def close(self) -> None: ...


WaitFactory = Callable[[int], Wait]
"""From a file descriptor; the load generator hands in one that fits its event loop."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a target, and how its certificate is checked."""

    scheme: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None

    @classmethod
    def of(cls, url: str, *, verify: bool = True, ca: str | None = None) -> "Origin":
        """Read an origin off an address. Raises ValueError when it is not http or https."""
        if strange := _STRANGE.search(url):
            hint = "percent-encode it (ł is %C5%82), or write xn--… in a host name"
            raise ValueError(f"{url!r} holds {strange[0]!r}, which no address may: {hint}")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http or https address")
        if parts.scheme == "http":
            return cls("http", parts.hostname, parts.port or 80)
        context = ssl.create_default_context(cafile=ca)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return cls("https", parts.hostname, parts.port or 443, context)

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 80 if self.scheme == "http" else 443
        return host if self.port == default else f"{host}:{self.port}"

    def same(self, url: str) -> bool:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return (parts.scheme, parts.hostname, port) == (self.scheme, self.host, self.port)


@dataclass(eq=False, slots=True)
class Connection:
    """A keep-alive connection that re-opens itself when the server has closed it idle."""

    origin: Origin
    clock: Clock = time.perf_counter_ns
    waits: WaitFactory | None = None
    reader: ResponseReader = field(default_factory=ResponseReader)
    opened: int = 0
    kept: bool = False
    """Whether a reply that does not come in time leaves the connection open, to be read on."""
    used_ns: int = 0
    """When the last reply ended; set by who times it."""
    _socket: socket.socket | None = None
    _probe: Unpatched | None = None
    _timeout_s: float = -1.0
    _wait: Wait | None = None
    _request: bytes = b""
    _sent: int = 0
    _sent_before: int = 0
    _untouched: bool = False
    _opened_now: bool = False

    def ready(self, timeout_s: float) -> None:
        """Make sure that a live connection is open, before a clock runs. Raises ConnectError."""
        if self._socket is not None and not self.reader.complete:
            self._finish_last()
        if self._socket is None or self._is_stale():
            self.close()
            self._open(timeout_s)

    def send(self, request: bytes, timeout_s: float, now_ns: int) -> None:
        """Write one request, on a new connection where the old one has gone idle.

        A request is sent again only when nothing of it can have been processed: our kernel took
        none of it, or the server's acknowledged none of it (see `receive`).
        Raises ConnectError, SendError and CallTimeout.
        """
        reused = self._socket is not None
        fresh = now_ns - self.used_ns < _FRESH_NS and self.reader.complete
        if not (reused and fresh) or self.reader.surplus:
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
        """Read until the response is whole, or until its first events when it is a stream."""
        first = not self._opened_now  # opening one took of the call's time
        self._opened_now = False
        try:
            self._read(self.reader, deadline_ns, first=first)
        except ReadError:
            if not self._untouched:
                raise
            self._open(self._timeout_s)
            self._write_rest(self._request)
            self._note_sent(self._request)
            self._read(self.reader, deadline_ns)
        return self.go_on(deadline_ns)

    def go_on(self, deadline_ns: int) -> ResponseReader:
        """Do as `receive` where it ran out of time and the connection was kept."""
        reader = self.reader
        while not reader.complete and not reader.streaming:
            self._read(reader, deadline_ns)
        if reader.complete:
            self._end()
        return reader

    def next_event(self, deadline_ns: int) -> bytes | None:
        """Return the data of the stream's next message event, None at its end."""
        reader = self.reader
        while not reader.events:
            if reader.complete:
                return None
            self._read(reader, deadline_ns)
            if reader.complete:
                self._end()
        return reader.events.pop(0)

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
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
        origin = self.origin
        self.reader = ResponseReader(self.reader.limit)  # nothing of an earlier reply stays
        plain: socket.socket | None = None
        try:
            plain = _connected(origin.host, origin.port, timeout_s)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened = (
                plain
                if origin.tls is None
                else origin.tls.wrap_socket(plain, server_hostname=origin.host)
            )
        except BaseException as error:
            if plain is not None:
                plain.close()
            if isinstance(error, OSError):
                raise connect_error(origin.authority, error) from error
            raise
        self._timeout_s = timeout_s
        self._socket = opened
        # The same descriptor below any patching: a look at it never waits.
        self._probe = Unpatched(fileno=opened.fileno())
        if self.waits is not None and origin.tls is None:
            self._wait = self.waits(opened.fileno())
        self.opened += 1
        self._opened_now = True
        self._sent = 0

    def _is_stale(self) -> bool:
        if self.reader.surplus or self._probe is None:
            return True
        try:
            self._probe.recv(1, _PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
        return True

    def _write(self, request: bytes, timeout_s: float) -> int:
        opened = self._opened()
        if timeout_s != self._timeout_s:
            opened.settimeout(timeout_s)
            self._timeout_s = timeout_s
        try:
            return opened.send(request)
        except OSError as error:
            raise self._unsent(error) from error

    def _write_rest(self, rest: bytes) -> None:
        try:
            self._opened().sendall(rest)
        except OSError as error:
            raise self._unsent(error) from error

    def _unsent(self, error: OSError) -> TargetError:
        self.close()
        if isinstance(error, TimeoutError):
            return CallTimeout("the request could not be sent in time")
        return SendError(f"the connection broke while sending: {error}")

    def _read(self, reader: ResponseReader, deadline_ns: int, *, first: bool = False) -> None:
        opened = self._opened()
        try:
            if not first:  # the first wait may have the whole of the call's time
                self._timeout_s = left_s = (deadline_ns - self.clock()) / 1e9
                if left_s <= 0:
                    raise TimeoutError  # noqa: TRY301 -- one way out for every timeout
                opened.settimeout(left_s)
            elif self._wait is not None:
                self._wait(self._timeout_s)
            data = opened.recv(RECEIVE_BYTES)
            if data:
                reader.feed(data)
            else:
                reader.feed_eof()
        except TimeoutError as error:
            if not self.kept:
                self.close()
            raise CallTimeout(_timeout_text(reader)) from error
        except OSError as error:
            self._untouched = False  # a reset may come of a server that has read the request
            self.close()
            raise ReadError(f"the connection broke while reading: {error}") from error
        except BaseException:
            self._note_untouched()
            # Also when the caller is stopped from outside: what follows on this connection
            # would be taken for the answer of the next call.
            self.close()
            raise

    def _note_sent(self, request: bytes) -> None:
        self.reader.expect()
        self._request = request
        self._sent_before = self._sent
        self._sent += len(request)

    def _note_untouched(self) -> None:
        """Find out whether a request that got an end instead of a reply has reached anybody.

        A server that had closed the connection before the request came acknowledges nothing of it.
        One that read it acknowledges it with its end at the latest. Only Linux tells. Of a reset
        nothing can be told: it comes as well from a server that has read the request, before the
        request is acknowledged.
        """
        self._untouched = False
        if self.reader.started or not self._sent_before or self.origin.tls is not None:
            return
        with contextlib.suppress(OSError, AttributeError, struct.error):
            info = self._opened().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            acknowledged = struct.unpack_from("=Q", info, _BYTES_ACKED)[0] - 1  # less the SYN
            self._untouched = acknowledged <= self._sent_before

    def _end(self) -> None:
        if not self.reader.keep_alive or self.reader.surplus:
            self.close()

    def _finish_last(self) -> None:
        """Read the end of a stream whose reply has arrived, so that it can be used again."""
        deadline_ns = self.clock() + int(_DRAIN_S * 1e9)
        try:
            while self.next_event(deadline_ns) is not None:
                pass
        except (ReadError, CallTimeout):
            self.close()

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise ReadError("the connection is closed")
        return self._socket


def _connected(host: str, port: int, timeout_s: float) -> socket.socket:
    """Connect. In figures, an address needs no resolver: gevent's is a thread, and costs 80 µs."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except OSError:
        return socket.create_connection((host, port), timeout_s)
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.settimeout(timeout_s)
        made.connect((host, port))
    except BaseException:
        made.close()
        raise
    return made


def _timeout_text(reader: ResponseReader) -> str:
    if not reader.started:
        return "no reply in time"
    return f"the reply did not end in time ({reader.size} bytes came)"
