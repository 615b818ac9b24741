"""Serve over standard input and output: `python …/mcp_targets/stdio.py echo`."""

import asyncio
import functools
import os
import sys
from collections.abc import Callable
from typing import Any, Final

from mcp_targets.echo import rpc
from mcp_targets.echo.app import Echo, Settings
from mcp_targets.serving import entry
from mcp_targets.serving.httpd import Reply, Request, Stream

_NO_SESSION: Final = b"pipe"
"""The session of 2026-07-28 calls, which have none: works need one to find a call by its id."""


class Pipe:
    """The one client: its session, if it has one, and its open streams."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._app = Echo(Settings())
        self._headers: dict[bytes, bytes] = {}
        """The headers of the session."""
        self._streams: dict[asyncio.Task[None], rpc.Id] = {}
        """The open streams; a subscription's has its request id, by which it is cancelled."""

    def take(self, line: bytes) -> None:
        request = self._request(b"POST", line)
        if self._headers:
            self._send(request, self._app.handshake.answer(request))
            return
        request_id: rpc.Id = None
        try:
            message = rpc.decode(line)
            if message.get("method") == "initialize":
                self._open(request)
            elif "id" not in message:
                self._app.handshake.take(_NO_SESSION, message)
                self._stop_listening(message.get("params"))
            else:
                rpc.check_request(message)
                request_id = message["id"]
                answer = self._app.modern.serve(request, message, _NO_SESSION)
                self._send(request, answer, request_id)
        except rpc.RpcError as error:
            self._send(request, error.reply(200, request_id))

    def _request(self, method: bytes, body: bytes = b"") -> Request:
        return Request(
            method, b"/mcp", b"/mcp", self._headers, frozenset(), body, False, True, set()
        )

    def _open(self, request: Request) -> None:
        """Open a session and the stream of its changes."""
        reply = self._app.handshake.answer(request)
        self._send(request, reply)
        self._headers = dict(reply.headers)
        if self._headers:
            changes = self._request(b"GET")
            self._send(changes, self._app.handshake.answer(changes))

    def _stop_listening(self, params: Any) -> None:
        """End the subscription that a cancellation's params name."""
        request_id = params.get("requestId") if isinstance(params, dict) else None
        for task, subscription in list(self._streams.items()):
            if subscription is not None and subscription == request_id:
                task.cancel()

    def _send(self, request: Request, answer: Reply | Stream, request_id: rpc.Id = None) -> None:
        if isinstance(answer, Stream):
            task = asyncio.get_running_loop().create_task(self._stream(request, answer))
            self._streams[task] = None if request.done else request_id
            task.add_done_callback(self._streams.pop)
        elif answer.after_s > 0:
            request.answer_now = functools.partial(self._send_late, request)
            self._app.server.timer.call_later(answer.after_s, self._send_late, request, answer)
        else:
            self._end(request, answer.body)

    def _send_late(self, request: Request, reply: Reply) -> None:
        if request.answer_now is not None:  # otherwise it was answered early
            request.answer_now = None
            self._end(request, reply.body)

    async def _stream(self, request: Request, stream: Stream) -> None:
        if stream.after_s > 0:
            await self._app.server.timer.sleep(stream.after_s)
        async for event in stream.chunks:
            self._write_line(rpc.carried(event))
        self._end(request)

    def _end(self, request: Request, body: bytes = b"") -> None:
        self._write_line(body)
        if request.done is not None:
            request.done()

    def _write_line(self, message: bytes) -> None:
        if message:
            self._write(message + b"\n")


def main() -> None:
    """Serve until standard input ends."""
    entry.run(_serve())
    entry.leave()


async def _serve() -> None:
    ended = asyncio.Event()
    pipe = Pipe(_write)
    begun = b""

    def read() -> None:
        nonlocal begun
        piece = os.read(0, 65536)
        if not piece:
            ended.set()
        *lines, begun = (begun + piece).split(b"\n")
        for line in lines:
            pipe.take(line)

    # Not an asyncio stream: that makes the pipe non-blocking, also for a parent that shares it.
    asyncio.get_running_loop().add_reader(0, read)
    await ended.wait()


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
