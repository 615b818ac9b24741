"""The listening side: accepts connections, hands requests to the application, counts."""

import asyncio
import functools
import socket
from collections.abc import Callable
from typing import Final

import msgspec

from mcp_targets.serving.httpd.callers import FOREIGN, is_foreign
from mcp_targets.serving.httpd.connection import Connection
from mcp_targets.serving.httpd.messages import Answer, Reply, Request
from mcp_targets.serving.httpd.timer import Timer

Handler = Callable[[Request], Answer]

_MAX_BODY: Final = 4 * 1024 * 1024
_BACKLOG: Final = 4096
_ADMIN: Final = b"/_"
_MOST_HOSTS: Final = 100


class Counters(msgspec.Struct):
    """What the server has seen, without requests to `/_…` and connections that carry only these."""

    connections: int = 0
    requests: int = 0
    in_parallel: int = 0
    """Requests that were received but not yet answered."""
    max_in_parallel: int = 0


class Server:
    """Serve an application on one listening socket.

    `admin` gets the requests whose path starts with `/_`, `handler` all others; both may answer at
    once or return an awaitable. `accept_delay_s` passes before a new connection is read.
    """

    def __init__(
        self,
        handler: Handler,
        admin: Handler,
        *,
        max_body: int = _MAX_BODY,
        accept_delay_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.max_body = max_body
        self.accept_delay_s = accept_delay_s
        self.counters = Counters()
        self.loop: asyncio.AbstractEventLoop
        self._handler = handler
        self._admin = admin
        self._open: set[Connection] = set()
        self._hosts: set[bytes | None] = set()
        """Values of `Host` that were checked and name this machine."""
        self._server: asyncio.Server

    @functools.cached_property
    def timer(self) -> Timer:
        """The timer of replies, on the loop that first uses it."""
        return Timer()

    async def start(self, listener: socket.socket) -> None:
        """Accept connections on a bound socket, which the server owns from now on."""
        self.loop = asyncio.get_running_loop()
        self._server = await self.loop.create_server(
            lambda: Connection(self), sock=listener, backlog=_BACKLOG
        )

    async def stop(self) -> None:
        """Stop accepting and drop every connection."""
        self._server.close()
        for connection in list(self._open):
            connection.close()
        await self._server.wait_closed()
        self.timer.close()

    # Called by connections.

    def opened(self, connection: Connection) -> None:
        self._open.add(connection)
        self.counters.connections += 1

    def lost(self, connection: Connection) -> None:
        self._open.discard(connection)

    def answer(self, request: Request, connection: Connection) -> Answer:
        """Count a request and hand it over; a call of `answered` must follow."""
        counters = self.counters
        admin = request.path.startswith(_ADMIN)
        if connection.fresh:
            connection.fresh = False
            # An observer's connection must not change what it observes.
            counters.connections -= admin
        if not admin:
            counters.requests += 1
        counters.in_parallel += 1
        if counters.in_parallel > counters.max_in_parallel and not admin:
            counters.max_in_parallel = counters.in_parallel
        if request.too_large:
            return Reply(b'{"error": {"message": "request body too large"}}', 413)
        headers = request.headers
        host, origin = headers.get(b"host"), headers.get(b"origin")
        if host not in self._hosts or origin is not None:
            if is_foreign(host, origin):
                return Reply(FOREIGN, 403, b"text/plain")
            if len(self._hosts) < _MOST_HOSTS:
                self._hosts.add(host)
        return self._admin(request) if admin else self._handler(request)

    def answered(self) -> None:
        self.counters.in_parallel -= 1
