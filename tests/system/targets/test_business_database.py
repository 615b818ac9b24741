"""`database_query`: all operations on the embedded database, and refused queries."""

import asyncio

import pytest
from pydantic import ValidationError

from mcp_targets.business_tools.database import connection
from mcp_targets.business_tools.database.connection import Database
from mcp_targets.business_tools.database.documents import to_bson, to_json
from mcp_targets.business_tools.database.queries import DatabaseQuery
from mcp_targets.business_tools.errors import ToolFailure
from mcp_targets.serving.processes import Child


def refused(**fields):
    """Return the refusal of a query."""
    query = DatabaseQuery.model_validate({"collection": "orders", **fields})
    with pytest.raises(ToolFailure) as failure:
        query.check(read_only=fields.pop("read_only", False))
    return failure.value


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": "find", "filter": {"$where": "sleep(9999) || true"}},
        {"operation": "count", "filter": {"$or": [{"a": 1}, {"$where": "1"}]}},
        {"operation": "find", "filter": {"$expr": {"$function": {"body": "x", "args": []}}}},
        {"operation": "aggregate", "pipeline": [{"$group": {"_id": 1, "x": {"$accumulator": {}}}}]},
        {"operation": "aggregate", "pipeline": [{"$facet": {"a": [{"$out": "users"}]}}]},
        {"operation": "aggregate", "pipeline": [{"$merge": {"into": "users"}}]},
        {"operation": "update", "filter": {"a": {"$where": "1"}}, "update": {"$set": {"a": 1}}},
    ],
)
def test_what_runs_code_or_writes_elsewhere_is_refused(fields):
    """At any depth."""
    assert refused(**fields).code == "DATABASE_OPERATOR_REFUSED"


@pytest.mark.parametrize(
    ("fields", "code", "hint"),
    [
        ({"operation": "find", "filter": {"a": {"$gtt": 1}}}, "BAD_OPERATOR", "$gt"),
        ({"operation": "find", "filter": {"a": {"$zzzzzz": 1}}}, "BAD_OPERATOR", "There are"),
        ({"operation": "aggregate", "pipeline": [{"$macth": {}}]}, "BAD_OPERATOR", "$match"),
        ({"operation": "aggregate", "pipeline": [{}]}, "BAD_OPERATOR", "$match"),
        ({"operation": "update", "update": {"a": 1}}, "BAD_OPERATOR", "$set"),
        ({"operation": "update"}, "INCOMPLETE", "schema"),
        ({"operation": "insert"}, "INCOMPLETE", "schema"),
        ({"operation": "delete"}, "INCOMPLETE", "schema"),
        ({"operation": "distinct"}, "INCOMPLETE", "schema"),
        ({"operation": "aggregate"}, "INCOMPLETE", "schema"),
    ],
)
def test_a_mistake_is_named_with_a_hint(fields, code, hint):
    """The message says what is wrong and what to write instead."""
    failure = refused(**fields)
    assert failure.code == f"DATABASE_{code}"
    assert hint in failure.hint


def test_a_query_that_is_too_deep_is_refused():
    """Before it takes any time."""
    deep = {"a": 1}
    for _ in range(30):
        deep = {"$and": [deep]}
    assert refused(operation="find", filter=deep).code == "DATABASE_TOO_DEEP"


@pytest.mark.parametrize("name", ["admin", "config", "local"])
def test_the_databases_own_are_refused(name):
    """They hold users and roles."""
    assert refused(operation="find", database=name).code == "DATABASE_SYSTEM"


@pytest.mark.parametrize("name", ["", "a.b", "$cmd", "../x", "a" * 70, "sys tem"])
def test_names_are_plain(name):
    """A collection's name cannot leave its database."""
    with pytest.raises(ValidationError):
        DatabaseQuery(operation="find", collection=name)


def test_read_only_refuses_what_writes():
    """Other operations are answered."""
    query = DatabaseQuery(operation="insert", collection="orders", document={"a": 1})
    with pytest.raises(ToolFailure, match="only be read"):
        query.check(read_only=True)
    DatabaseQuery(operation="find", collection="orders").check(read_only=True)


def test_values_are_the_same_after_a_way_through_json():
    """Identifiers, times and decimals are."""
    written = {
        "_id": {"$oid": "65a1b2c3d4e5f60718293a4b"},
        "at": {"$date": "2026-01-31T12:00:00Z"},
        "price": {"$numberDecimal": "1.50"},
        "n": [1, 2.5, None, True],
    }
    assert to_json(to_bson(written)) == written
    with pytest.raises(ToolFailure, match="cannot be read"):
        to_bson({"_id": {"$oid": "nonsense"}})


