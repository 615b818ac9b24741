"""Answers cached by cashews, in memory or in Redis; concurrent misses share one call."""

import asyncio
import hashlib
import json
import warnings
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

from cashews import Cache

from mcp_targets.business_tools.resilience.pools import CHECK_S

T = TypeVar("T")

MEMORY: Final = "mem://?size=10000&check_interval=60"


class SingleFlight(Generic[T]):
    """Callers who want the same thing at the same time share one call."""

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Task[T]] = {}
        self.shared = 0
        """How many waited for somebody else's call."""

    async def run(self, key: str, call: Callable[[], Awaitable[T]]) -> T:
        """Return what the call returns, or raise what it raises, for everyone who waits for it.

        If a waiter is cancelled, the call goes on for the others.
        """
        flight = self._flights.get(key)
        if flight is None:

            async def fly() -> T:
                return await call()

            flight = self._flights[key] = asyncio.create_task(fly())
            flight.add_done_callback(lambda done: self._land(key, done))
        else:
            self.shared += 1
        return await asyncio.shield(flight)

    def _land(self, key: str, flight: asyncio.Task[T]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # retrieved even if everyone who waited has left


class Answers:
    """Answers by question. Values are JSON objects, kept as text: nothing is unpickled."""

    def __init__(self, url: str = "") -> None:
        """`url` is `redis://…`, or empty for this process's memory."""
        self._cache = Cache()
        watched: dict[str, Any] = {"health_check_interval": CHECK_S} if url else {}
        self._cache.setup(url or MEMORY, **watched)
        self._flights: SingleFlight[dict[str, Any]] = SingleFlight()
        self.hits = 0
        self.misses = 0

    @property
    def shared(self) -> int:
        """How many misses waited for another miss of the same key."""
        return self._flights.shared

    async def get(
        self, key: str, ttl_s: float, call: Callable[[], Awaitable[dict[str, Any]]]
    ) -> tuple[dict[str, Any], bool]:
        """Return the answer, and whether it came from the cache. Failures are not cached."""
        kept = await self._cache.get(key)
        if kept is not None:
            self.hits += 1
            found: dict[str, Any] = json.loads(kept)
            return found, True
        self.misses += 1

        async def ask() -> dict[str, Any]:
            answer = await call()
            await self._cache.set(key, json.dumps(answer), expire=ttl_s)
            return answer

        return await self._flights.run(key, ask), False

    async def clear(self) -> None:
        await self._cache.clear()

    async def ping(self) -> bool:
        """Return whether the cache answers."""
        try:
            return bool(await self._cache.ping())
        except Exception:  # noqa: BLE001 -- any error means that it does not answer
            return False

    async def close(self) -> None:
        with warnings.catch_warnings():
            # cashews closes its Redis by a deprecated name.
            warnings.simplefilter("ignore", DeprecationWarning)
            await self._cache.close()


def key(provider: str, operation: str, arguments: dict[str, Any], tenant: str = "") -> str:
    """Return the key of a question: the same for the same tenant, different for any other."""
    text = json.dumps([tenant, provider, operation, arguments], sort_keys=True, default=str)
    return "answer:" + hashlib.sha256(text.encode()).hexdigest()
