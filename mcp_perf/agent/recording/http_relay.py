"""A relay between an agent and an HTTP server: it passes every byte on unchanged."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Final
from urllib.parse import urlsplit

from mcp_perf.agent.recording.http_watch import HttpSessions, HttpWatch
from mcp_perf.load.web.guard import is_loopback
from mcp_perf.scenario.problems.wording import InputError, quote

HERE: Final = "127.0.0.1"
_CHUNK: Final = 65536
_HOST: Final = re.compile(rb"(?i)(\r\nhost:[ \t]*)[^\r\n]*")
_HEAD_END: Final = b"\r\n\r\n"


@dataclass(frozen=True)
class Upstream:
    """Where the server is."""

    url: str
    host: str
    port: int
    tls: bool

    @classmethod
    def of(cls, url: str) -> "Upstream":
        """Read an address. Raises InputError."""
        try:
            parts = urlsplit(url)
            tls = parts.scheme == "https"
            port = parts.port or (443 if tls else 80)
        except ValueError:
            parts, tls, port = urlsplit(""), False, 0
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            hint = "write http://HOST:PORT/PATH, or https://…"
            raise InputError(f"--url {quote(url)} is not the address of a server", hint)
        return cls(url, parts.hostname, port, tls)

    @property
    def is_here(self) -> bool:
        return is_loopback(self.host)

    def at(self, port: int) -> str:
        """Return its address with the relay's host and port."""
        return urlsplit(self.url)._replace(scheme="http", netloc=f"{HERE}:{port}").geturl()


@dataclass(eq=False)
class HttpRelay:
    """Listens for agents, and connects to the server once for each of their connections."""

    upstream: Upstream
    sessions: HttpSessions
    say: Callable[[str], object]
    _tls: ssl.SSLContext | None = None
    _silent: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, port: int) -> asyncio.Server:
        """Listen. Raises OSError if the port is taken."""
        self._tls = ssl.create_default_context() if self.upstream.tls else None
        return await asyncio.start_server(self._serve, HERE, port, limit=_CHUNK)

    def stop(self) -> None:
        """Break off what is under way."""
        for task in self._tasks:
            task.cancel()

    async def _serve(self, agent: asyncio.StreamReader, to_agent: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._pass_on(agent, to_agent))
        self._tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):  # by stop, so a traceback is useless
            await task
        self._tasks.discard(task)
        to_agent.transport.abort()

    async def _pass_on(self, agent: asyncio.StreamReader, to_agent: asyncio.StreamWriter) -> None:
        where = self.upstream
        try:
            server, to_server = await asyncio.open_connection(
                where.host, where.port, ssl=self._tls, limit=_CHUNK
            )
        except OSError as error:
            if not self._silent:
                self.say(f"{where.host}:{where.port} cannot be reached: {error}")
            self._silent = True
            return
        watch = HttpWatch(self.sessions)
        rename = None if where.is_here else _Renamed(where, watch)
        try:
            up = _pump(agent, to_server, watch.sent, rename)
            down = _pump(server, to_agent, watch.came)
            ways = [asyncio.ensure_future(up), asyncio.ensure_future(down)]
            ended, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if not all(way.result() for way in ended):
                for way in left:
                    way.cancel()
            await asyncio.wait(ways)
            watch.closed(perf_counter_ns(), by_server=ways[1] in ended)
        finally:
            for way in ways:
                way.cancel()
            to_server.transport.abort()


class _Renamed:
    """Replaces the relay's name in `Host` by the server's, because some hosts have several servers.

    It keeps a head until the head is complete, and never keeps any other byte.
    """

    def __init__(self, upstream: Upstream, watch: HttpWatch) -> None:
        usual = 443 if upstream.tls else 80
        name = upstream.host if upstream.port == usual else f"{upstream.host}:{upstream.port}"
        self._host = rb"\g<1>" + name.encode("idna" if not name.isascii() else "ascii")
        self._watch = watch
        self._head = b""

    def __call__(self, data: bytes) -> bytes:
        if not self._head and not self._watch.idle:
            return data
        self._head += data
        if _HEAD_END not in self._head and len(self._head) < _CHUNK:
            return b""
        whole, self._head = self._head, b""
        head, end, body = whole.partition(_HEAD_END)
        return _HOST.sub(self._host, head, count=1) + end + body


async def _pump(
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    watch: Callable[[bytes, int], None],
    rename: _Renamed | None = None,
) -> bool:
    """Pass on until the source ends; tell whether it ended normally."""
    try:
        while data := await source.read(_CHUNK):
            now_ns = perf_counter_ns()
            if rename is not None:
                data = rename(data)
            sink.write(data)
            watch(data, now_ns)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
        else:
            return False
    except OSError:
        return False
    return True
