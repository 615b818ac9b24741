"""Rate limits by the package `limits`: an exact number in any window, per provider and client."""

import time
from collections.abc import Iterable
from typing import Any, cast

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from pydantic import BaseModel, Field
from redis.asyncio import ConnectionPool

from mcp_targets.business_tools.errors import Limited
from mcp_targets.business_tools.resilience.pools import CHECK_S, PoolStatistics


class RateLimit(BaseModel, frozen=True, extra="forbid"):
    """At most `requests` in any `per_s` seconds."""

    requests: int = Field(ge=1)
    per_s: int = Field(ge=1)


class RateLimiter:
    """Admit or refuse, by name. `url` is where counts are kept; empty means in this process.

    Servers that share a Redis share their counts.
    """

    def __init__(self, code: str, url: str = "") -> None:
        self._code = code
        self._pool = ConnectionPool.from_url(url, health_check_interval=CHECK_S) if url else None
        self._windows = MovingWindowRateLimiter(_storage(url, self._pool))
        self.pool = PoolStatistics()
        self.refused = 0
        self.unknown = 0
        """How often the storage did not answer."""

    async def admit(self, name: str, limits: Iterable[RateLimit]) -> None:
        """Count a request under a name. Raises Limited, which says when there is room again.

        If the counts are unavailable, every request is admitted: calls go on without Redis.
        """
        try:
            with self.pool.used(StorageError):
                await self._admit(name, limits)
        except StorageError:
            self.unknown += 1

    async def _admit(self, name: str, limits: Iterable[RateLimit]) -> None:
        for limit in limits:
            window = RateLimitItemPerSecond(limit.requests, limit.per_s)
            if await self._windows.hit(window, self._code, name):
                continue
            self.refused += 1
            stats = await self._windows.get_window_stats(window, self._code, name)
            wait_s = max(0.0, stats.reset_time - time.time())
            rule = f"{limit.requests} in {limit.per_s} s"
            raise Limited(self._code, f"{name} has had its {rule}", wait_s, limit=rule)

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.aclose()


def _storage(url: str, pool: ConnectionPool | None) -> Storage:
    if pool is None:
        return MemoryStorage()
    return RedisStorage(
        f"async+{url}",
        connection_pool=cast("Any", pool),
        implementation="redispy",
        wrap_exceptions=True,
    )