@pytest.fixture(scope="module")
def uri(tmp_path_factory, _processes):
    """Start the embedded database."""
    folder = tmp_path_factory.mktemp("database")
    child = Child("db", "business_tools.database", (), folder / "ready.json", folder / "log")
    yield f"mongodb://127.0.0.1:{child.port()}"
    child.stop()


async def ask(database, operation, **fields):
    """Run a query on the orders."""
    fields = {"collection": "orders", "operation": operation, **fields}
    return await database.query(DatabaseQuery.model_validate(fields))


@pytest.mark.process
def test_all_operations_work(uri):
    """For one document and many; sorted, projected, skipped and limited."""

    async def main():
        database = Database(uri)
        orders = [{"_id": number, "group": number % 2, "size": number} for number in range(10)]
        assert await database.ping()
        assert await ask(database, "insert", documents=orders) == {"inserted_ids": [*range(10)]}
        options = {"sort": {"_id": -1}, "projection": {"_id": 1}, "skip": 1, "limit": 2}
        found = await ask(database, "find", filter={"_id": {"$lt": 9}}, options=options)
        assert found == {"documents": [{"_id": 7}, {"_id": 6}], "more": True}
        change = {"$set": {"paid": True}}
        one = await ask(database, "update", filter={"group": 1}, update=change)
        many = await ask(database, "update", filter={"group": 1}, update=change, many=True)
        assert (one["matched"], many["matched"]) == (1, 5)
        new = await ask(database, "update", filter={"_id": 77}, update=change, upsert=True)
        assert new["matched"] == 0
        assert await ask(database, "count", filter={"paid": True}) == {"count": 6}
        groups = [{"$match": {"size": {"$lt": 9}}}, {"$group": {"_id": "$group", "n": {"$sum": 1}}}]
        counted = await ask(database, "aggregate", pipeline=groups)
        assert sorted(counted["documents"], key=str) == [{"_id": 0, "n": 5}, {"_id": 1, "n": 4}]
        values = await ask(database, "distinct", key="group")
        assert values == {"values": [0, 1], "more": False}
        assert await ask(database, "delete", filter={"group": 0}) == {"deleted": 1}
        assert await ask(database, "delete", filter={}, many=True) == {"deleted": 10}
        await database.close()

    asyncio.run(main())


@pytest.mark.process
def test_identifiers_times_and_decimals_are_kept(uri):
    """Even without a pool."""

    async def main():
        database = Database(uri, kept=False)
        order = {
            "_id": {"$oid": "65a1b2c3d4e5f60718293a4b"},
            "at": {"$date": "2026-01-31T12:00:00Z"},
            "price": {"$numberDecimal": "1.50"},
            "prices": [{"$numberDecimal": "12345678901234567890.123456789"}],
        }
        await ask(database, "insert", collection="kept", document=order)
        found = await ask(database, "find", collection="kept", filter={"_id": order["_id"]})
        assert found == {"documents": [order], "more": False}
        with pytest.raises(ToolFailure) as twice:
            await ask(database, "insert", collection="kept", document=order)
        assert twice.value.code in ("DATABASE_DUPLICATE", "DATABASE_REFUSED")
        dearer = {"$set": {"price": {"$numberDecimal": "1.60"}}}
        await ask(database, "update", collection="kept", update=dearer)
        found = await ask(database, "find", collection="kept")
        assert found["documents"][0]["price"] == {"$numberDecimal": "1.60"}
        for document in ({"n": 2**70}, {"a\x00b": 1}):
            with pytest.raises(ToolFailure) as bad:
                await ask(database, "insert", collection="kept", document=document)
            assert bad.value.code == "DATABASE_BAD_VALUE"

    asyncio.run(main())


def test_a_database_that_is_gone_is_told_without_its_uri(monkeypatch):
    """The URI may contain a password."""
    monkeypatch.setattr(connection, "_SELECTION_MS", 50)

    async def main():
        # Refused at once: pymongo does not close a connection that it cancels while connecting.
        database = Database("mongodb://user:canary@%2Fnone%2Fmongodb-27017.sock")
        with pytest.raises(ToolFailure) as gone:
            await ask(database, "find")
        assert gone.value.code == "DATABASE_UNAVAILABLE"
        assert "canary" not in str(gone.value.body("r"))
        assert not await database.ping()
        await database.close()

    asyncio.run(main())
