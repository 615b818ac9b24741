"""One connection: bytes in, requests to the handler one at a time, replies out in order."""

import asyncio
import collections
import contextlib
import functools
import logging
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, Final, Protocol

import httptools

from mcp_targets.serving.httpd.messages import Answer, Reply, Request, Stream, encode, encode_head
from mcp_targets.serving.httpd.timer import Timer

_MAX_WAITING: Final = 64
"""How many pipelined requests may wait before reading stops."""
_NO_REPEATS: Final[frozenset[bytes]] = frozenset()
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 s: closing sends a reset instead of a FIN."""

_log = logging.getLogger(__name__)


class Owner(Protocol):
    """What a connection needs from the server that accepted it."""

    loop: asyncio.AbstractEventLoop
    max_body: int
    accept_delay_s: Callable[[], float]

    @property
    def timer(self) -> Timer:
        """The timer of replies."""

    def opened(self, connection: "Connection") -> None:
        """Register a new connection."""

    def lost(self, connection: "Connection") -> None:
        """Forget a closed connection."""

    def answer(self, request: Request, connection: "Connection") -> Answer:
        """Answer a request; a call of `answered` follows."""

    def answered(self) -> None:
        """Count the end of a request."""


class Connection(asyncio.Protocol):
    """Parse requests, hand them over, write replies. One is in progress; the others wait."""

    def __init__(self, server: Owner) -> None:
        self._server = server
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._waiting: collections.deque[Request] = collections.deque()
        self._busy = False
        self._current: Request | None = None
        self._closed = False
        self._reading = True
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None
        self._streaming = False
        self.tags: set[str] = set()
        self.fresh = True
        """No request has arrived yet."""
        self._held: bytearray | None = None
        """Bytes that arrived before the connection counts as set up."""

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start reading, at once or after the server's accept delay."""
        self._transport = transport
        self._server.opened(self)
        delay_s = self._server.accept_delay_s()
        if delay_s > 0:
            # Not pause_reading: uvloop starts reading after this call even if paused.
            self._held = bytearray()
            self._server.timer.call_later(delay_s, self._admit)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the `on_…` methods."""
        if self._held is not None:
            self._held += data
            self._transport.pause_reading()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(b"upgrades are not supported")
        except httptools.HttpParserError as error:
            self._refuse(str(error).encode("ascii", "replace"))

    def pause_writing(self) -> None:
        """Stop serving: the peer does not read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()
        self._advance()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- the loop's signature
        """Abandon the request in progress: nobody waits for it."""
        self._closed = True
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
        self._release()
        self._server.lost(self)

    # Called by the parser.

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._repeated = _NO_REPEATS
        self._parts: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """Add a part of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.lower()
        if key in self._headers:
            self._repeated |= {key}
        else:
            self._headers[key] = value.rstrip()  # the parser keeps trailing white space

    def on_headers_complete(self) -> None:
        """Let a client that sent `Expect` send its body."""
        if b"expect" in self._headers:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Add a part of the body; beyond the limit it is read but not kept."""
        self._size += len(body)
        if self._size <= self._server.max_body:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """Queue the request and serve it when its turn comes."""
        target = self._target
        self._waiting.append(
            Request(
                self._parser.get_method(),
                target,
                target.partition(b"?")[0],
                self._headers,
                self._repeated,
                b"".join(self._parts),
                self._size > self._server.max_body,
                self._parser.should_keep_alive(),
                self.tags,
            )
        )
        if not self._busy:
            self._advance()
        if len(self._waiting) > _MAX_WAITING and self._reading and not self._closed:
            self._reading = False
            self._transport.pause_reading()

    # Serving.

    def _advance(self) -> None:
        while self._waiting and not self._busy and not self._closed and self._writable.is_set():
            self._serve(self._waiting.popleft())
        if not self._reading and not self._waiting:
            self._resume_reading()

    def _serve(self, request: Request) -> None:
        self._busy = True
        self._current = request
        answer: Answer
        try:
            answer = self._server.answer(request, self)
        except Exception:  # noqa: BLE001 -- a broken handler costs one request, not the server
            _log.exception("%s %s failed", request.method, request.path)
            answer = _broken()
        if type(answer) is not Reply:
            self._task = self._server.loop.create_task(self._serve_later(answer))
            self._task.add_done_callback(self._task_done)
        elif answer.after_s > 0:
            request.answer_now = functools.partial(self._send_late, request)
            self._server.timer.call_later(answer.after_s, self._send_late, request, answer)
        else:
            self._send(request, answer)

    def _send_late(self, request: Request, reply: Reply) -> None:
        self._send(request, reply)
        self._advance()

    def _send(self, request: Request, reply: Reply) -> None:
        if self._closed or self._current is not request:
            return
        bodiless = request.method == b"HEAD"
        payload = encode(reply, keep_alive=request.keep_alive, bodiless=bodiless)
        if reply.fault is not None:
            reply.fault.send(self, payload)
            return
        self._transport.write(payload)
        self._finish()

    async def _serve_later(self, answer: Answer) -> None:
        request = self._current
        if request is None:
            return
        if not isinstance(answer, (Reply, Stream)):
            answer = await answer
        if answer.after_s > 0:
            await self._server.timer.sleep(answer.after_s)
        if isinstance(answer, Stream):
            await self._stream(request, answer)
        else:
            self._send(request, answer)

    async def _stream(self, request: Request, stream: Stream) -> None:
        self._transport.write(encode_head(stream, keep_alive=request.keep_alive))
        self._streaming = True
        async for chunk in stream.chunks:
            await self._writable.wait()
            if chunk:
                self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self._streaming = False
        self._transport.write(b"0\r\n\r\n")
        self._finish()

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("serving failed", exc_info=error)
            if self._streaming or self._current is None:
                # The head has been sent: breaking the stream is the only signal left.
                self.close()
            else:
                self._send(self._current, _broken())
        self._advance()

    def _finish(self) -> None:
        """End the exchange, and close the connection if the client asked for that."""
        request = self._current
        self._release()
        if request is not None and not request.keep_alive:
            self._close()

    def _release(self) -> None:
        if self._busy:
            self._busy = False
            self._server.answered()
            request, self._current = self._current, None
            if request is not None and request.done is not None:
                request.done()

    def _close(self) -> None:
        self._closed = True
        self._waiting.clear()
        self._transport.close()

    def _refuse(self, why: bytes) -> None:
        if not self._closed:
            reply = Reply(b"Bad Request: " + why + b"\n", 400, b"text/plain")
            self._transport.write(encode(reply, keep_alive=False, bodiless=False))
            self._close()

    def _admit(self) -> None:
        held, self._held = self._held, None
        if held and not self._closed:
            self._resume_reading()
            self.data_received(bytes(held))

    def _resume_reading(self) -> None:
        if not self._closed:
            self._reading = True
            self._transport.resume_reading()

    # Called by faults (messages.Wire).

    def write(self, payload: bytes) -> None:
        if not self._closed:
            self._transport.write(payload)

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        self._server.timer.call_later(delay_s, lambda: None if self._closed else action())

    def done(self) -> None:
        self._finish()
        self._advance()

    def close(self) -> None:
        self._release()
        self._close()

    def reset(self) -> None:
        self._release()
        self._closed = True
        with contextlib.suppress(OSError, TypeError):
            # A duplicate of the descriptor, because loops hand out sockets without setsockopt.
            number = self._transport.get_extra_info("socket").fileno()
            with socket.socket(fileno=os.dup(number)) as twin:
                twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._transport.abort()


def _broken() -> Reply:
    return Reply(b'{"error": {"message": "internal error"}}', 500)
