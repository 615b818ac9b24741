"""The operators that a query may have: MongoDB's, without those that run code."""

import difflib
from collections.abc import Iterator
from typing import Any, Final

from mcp_targets.business_tools.errors import Refused

RUN_CODE: Final = frozenset({"$where", "$function", "$accumulator"})
WRITE: Final = frozenset({"$out", "$merge"})
_MOST_DEEP: Final = 20

_FILTER: Final = frozenset(
    [
        "$eq",
        "$ne",
        "$gt",
        "$gte",
        "$lt",
        "$lte",
        "$in",
        "$nin",
        "$and",
        "$or",
        "$nor",
        "$not",
        "$exists",
        "$type",
        "$mod",
        "$regex",
        "$options",
        "$all",
        "$elemMatch",
        "$size",
        "$expr",
        "$text",
        "$search",
        "$comment",
        "$geoWithin",
        "$near",
    ]
)
_UPDATE: Final = frozenset(
    [
        "$set",
        "$unset",
        "$inc",
        "$mul",
        "$min",
        "$max",
        "$rename",
        "$push",
        "$pull",
        "$pullAll",
        "$addToSet",
        "$pop",
        "$setOnInsert",
        "$currentDate",
        "$each",
        "$position",
        "$slice",
        "$sort",
        "$bit",
    ]
)
_STAGES: Final = frozenset(
    [
        "$match",
        "$group",
        "$sort",
        "$limit",
        "$skip",
        "$project",
        "$unwind",
        "$count",
        "$addFields",
        "$set",
        "$unset",
        "$lookup",
        "$facet",
        "$bucket",
        "$sample",
        "$sortByCount",
        "$replaceRoot",
        "$replaceWith",
        "$redact",
    ]
)
_JSON: Final = frozenset(
    [
        "$oid",
        "$date",
        "$numberDecimal",
        "$numberInt",
        "$numberLong",
        "$numberDouble",
        "$binary",
        "$uuid",
        "$timestamp",
        "$regularExpression",
        "$minKey",
        "$maxKey",
        "$base64",
        "$subType",
        "$t",
        "$i",
        "$pattern",
    ]
)
"""Extended JSON's own keys."""


def check_filter(value: Any) -> None:
    """Raise Refused for a filter with an unknown operator."""
    _check(value, _FILTER)


def check_update(value: Any) -> None:
    """Raise Refused for an update without operators, or with an unknown one."""
    if not isinstance(value, dict) or not value or not all(key[:1] == "$" for key in value):
        raise Refused(
            "DATABASE_BAD_OPERATOR",
            "an update says what to change by operators",
            'Write {"$set": {"field": "value"}}.',
        )
    _check(value, _UPDATE | _FILTER)


def check_pipeline(pipeline: list[dict[str, Any]]) -> None:
    """Raise Refused for a pipeline with a stage that is unknown, writes, or runs code."""
    for stage in pipeline:
        if len(stage) != 1:
            hint = 'Write one stage each, such as {"$match": {}}.'
            raise Refused("DATABASE_BAD_OPERATOR", "a stage has one operator", hint)
        _check_name(next(iter(stage)), _STAGES)
        # Expressions have some two hundred operators; checking them is left to the server.
        for name in _operators(stage, 0):
            _check_name(name, None)


def _check(value: Any, known: frozenset[str]) -> None:
    for name in _operators(value, 0):
        _check_name(name, known)


def _check_name(name: str, known: frozenset[str] | None) -> None:
    if name in RUN_CODE or name in WRITE:
        what = "runs code in the database" if name in RUN_CODE else "writes to a collection"
        hint = "Use comparisons, or $expr." if name in RUN_CODE else "Use insert or update."
        raise Refused("DATABASE_OPERATOR_REFUSED", f"{name} {what}", hint, status=403)
    if known is None or name in known or name in _JSON:
        return
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    hint = (
        f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(sorted(known))}."
    )
    raise Refused("DATABASE_BAD_OPERATOR", f"there is no operator {name}", hint)


def _operators(value: Any, depth: int) -> Iterator[str]:
    if depth > _MOST_DEEP:
        raise Refused("DATABASE_TOO_DEEP", f"more than {_MOST_DEEP} levels", "Flatten the query.")
    if isinstance(value, dict):
        for name, inside in value.items():
            if name.startswith("$"):
                yield name
            yield from _operators(inside, depth + 1)
    elif isinstance(value, list):
        for inside in value:
            yield from _operators(inside, depth + 1)
