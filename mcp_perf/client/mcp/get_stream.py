"""The stream of a session (handshake era): what a server says without being called.

It is read in a thread of its own, beside the calls: a server may need the answer to a request that
it sends here before it can answer a call.
"""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mcp_perf.client import rate_limits
from mcp_perf.client.errors import TargetError
from mcp_perf.client.http.connection import Connection
from mcp_perf.client.http.dialing import Clock
from mcp_perf.client.http.endpoint import Origin
from mcp_perf.client.http.http1 import ResponseReader
from mcp_perf.client.reply import HTTP_ERROR, OK, TIMEOUT, TRANSPORT_ERROR, Reply

_STREAM: Final = "the session's stream of notifications"
_DAY_NS: Final = 24 * 3600 * 10**9
_CONNECT_S: Final = 10.0
_JOIN_S: Final = 1.0
_MOST_FAILURES: Final = 2
"""Connections in a row that break before they bring a stream, after which there is none."""
_LEAST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 30.0
_OF_USE_S: Final = 10.0
"""A stream that lived so long was of use, even if nothing came: many proxies cut silent ones."""
OPENED: Final = "opened"
LIVED: Final = "lived"
GAP: Final = "gap"

StreamObserver = Callable[[str, int], None]
"""Is told of each stream: that it was `opened`, how long it `lived`, and the `gap` before it was
opened again, in ns; or the status by which it was refused."""


def ignore_stream(_what: str, _ns: int) -> None:
    """Observe nothing."""


def pause_s(retry_s: float, barren: int) -> float:
    """Return how long to wait before a stream is opened again.

    Never less than the server has asked for (`retry:`, Retry-After), nor than a tenth of a second.
    `barren` is how many openings in a row brought nothing: from the second on the pause doubles,
    from a second up to half a minute.
    """
    backed_off_s = min(_LONGEST_PAUSE_S, 2.0 ** min(barren - 1, 9)) if barren else 0.0
    return max(retry_s, _LEAST_PAUSE_S, backed_off_s)


def may_come_later(status: int) -> bool:
    """Tell whether a server that refuses a stream may give one later.

    409 says that the last one is still open there. 405 and all else is final.
    """
    return status in (409, 429) or status >= 500


@dataclass(eq=False)
class Listener:
    """Reads one session's stream until it is stopped; opens it again when the server ends it."""

    origin: Origin
    request: Callable[[str], bytes]
    """From the last event's id to the GET request."""
    take: Callable[[bytes], None]
    clock: Clock
    ended: Callable[[str], None] = lambda _reason: None
    """Is told when messages may have been missed: a stream without ids cannot be resumed."""
    observe: StreamObserver = ignore_stream
    reading: bool = False
    """Whether the stream is open."""
    _reason: str = f"the server closed {_STREAM}"
    """Why nothing more comes, or came since the stream was opened last."""
    _came: bool = False
    """Whether the stream that was opened last has been of use."""
    _ended_ns: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _settled: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._connection = Connection(self.origin, self.clock)
        self._first = Reply(0)
        """What came of opening it the first time; the thread's, until it is settled."""
        self._thread = threading.Thread(target=self._run, daemon=True, name="mcp-stream")

    def start(self, timeout_s: float) -> Reply:
        """Start reading, and wait until the server has opened the stream or refused it.

        Returns what came of it.
        """
        first = self._first = Reply(self.clock())
        self._thread.start()
        if not self._settled.wait(timeout_s):  # a reply of our own: the thread writes on in its
            first = Reply(first.start_ns).fail(TIMEOUT, "the stream was not opened in time")
        first.end_ns = self.clock()
        return first

    def stop(self) -> None:
        self._stop.set()
        self._connection.abort()
        self._thread.join(_JOIN_S)
        self._connection.close()

    def _run(self) -> None:
        try:
            self._read_on()
        finally:
            if not self._stop.is_set():
                self.ended(self._reason)

    def _read_on(self) -> None:
        """Read one stream after the other, as long as the server opens them."""
        last_event, failures, barren = "", 0, 0
        while not self._stop.is_set() and failures < _MOST_FAILURES:
            self._came = False
            try:
                status = self._read(last_event)
                if status == 200:
                    failures = 0
                elif status:
                    self.observe(f"HTTP {status}", 0)
                if status != 200 and not may_come_later(status):
                    break
            except TargetError as error:
                failures += 1
                self._reason = f"{_STREAM} broke: {error}"
                self._settle(error.outcome, str(error))
            finally:
                self.reading = False
                self._settle(TRANSPORT_ERROR, "the stream was not opened")
                with contextlib.suppress(OSError):
                    self._connection.close()
            reader = self._connection.reader
            last_event = reader.last_event or last_event
            if not last_event and not self._stop.is_set():
                self.ended(self._reason)
            barren = 0 if self._came else barren + 1
            self._stop.wait(pause_s(max(reader.retry_s, reader.retry_after_s), barren))

    def _settle(self, outcome: str, detail: str, reader: ResponseReader | None = None) -> None:
        """Tell who waits for the stream what came of it, once."""
        if not self._settled.is_set():
            if reader is not None:
                self._first.status = reader.status
                self._first.retry_after_s = reader.retry_after_s
            rate_limits.fail(self._first, outcome, detail)
            self._settled.set()

    def _read(self, last_event: str) -> int:
        """Read one stream to its end; return the status of the response that it was, or was not."""
        connection = self._connection
        deadline_ns = self.clock() + _DAY_NS
        connection.ready(_CONNECT_S)
        if self._stop.is_set():  # while it connected, and nothing could be aborted
            return 0
        connection.send(self.request(last_event), _DAY_NS / 1e9, self.clock())
        reader = connection.receive(deadline_ns)
        if reader.status != 200 or not reader.streaming:
            detail = f"HTTP {reader.status}: the server opens no stream"
            self._settle(HTTP_ERROR, detail, reader)
            return 0 if reader.status == 200 else reader.status  # no stream, whatever it is
        self.reading = True
        self._settle(OK, "", reader)
        opened_ns = self.clock()
        self.observe(OPENED, 0)
        if self._ended_ns:
            self.observe(GAP, opened_ns - self._ended_ns)
        try:
            while (event := connection.next_event(deadline_ns)) is not None:
                reader.restart()
                if event:
                    self._came = True
                    self.take(event)
        finally:
            self._ended_ns = self.clock()
            lived_ns = self._ended_ns - opened_ns
            self._came = self._came or lived_ns > _OF_USE_S * 1e9
            if not self._stop.is_set():
                self.observe(LIVED, lived_ns)
        return reader.status
