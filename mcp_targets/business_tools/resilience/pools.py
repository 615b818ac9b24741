"""Connections to providers, kept and watched; or, with the pool off, one for each request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
from pydantic import BaseModel

MOST: Final = 100
KEPT_S: Final = 60.0
TIMEOUT_S: Final = 10.0


class PoolStatistics(BaseModel):
    """What a provider's pool has done."""

    requests: int = 0
    failed: int = 0
    """Requests that no reply came to."""
    in_use: int = 0
    most_in_use: int = 0

    @property
    def healthy(self) -> bool:
        """Tell whether the last request was answered."""
        return not self.failed_last

    failed_last: bool = False


class Pools:
    """A client per provider. Its connections are opened when needed and closed when idle."""

    def __init__(self, *, kept: bool, timeout_s: float = TIMEOUT_S, **more: Any) -> None:
        """`more` goes to httpx2's clients; tests give a `transport`."""
        self._kept = kept
        self._more = {"timeout": timeout_s, "trust_env": False, "follow_redirects": False, **more}
        self._clients: dict[str, httpx2.AsyncClient] = {}
        self._statistics: dict[str, PoolStatistics] = {}

    def statistics(self) -> dict[str, PoolStatistics]:
        return self._statistics

    async def send(self, provider: str, method: str, url: str, **parts: Any) -> httpx2.Response:
        """Send a request to a provider. Raises httpx2.HTTPError."""
        counted = self._statistics.setdefault(provider, PoolStatistics())
        counted.requests += 1
        counted.in_use += 1
        counted.most_in_use = max(counted.most_in_use, counted.in_use)
        try:
            async with self._client(provider) as client:
                reply = await client.request(method, url, **parts)
        except httpx2.HTTPError:
            counted.failed += 1
            counted.failed_last = True
            raise
        finally:
            counted.in_use -= 1
        counted.failed_last = False
        return reply

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
