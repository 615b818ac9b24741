"""The operations of `database_query`: checked, then run on MongoDB by pymongo."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pymongo.asynchronous.collection import AsyncCollection

from mcp_targets.business_tools.database.documents import to_bson, to_json
from mcp_targets.business_tools.database.operators import (
    check_filter,
    check_pipeline,
    check_update,
)
from mcp_targets.business_tools.errors import Refused

Document = dict[str, Any]
Collection = AsyncCollection[Document]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][\w-]{0,62}$")]

MOST: Final = 1000
"""Documents in one answer, or in one insertion."""
TIMEOUT_MS: Final = 5000
SYSTEM: Final = frozenset({"admin", "config", "local"})
WRITES: Final = frozenset({"insert", "update", "delete"})


class Options(BaseModel):
    """Which part of the found documents is returned, and in which order."""

    model_config = ConfigDict(extra="forbid")

    sort: dict[str, Literal[1, -1]] = Field(default={}, description="Fields, each 1 or -1.")
    projection: dict[str, Literal[0, 1]] = Field(default={}, description="Fields, each 1 or 0.")
    skip: int = Field(default=0, ge=0)
    limit: int = Field(default=100, ge=1, le=MOST)


class DatabaseQuery(BaseModel):
    """Ask or change a MongoDB. Values are Extended JSON, such as {"$oid": "…"}."""

    model_config = ConfigDict(extra="forbid")

    operation: Literal["find", "insert", "update", "delete", "aggregate", "count", "distinct"]
    database: Name = "business"
    collection: Name
    filter: Document = Field(default={}, description="Which documents.")
    document: Document | None = Field(default=None, description="One to insert.")
    documents: list[Document] = Field(default=[], max_length=MOST, description="Several to insert.")
    update: Document | None = Field(default=None, description="Operators such as $set.")
    pipeline: list[Document] = Field(default=[], max_length=50)
    key: str = Field(default="", description="The field whose values are wanted.")
    many: bool = Field(default=False, description="Change all that match, not only the first.")
    upsert: bool = False
    options: Options = Options()

    def check(self, *, read_only: bool) -> None:
        """Raise Refused for a query that can never be run."""
        if self.database in SYSTEM:
            hint = "Use another database."
            message = f"{self.database} is the database's own"
            raise Refused("DATABASE_SYSTEM", message, hint, status=403)
        if read_only and self.operation in WRITES:
            raise Refused("DATABASE_READ_ONLY", "the database may only be read", status=403)
        missing = {
            "insert": ("document or documents", self.document is None and not self.documents),
            "update": ("update", self.update is None),
            "delete": ("filter: write {} with many to delete all", self._deletes_all()),
            "aggregate": ("pipeline", not self.pipeline),
            "distinct": ("key", not self.key or self.key.startswith("$")),
        }
        needed, lacking = missing.get(self.operation, ("", False))
        if lacking:
            message = f"{self.operation} needs {needed}"
            raise Refused("DATABASE_INCOMPLETE", message, "See the tool's schema.")
        check_filter(self.filter)
        check_pipeline(self.pipeline)
        if self.update is not None:
            check_update(self.update)

    def _deletes_all(self) -> bool:
        return not self.filter and not self.many


async def run(collection: Collection, query: DatabaseQuery) -> Document:
    """Perform a checked query; return its result as JSON. Raises pymongo's errors."""
    wanted = to_bson(query.filter)
    match query.operation:
        case "find":
            return await _find(collection, wanted, query.options)
        case "insert":
            documents = [query.document, *query.documents] if query.document else query.documents
            inserted = await collection.insert_many(to_bson(documents))
            return {"inserted_ids": to_json(inserted.inserted_ids)}
        case "update":
            change = collection.update_many if query.many else collection.update_one
            done = await change(wanted, to_bson(query.update), upsert=query.upsert)
            return {
                "matched": done.matched_count,
                "modified": done.modified_count,
                "upserted_id": to_json(done.upserted_id),
            }
        case "delete":
            remove = collection.delete_many if query.many else collection.delete_one
            return {"deleted": (await remove(wanted)).deleted_count}
        case "aggregate":
            pipeline = [*to_bson(query.pipeline), {"$limit": query.options.limit}]
            cursor = await collection.aggregate(pipeline, maxTimeMS=TIMEOUT_MS)
            return {"documents": to_json(await cursor.to_list())}
        case "count":
            return {"count": await collection.count_documents(wanted, maxTimeMS=TIMEOUT_MS)}
        case "distinct":
            values = to_json(await collection.distinct(query.key, wanted))
            return {"values": values[:MOST], "more": len(values) > MOST}


async def _find(collection: Collection, wanted: Document, options: Options) -> Document:
    # One more than is returned, to know whether there are more.
    cursor = collection.find(
        wanted,
        options.projection or None,
        skip=options.skip,
        limit=options.limit + 1,
        sort=list(options.sort.items()) or None,
        max_time_ms=TIMEOUT_MS,
    )
    found = to_json(await cursor.to_list(options.limit + 1))
    return {"documents": found[: options.limit], "more": len(found) > options.limit}
