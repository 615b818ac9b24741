"""Connections to providers: kept and checked or, with the pool off, one for each request."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import httpx2
from pydantic import BaseModel

MOST: Final = 100
KEPT_S: Final = 60.0
CHECK_S: Final = 30
"""How often idle connections are checked."""
TIMEOUT_S: Final = 10.0


class PoolStatistics(BaseModel):
    """The counts of a pool: of a provider, the database or Redis."""

    requests: int = 0
    failed: int = 0
    """Requests without a reply."""
    in_use: int = 0
    most_in_use: int = 0
    closed: int = 0
    """How often its connections were closed by a check."""
    healthy: bool = True
    """Whether the last request was answered."""
    used_at_s: float = 0.0

    @contextmanager
    def used(self, failures: type[Exception]) -> Iterator[None]:
        """Count a request; `failures` are the errors that mean that no reply came."""
        self.requests += 1
        self.in_use += 1
        self.most_in_use = max(self.most_in_use, self.in_use)
        try:
            yield
        except failures:
            self.failed += 1
            self.healthy = False
            raise
        else:
            self.healthy = True
        finally:
            self.in_use -= 1
            self.used_at_s = time.monotonic()


class Pools:
    """A client per provider. Its connections are opened when needed and closed when idle."""

    def __init__(self, *, kept: bool, **more: Any) -> None:
        """`more` goes to httpx2's clients; tests give a `transport`."""
        self._kept = kept
        self._more = {"timeout": TIMEOUT_S, "trust_env": False, "follow_redirects": False, **more}
        self._clients: dict[str, httpx2.AsyncClient] = {}
        self.statistics: dict[str, PoolStatistics] = {}

    async def send(self, provider: str, method: str, url: str, **parts: Any) -> httpx2.Response:
        """Send a request to a provider. Raises httpx2.HTTPError."""
        counted = self.statistics.setdefault(provider, PoolStatistics())
        with counted.used(httpx2.HTTPError):
            async with self._client(provider) as client:
                return await client.request(method, url, **parts)

    async def check(self) -> None:
        """Close connections that were idle for a minute, or whose last request failed.

        The provider may have closed them already; the next request opens a new one.
        """
        now = time.monotonic()
        for provider, seen in self.statistics.items():
            stale = not seen.healthy or now >= seen.used_at_s + KEPT_S
            if stale and not seen.in_use and provider in self._clients:
                seen.closed += 1
                await self._clients.pop(provider).aclose()

    @asynccontextmanager
    async def _client(self, provider: str) -> AsyncIterator[httpx2.AsyncClient]:
        if not self._kept:
            async with httpx2.AsyncClient(**self._more) as client:
                yield client
            return
        if provider not in self._clients:
            limits = httpx2.Limits(
                max_connections=MOST, max_keepalive_connections=MOST, keepalive_expiry=KEPT_S
            )
            self._clients[provider] = httpx2.AsyncClient(limits=limits, **self._more)
        yield self._clients[provider]

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()
