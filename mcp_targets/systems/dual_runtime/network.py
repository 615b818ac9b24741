"""The upstreams: one client per event loop, and independent requests in turn or at once.

With httpx2, which the SDK builds on, too: httpx looks through its whole pool for every connection
in it, which at 60 connections takes six times the processor time of the request itself.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, TypeVar

import anyio
import httpx2

from mcp_targets.systems.dual_runtime.errors import Transient
from mcp_targets.systems.dual_runtime.tooling.crossing import current_loop

TIMEOUT_S: Final = 10.0
_KEPT: Final = 512
_TLS: Final = ssl.create_default_context()
"""Shared by all clients: making one takes tens of milliseconds, which is no part of any arm."""

T = TypeVar("T")
Fanout = Literal["seq", "par"]


class Network:
    """Ask upstreams by name, through the client of the loop that the call runs on."""

    def __init__(
        self, addresses: Mapping[str, str], *, pool: Literal["off", "on"], fanout: Fanout
    ) -> None:
        self._addresses = addresses
        # Off means that every request opens a connection and closes it.
        kept = _KEPT if pool == "on" else 0
        self._limits = httpx2.Limits(max_keepalive_connections=kept, keepalive_expiry=60)
        self._clients: dict[object, httpx2.AsyncClient] = {}
        self.fanout: Fanout = fanout

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """Give the current loop a client; it and its connections end with this."""
        loop = current_loop()
        async with self._new_client() as client:
            self._clients[loop] = client
            try:
                yield
            finally:
                del self._clients[loop]

    async def ask(self, upstream: str, path: str, **query: str) -> Any:
        """Return the JSON that an upstream answers to a GET. Raises Transient."""
        return await self._json(upstream, "GET", path, params=query)

    async def tell(self, upstream: str, path: str, body: dict[str, Any]) -> Any:
        """Return the JSON that an upstream answers to a POST. Raises Transient."""
        return await self._json(upstream, "POST", path, json=body)

    async def gather(self, questions: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Return the answers to independent questions, in their order."""
        return await gather(questions, self.fanout)

    async def _json(self, upstream: str, method: str, path: str, **request: Any) -> Any:
        client = self._clients[current_loop()]
        try:
            reply = await client.request(method, self._addresses[upstream] + path, **request)
            answer = reply.json()
        except (httpx2.HTTPError, ValueError) as error:
            message = f"{upstream} gave no answer: {type(error).__name__}: {error}"
            raise Transient("UPSTREAM_FAILED", message, upstream=upstream) from error
        if reply.is_error:
            message = f"{upstream} answered {reply.status_code}"
            raise Transient("UPSTREAM_FAILED", message, upstream=upstream, answer=answer)
        return answer

    def _new_client(self) -> httpx2.AsyncClient:
        # No proxies from the environment: the upstreams are on this machine.
        return httpx2.AsyncClient(
            limits=self._limits, timeout=TIMEOUT_S, trust_env=False, verify=_TLS
        )


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
