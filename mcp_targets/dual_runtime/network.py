"""The upstreams: a client for each on every loop, and independent requests in turn or at once.

With httpx2, which the SDK builds on, too: httpx looks through its whole pool for every connection
in it, which at 60 connections takes six times the processor time of the request itself.
"""

import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final, Literal, TypeVar

import anyio
import httpx2

from mcp_targets.dual_runtime.errors import Transient
from mcp_targets.dual_runtime.tooling.crossing import current_loop

TIMEOUT_S: Final = 10.0
_KEPT: Final = 512
_TLS: Final = ssl.create_default_context()
"""Shared by all clients: making one takes tens of milliseconds, which is no part of any arm."""

T = TypeVar("T")
Fanout = Literal["seq", "par"]


class Network:
    """Ask upstreams by name, through the clients of the loop that the call runs on."""

    def __init__(
        self, addresses: Mapping[str, str], *, pool: Literal["off", "on"], fanout: Fanout
    ) -> None:
        self._addresses = addresses
        # Off means that every request opens a connection and closes it.
        kept = _KEPT if pool == "on" else 0
        self._limits = httpx2.Limits(max_keepalive_connections=kept, keepalive_expiry=60)
        self._sessions: dict[object, _Session] = {}
        self._lock = threading.Lock()
        self._in_flight = 0
        self.max_in_parallel = 0
        """The most requests to all upstreams that were under way at once."""
        self.fanout: Fanout = fanout

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """Give the current loop clients; they and their connections end with this."""
        loop = current_loop()
        async with AsyncExitStack() as stack:
            self._sessions[loop] = _Session(stack, self._limits)
            try:
                yield
            finally:
                del self._sessions[loop]

    async def ask(self, upstream: str, path: str, **query: str) -> Any:
        """Return the JSON that an upstream answers to a GET. Raises Transient."""
        return await self._json(upstream, "GET", path, params=query or None)

    async def tell(self, upstream: str, path: str, body: dict[str, Any]) -> Any:
        """Return the JSON that an upstream answers to a POST. Raises Transient."""
        return await self._json(upstream, "POST", path, json=body)

    async def gather(self, questions: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Return the answers to independent questions, in their order."""
        return await gather(questions, self.fanout)

    async def _json(self, upstream: str, method: str, path: str, **request: Any) -> Any:
        client = self._sessions[current_loop()].client(upstream)
        try:
            with self._counted():
                reply = await client.request(method, self._addresses[upstream] + path, **request)
            answer = reply.json()
        except (httpx2.HTTPError, ValueError) as error:
            message = f"{upstream} gave no answer: {type(error).__name__}: {error}"
            raise Transient("UPSTREAM_FAILED", message, upstream=upstream) from error
        if reply.is_error:
            message = f"{upstream} answered {reply.status_code}"
            raise Transient("UPSTREAM_FAILED", message, upstream=upstream, answer=answer)
        return answer

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._in_flight += 1
            self.max_in_parallel = max(self.max_in_parallel, self._in_flight)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1


class _Session:
    """The clients of one loop, made when they are first needed."""

    def __init__(self, stack: AsyncExitStack, limits: httpx2.Limits) -> None:
        self._stack = stack
        self._limits = limits
        self._clients: dict[str, httpx2.AsyncClient] = {}

    def client(self, upstream: str) -> httpx2.AsyncClient:
        """Return the client for an upstream."""
        if upstream not in self._clients:
            # No proxies from the environment: the upstreams are on this machine.
            client = httpx2.AsyncClient(
                limits=self._limits, timeout=TIMEOUT_S, trust_env=False, verify=_TLS
            )
            self._clients[upstream] = client
            self._stack.push_async_callback(client.aclose)
        return self._clients[upstream]


async def gather(questions: Sequence[Callable[[], Awaitable[T]]], fanout: Fanout) -> list[T]:
    """Return the answers in their order. The first failure ends the others, and is raised."""
    if fanout == "seq":
        return [await question() for question in questions]
    answers: dict[int, T] = {}

    async def put(place: int) -> None:
        answers[place] = await questions[place]()

    try:
        async with anyio.create_task_group() as group:
            for place in range(len(questions)):
                group.start_soon(put, place)
    except BaseExceptionGroup as failures:
        raise first(failures) from None
    return [answers[place] for place in range(len(questions))]


def first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error in a group of groups."""
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
