"""The stream of a session (handshake era): what a server says unasked.

A separate thread reads it alongside the calls: a server may need the answer to a request that it
sends here before it can answer a call.
"""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mcp_perf.client import rate_limits
from mcp_perf.client.errors import TargetError
from mcp_perf.client.http.connection import Connection
from mcp_perf.client.http.cookies import Cookies
from mcp_perf.client.http.dialing import Clock
from mcp_perf.client.http.endpoint import Origin
from mcp_perf.client.http.http1 import ResponseReader
from mcp_perf.client.mcp.lifetime import StreamObserver, StreamOpenings
from mcp_perf.client.mcp.messenger import MOST_ATTEMPTS
from mcp_perf.client.reply import Reply, ignore
from mcp_perf.outcomes import HTTP_ERROR, OK, TIMEOUT, TRANSPORT_ERROR

_STREAM: Final = "the session's stream of notifications"
DAY_NS: Final = 24 * 3600 * 10**9
_CONNECT_S: Final = 10.0
JOIN_S: Final = 1.0
_MOST_FAILURES: Final = 2
"""How many connections in a row may break before they bring a stream; then no more are made."""


def may_come_later(status: int) -> bool:
    """Tell whether a server that refuses a stream may give one later.

    409 says that the last one is still open there. 405 and anything else is final.
    """
    return status in (409, 429) or status >= 500


@dataclass(eq=False)
class Listener:
    """Reads one session's stream until it is stopped; opens it again when the server ends it."""

    origin: Origin
    request: Callable[[str], bytes]
    """Makes the GET request from the last event's id."""
    take: Callable[[bytes], None]
    clock: Clock
    ended: Callable[[str], None] = ignore
    """Hears when messages may have been missed: a stream without ids cannot be resumed."""
    observe: StreamObserver = ignore
    admit: Callable[[Reply, ResponseReader], bool] = lambda _refused, _reader: False
    """Does something about a refusal, such as getting another token; returns whether it did."""
    cookies: Cookies | None = None
    _reason: str = f"the server closed {_STREAM}"
    """Why nothing more comes, or why nothing came after the last opening of the stream."""
    _outcome: str = HTTP_ERROR
    """The class of a step that could not listen for this reason."""
    _came: bool = False
    """Whether the stream that was opened last has been of use."""
    _asked_ns: int = 0
    _opened_ns: int = 0
    _over: bool = False
    _open: threading.Event = field(default_factory=threading.Event)
    """Set while the stream is open, and when it is over."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _settled: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._openings = StreamOpenings(self.clock, self.observe)
        self._connection = Connection(self.origin, self.clock, cookies=self.cookies)
        self._first = Reply(0)
        """The result of the first opening; only the thread writes to it until it is settled."""
        self._thread = threading.Thread(target=self._run, daemon=True, name="mcp-stream")

    def start(self, timeout_s: float) -> Reply:
        """Start reading; return the result once the server has opened or refused the stream."""
        first = self._first = Reply(self.clock())
        self._thread.start()
        if not self._settled.wait(timeout_s):  # another reply: the thread still writes to the first
            late = "the stream was not opened before the timeout"
            first = Reply(first.start_ns).fail(TIMEOUT, late)
        first.end_ns = self.clock()
        return first

    @property
    def reading(self) -> bool:
        """Whether the stream is open."""
        return self._open.is_set() and not self._over

    @property
    def goes_on(self) -> bool:
        """Whether the stream is open, or is to be opened again."""
        return self._thread.is_alive() and not self._over

    def opened_again(self, timeout_s: float) -> Reply:
        """Wait until the stream is open again, in its turn; return how long opening took."""
        self._open.wait(timeout_s)
        if not self.reading:
            left_s = self._openings.left_s
            when = f"the next attempt is in {left_s:.2g} s" if left_s else "it is being opened"
            said = f"{self._reason}; {when}" if self.goes_on else self._reason
            return Reply(self.clock()).fail(self._outcome, said)
        opened = Reply(self._asked_ns)
        opened.end_ns = self._opened_ns
        return opened

    def stop(self) -> None:
        self._stop.set()
        self._connection.abort()
        self._thread.join(JOIN_S)
        self._connection.close()

    def _run(self) -> None:
        try:
            self._read_on()
        finally:
            self._over = True
            self._open.set()
            if not self._stop.is_set():
                self.ended(self._reason)

    def _read_on(self) -> None:
        last_event, failures, openings = "", 0, self._openings
        while not self._stop.is_set() and failures < _MOST_FAILURES:
            self._came, opened_ns = False, self._opened_ns
            try:
                status = self._read(last_event)
                if status == 200:
                    failures = 0
                elif status:
                    openings.refused(status)
                    self._fail(HTTP_ERROR, f"HTTP {status}: the server did not open a stream")
                if status != 200 and not may_come_later(status):
                    break
            except TargetError as error:
                failures += 1
                self._fail(error.outcome, f"{_STREAM} broke: {error}")
                self._settle(error.outcome, str(error))
            finally:
                self._open.clear()
                self._settle(TRANSPORT_ERROR, "the stream was not opened")
                with contextlib.suppress(OSError):
                    self._connection.close()
            reader = self._connection.reader
            last_event = reader.last_event or last_event
            was_open = self._opened_ns != opened_ns
            if was_open and not last_event and not self._stop.is_set():
                self.ended(self._reason)
            openings.put_off(max(reader.retry_s, reader.retry_after_s), of_use=self._came)
            self._stop.wait(openings.left_s)

    def _fail(self, outcome: str, reason: str) -> None:
        self._outcome, self._reason = outcome, reason

    def _settle(self, outcome: str, detail: str, reader: ResponseReader | None = None) -> None:
        if not self._settled.is_set():
            if reader is not None:
                self._first.status = reader.status
                self._first.retry_after_s = reader.retry_after_s
            rate_limits.fail(self._first, outcome, detail)
            self._settled.set()

    def _read(self, last_event: str) -> int:
        """Read one stream to its end; return the status of the response, a stream or not."""
        connection = self._connection
        deadline_ns = self.clock() + DAY_NS
        for _ in range(MOST_ATTEMPTS):
            connection.ready(_CONNECT_S)
            if self._stop.is_set():  # while it connected, and nothing could be aborted
                return 0
            self._asked_ns = self.clock()
            connection.send(self.request(last_event), DAY_NS / 1e9, self.clock())
            reader = connection.receive(deadline_ns)
            connection.keep_cookies()
            refused = Reply(0)
            refused.status = reader.status
            if not self.admit(refused, reader):
                break
        if reader.status != 200 or not reader.streaming:
            detail = f"HTTP {reader.status}: the server did not open a stream"
            self._settle(HTTP_ERROR, detail, reader)
            return 0 if reader.status == 200 else reader.status  # not a stream, whatever it is
        self._opened_ns = self._openings.opened()
        self._fail(HTTP_ERROR, f"the server closed {_STREAM}")  # it will, sooner or later
        self._open.set()
        self._settle(OK, "", reader)
        try:
            while (event := connection.next_event(deadline_ns)) is not None:
                reader.restart()
                if event:
                    self._came = True
                    self.take(event)
        finally:
            if not self._stop.is_set():
                self._came = self._openings.ended(self._opened_ns, of_use=self._came)
        return reader.status
