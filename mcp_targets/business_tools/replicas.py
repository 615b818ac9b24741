"""Several replicas of the server behind a balancer, restarted one after the other.

A replica that is about to restart gets no new requests, finishes the ones it has, and stops.
"""

import argparse
import asyncio
import itertools
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx2

from mcp_targets.business_tools.errors import ToolFailure
from mcp_targets.serving import entry, service_time
from mcp_targets.serving.httpd import Reply, Request, Server, Stream
from mcp_targets.serving.processes import Child, SystemFailed

LOOK_EVERY_S: Final = 0.2
MOST_REQUEST_S: Final = 60.0
"""The longest wait for a request, and for a replica that has to stop."""
_POLL_S: Final = 0.01
_LIMITS: Final = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
"""Idle connections are closed long before a replica would close them: a request that is sent at
that moment is lost."""
_SESSION: Final = b"mcp-session-id"
_OF_ONE_HOP: Final = frozenset(
    (b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"host", b"content-length")
)
_MADE_ANEW: Final = _OF_ONE_HOP | {b"content-type", b"content-encoding", b"date", b"server"}
"""Headers of a reply that are not passed on as they are."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--replicas", type=int, default=0, help="how many servers to balance")
    parser.add_argument(
        "--restart.every",
        dest="restart_every",
        type=service_time.argument,
        help='restart the next replica after each such time, for example "20s"',
    )


@dataclass(eq=False)
class Replica:
    """One server; `url` is empty while it takes no requests."""

    url: str = ""
    in_flight: int = 0
    child: Child | None = None


@dataclass
class Balancer:
    """Give each request to the least busy replica; a session stays on its replica."""

    replicas: list[Replica]
    client: httpx2.AsyncClient
    _sessions: dict[bytes, Replica] = field(default_factory=dict)

    async def answer(self, request: Request) -> Reply | Stream:
        """Forward a request. If it was never sent, try another replica."""
        tried: set[Replica] = set()
        while (replica := self._choose(request, tried)) is not None:
            tried.add(replica)
            replica.in_flight += 1
            try:
                return await self._forward(request, replica)
            except httpx2.ConnectError:
                continue
            except httpx2.HTTPError as error:
                return _failed("REPLICA_FAILED", type(error).__name__, 502)
            finally:
                replica.in_flight -= 1
        return _failed("NO_REPLICA", "no replica takes requests", 503)

    def _choose(self, request: Request, tried: Iterable[Replica]) -> Replica | None:
        free = [one for one in self.replicas if one.url and one not in tried]
        own = self._sessions.get(request.headers.get(_SESSION, b""))
        return own if own in free else min(free, key=lambda one: one.in_flight, default=None)

    async def _forward(self, request: Request, replica: Replica) -> Reply | Stream:
        headers = [pair for pair in request.headers.items() if pair[0] not in _OF_ONE_HOP]
        method, url = request.method.decode(), replica.url + request.target.decode("latin-1")
        asked = self.client.build_request(method, url, headers=headers, content=request.body)
        reply = await self.client.send(asked, stream=True)
        kept = tuple(pair for pair in reply.headers.raw if pair[0].lower() not in _MADE_ANEW)
        if (session := reply.headers.get(_SESSION.decode())) is not None:
            self._sessions[session.encode()] = replica
        kind = reply.headers.get("content-type", "").encode()
        if method == "GET" and kind.startswith(b"text/event-stream"):
            return Stream(reply.aiter_raw(), reply.status_code, kind, kept)
        return Reply(await reply.aread(), reply.status_code, kind, kept)


class Keeper:
    """Start replicas; restart any that died and, on request, one after the other."""

    def __init__(self, number: int, arguments: list[str], folder: Path) -> None:
        self.replicas = [Replica() for _ in range(number)]
        self._arguments = arguments
        self._folder = folder
        self._started = itertools.count()

    async def start(self, replica: Replica) -> None:
        """Start a replica. Raises SystemFailed."""
        name = f"replica-{next(self._started)}"
        ready_file = self._folder / f"{name}.json"
        replica.child = Child(name, "business_tools", self._arguments, ready_file, None)
        replica.url = f"http://{entry.HOST}:{await asyncio.to_thread(replica.child.port)}"

    async def restart(self, replica: Replica) -> None:
        """Let a replica finish its requests, stop it, and start another."""
        replica.url = ""
        for _ in range(int(MOST_REQUEST_S / _POLL_S)):
            if not replica.in_flight:
                break
            await asyncio.sleep(_POLL_S)
        if replica.child is not None:
            await asyncio.to_thread(replica.child.stop)
        await self.start(replica)

    async def keep(self, every_s: float | None) -> None:
        """Restart replicas for ever."""
        loop, turns = asyncio.get_running_loop(), itertools.cycle(self.replicas)
        restarted_s = loop.time()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for replica in self.replicas:
                if replica.child is None or replica.child.dead():
                    await self.restart(replica)
            if every_s is not None and loop.time() - restarted_s >= every_s:
                restarted_s = loop.time()
                await self.restart(next(turns))


def serve(options: argparse.Namespace) -> None:
    """Serve until the process is stopped. The replicas get all other options."""
    own = argparse.ArgumentParser(add_help=False)
    add(own)
    own.add_argument("--port")
    own.add_argument("--ready-file")
    entry.run(_serve(options, own.parse_known_args(sys.argv[1:])[1]))


async def _serve(options: argparse.Namespace, arguments: list[str]) -> None:
    with TemporaryDirectory(prefix="mcp-perf-") as folder:
        keeper = Keeper(max(1, options.replicas), arguments, Path(folder))
        try:
            await asyncio.gather(*map(keeper.start, keeper.replicas))
        except SystemFailed as error:
            raise SystemExit(str(error)) from error
        client = httpx2.AsyncClient(timeout=MOST_REQUEST_S, limits=_LIMITS, trust_env=False)
        server = Server(Balancer(keeper.replicas, client).answer, _nothing)
        listener = entry.listen(options.port)
        ports = {"mcp": listener.getsockname()[1]}
        await server.start(listener)
        lines = entry.shown("business_tools, balanced", mcp="/mcp", rest="")
        entry.announce(ports, lines, options.ready_file)
        await keeper.keep(options.restart_every)


def _nothing(_: Request) -> Reply:
    return Reply(status=404)


def _failed(code: str, message: str, status: int) -> Reply:
    body = ToolFailure(code, message, "Ask again in a second.", status=status).body("")
    return Reply(json.dumps(body).encode(), status, headers=((b"retry-after", b"1"),))
