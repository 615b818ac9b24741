"""The upstreams: a client for each on every loop; independent requests run in turn or at once.

Uses httpcore2, the transport below httpx2, which the SDK builds on. The layers of httpx2
(redirects, cookies, authentication, events) would take another seventh of the server's CPU time.
"""

import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlencode

import anyio
import httpcore2

from mcp_targets.dual_runtime.errors import Transient
from mcp_targets.dual_runtime.tooling.crossing import current_loop

TIMEOUT_S: Final = 10.0
_KEPT: Final = 512
_KEPT_S: Final = 60.0
_LIMITS: Final = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)}
_FAILURES: Final = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
)

T = TypeVar("T")
Fanout = Literal["seq", "par"]


class Network:
    """Send requests to upstreams by name, through the clients of the loop that the call runs on."""

    def __init__(
        self, addresses: Mapping[str, str], *, pool: Literal["off", "on"], fanout: Fanout
    ) -> None:
        self._addresses = addresses
        # Off means that every request opens a connection and closes it.
        self._kept = _KEPT if pool == "on" else 0
        self._sessions: dict[object, _Session] = {}
        self._lock = threading.Lock()
        self._in_flight = 0
        self.max_in_parallel = 0
        """The most requests to all upstreams that were in progress at once."""
        self.fanout: Fanout = fanout

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """Give the current loop clients; close them and their connections at the end."""
        loop = current_loop()
        async with AsyncExitStack() as stack:
            self._sessions[loop] = _Session(stack, self._kept)
            try:
                yield
            finally:
                del self._sessions[loop]

    async def ask(self, upstream: str, path: str, **query: str) -> Any:
        """Return the JSON that an upstream answers to a GET. Raises Transient."""
        url = self._addresses[upstream] + path + (f"?{urlencode(query)}" if query else "")
        pool = self._sessions[current_loop()].pool(upstream)
        try:
            with self._counted():
                reply = await pool.request("GET", url, extensions=_LIMITS)
            answer = json.loads(reply.content)
        except (*_FAILURES, ValueError) as error:
            message = f"{upstream} did not answer: {type(error).__name__}: {error}"
            raise Transient("UPSTREAM_FAILED", message, upstream=upstream) from error
        if reply.status >= 400:
            message = f"{upstream} answered {reply.status}"
            raise Transient("UPSTREAM_FAILED", message, upstream=upstream, answer=answer)
        return answer

    async def gather(self, questions: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Return the answers to independent questions, in their order."""
        return await gather(questions, self.fanout)

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
    """The connections of one loop: a pool for each upstream, made when first needed."""

    def __init__(self, stack: AsyncExitStack, kept: int) -> None:
        self._stack = stack
        self._kept = kept
        self._pools: dict[str, httpcore2.AsyncConnectionPool] = {}

    def pool(self, upstream: str) -> httpcore2.AsyncConnectionPool:
        if upstream not in self._pools:
            pool = self._pools[upstream] = httpcore2.AsyncConnectionPool(
                max_connections=None,
                max_keepalive_connections=self._kept,
                keepalive_expiry=_KEPT_S,
            )
            self._stack.push_async_callback(pool.aclose)
        return self._pools[upstream]


async def gather(questions: Sequence[Callable[[], Awaitable[T]]], fanout: Fanout) -> list[T]:
    """Return the answers in order. The first failure cancels the others and is raised."""
    if fanout == "seq":
        return [await question() for question in questions]
    answers: dict[int, T] = {}

    async def put(index: int) -> None:
        answers[index] = await questions[index]()

    try:
        async with anyio.create_task_group() as group:
            for index in range(len(questions)):
                group.start_soon(put, index)
    except BaseExceptionGroup as failures:
        raise first(failures) from None
    return [answers[index] for index in range(len(questions))]


def first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error in a group of groups."""
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
