"""A MongoDB by its URI: one pool of connections or, with the pool off, a client per query."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from bson.errors import BSONError
from pymongo import AsyncMongoClient
from pymongo.errors import BulkWriteError, ConnectionFailure, PyMongoError

from mcp_targets.business_tools.database.queries import DatabaseQuery, run
from mcp_targets.business_tools.errors import Refused, Unavailable
from mcp_targets.business_tools.resilience.pools import CHECK_S, KEPT_S, MOST, PoolStatistics

MOST_BYTES: Final = 1_000_000
"""Of an answer's JSON."""
_SELECTION_MS: Final = 2000
_HINT: Final = "See MongoDB's manual for the operator."


class Database:
    """Answer queries. No message contains the URI, which may hold a password."""

    def __init__(self, uri: str, *, kept: bool = True, read_only: bool = False) -> None:
        self._uri = uri
        self._kept = kept
        self._read_only = read_only
        self._client: AsyncMongoClient[dict[str, Any]] | None = None
        self.pool = PoolStatistics()

    async def query(self, query: DatabaseQuery) -> dict[str, Any]:
        """Return a query's result. Raises ToolFailure."""
        query.check(read_only=self._read_only)
        try:
            with self.pool.used(ConnectionFailure):
                async with self._connected() as client:
                    result = await run(client[query.database][query.collection], query)
        except ConnectionFailure as error:
            raise Unavailable(
                "DATABASE_UNAVAILABLE", "the database does not answer", sent=True
            ) from error
        except (BSONError, OverflowError) as error:
            # The error's message repeats the document.
            message = f"a value or a name cannot be stored: {type(error).__name__}"
            hint = "Integers must fit in 8 bytes, and names must not contain NUL."
            raise Refused("DATABASE_BAD_VALUE", message, hint) from error
        except PyMongoError as error:
            said = _said(error)
            if "duplicate key" in said.lower() or "unique" in said.lower():
                message = "there is one with this key"
                raise Refused("DATABASE_DUPLICATE", message, status=409) from error
            raise Refused("DATABASE_REFUSED", said, _HINT) from error
        if len(json.dumps(result)) > MOST_BYTES:
            hint = "Use options.limit or options.projection to ask for less."
            raise Refused("DATABASE_ANSWER_TOO_LARGE", "the answer is over 1 MB", hint, status=413)
        return result

    async def ping(self) -> bool:
        """Return whether the database answers."""
        try:
            async with self._connected() as client:
                await client.admin.command("ping")
        except PyMongoError:
            return False
        return True

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:
        if not self._kept:
            async with self._new() as client:
                yield client
            return
        self._client = self._client or self._new()
        yield self._client

    def _new(self) -> AsyncMongoClient[dict[str, Any]]:
        return AsyncMongoClient(
            self._uri,
            serverSelectionTimeoutMS=_SELECTION_MS,
            tz_aware=True,
            maxPoolSize=MOST,
            maxIdleTimeMS=int(KEPT_S * 1000),
            heartbeatFrequencyMS=CHECK_S * 1000,
        )


def _said(error: Exception) -> str:
    """Return what the database says, without the documents that it repeats."""
    if isinstance(error, BulkWriteError) and error.details:
        written = error.details.get("writeErrors") or [{}]
        return str(written[0].get("errmsg", "the insertion failed"))[:300]
    return str(error).partition(", full error")[0][:300]
