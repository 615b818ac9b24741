"""How much work a schema makes is counted before it can keep a validator busy for ever."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.load.replies.schema_work import DEEPEST, MOST_PARTS, deepest

TREE: dict[str, Any] = {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}


def chain(levels: int, times: int, keyword: str = "allOf", ref: str = "$ref") -> dict[str, Any]:
    """Return definitions that each contain the next one several times."""
    parts = {
        f"p{level}": {keyword: [{ref: f"#/$defs/p{level + 1}"}] * times} for level in range(levels)
    }
    return {"$ref": "#/$defs/p0", "$defs": {**parts, f"p{levels}": {"type": "object"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"items": [{"type": "string"}, True], "additionalItems": {"items": {"type": "number"}}},
        {"prefixItems": [{"type": "string"}], "dependencies": {"a": ["b"], "b": {"minLength": 1}}},
        {"$ref": "https://json-schema.org/draft/2020-12/schema"},
        {"$ref": "#/nothing/0/here", "allOf": [{"$ref": "#/allOf/7"}]},
        {"$id": "http://h/s", "$ref": "http://h/s#/$defs/a%20b~1", "$defs": {"a b/": {"not": {}}}},
        {"$defs": {"x": {"$anchor": "here", "if": {}}}, "anyOf": [{"$ref": "#here"}]},
        {"examples": [{"$id": "not of a schema"}]},
        chain(3, 8),
    ],
)
def test_usual_schemas_of_servers_are_no_work(schema):
    """A value may be nested to any depth."""
    assert deepest(schema) is None


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
@pytest.mark.parametrize("ref", ["$ref", "$dynamicRef"])
def test_twelve_levels_of_eight_references_are_refused_at_once(keyword, ref):
    """They stand for 8^12 schemas, and a validator would apply each to the value."""
    begun_s = time.process_time()
    with pytest.raises(ValueError, match="too large to expand"):
        deepest(chain(12, 8, keyword, ref))
    assert time.process_time() - begun_s < 1


def test_a_schema_of_too_many_parts_is_refused():
    """It is refused before anything is made of it."""
    with pytest.raises(ValueError, match="too large to expand"):
        deepest({"enum": [[]] * MOST_PARTS})


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"$ref": "#"}]},
        {"$ref": "#"},
        {"anyOf": [{"$recursiveRef": "#"}]},
        {"not": {"$ref": "#/$defs/a"}, "$defs": {"a": {"if": {"$ref": "#/not"}}}},
    ],
)
def test_a_schema_that_is_its_own_condition_is_refused(schema):
    """A validator would never finish with it."""
    with pytest.raises(ValueError, match="it refers to itself endlessly"):
        deepest(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {"a": {"$id": "x", "allOf": [{"$ref": "#/b"}]}}},
        {
            "$schema": "http://json-schema.org/draft-04/schema#",
            "items": {"id": "x", "not": {"$ref": "y"}},
        },
    ],
)
def test_references_below_another_id_are_not_followed(schema):
    """Their meaning depends on where they are."""
    with pytest.raises(ValueError, match=r"a part of it sets another \$?id"):
        deepest(schema)


def test_a_tree_is_checked_as_deep_as_any_answer_is():
    """One schema is applied to each value in it, however it is reached."""
    assert deepest(TREE) == DEEPEST


@pytest.mark.parametrize(
    "below",
    [
        {"properties": {"a": {"allOf": [{"$ref": "#"}] * 8}}},
        {"additionalProperties": {"anyOf": [{"$ref": "#"}] * 8}},
        {"patternProperties": {str(n): {"$ref": "#"} for n in range(8)}},
        {"items": {"oneOf": [{"$ref": "#"}] * 8}},
        {"prefixItems": [{"allOf": [{"$ref": "#"}] * 8}]},
    ],
)
def test_work_that_grows_with_each_level_bounds_the_depth(below):
    """A server could answer with a value that is nested deeply enough to take for ever."""
    deep = deepest({**below, "type": ["object", "array"]})
    assert deep is not None
    assert 2 <= deep <= 5


def test_a_slow_growth_deep_below_is_seen_too():
    """It is seen however far down the schema doubles."""
    parts: dict[str, Any] = {f"p{n}": {"items": {"$ref": f"#/$defs/p{n + 1}"}} for n in range(30)}
    parts["p30"] = {"items": {"allOf": [{"$ref": "#/$defs/p0"}] * 2}}
    assert deepest({"$ref": "#/$defs/p0", "$defs": parts}) == DEEPEST


_KEYWORDS = (
    "allOf",
    "anyOf",
    "items",
    "properties",
    "not",
    "$ref",
    "additionalProperties",
    "$defs",
)
_JSON = st.recursive(
    st.sampled_from([None, True, 1, "#", "#/$defs/a", "#/allOf/0", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYWORDS), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(_KEYWORDS), _JSON))
def test_no_schema_breaks_the_count(schema):
    """Anything in place of a schema is either counted or refused in words."""
    try:
        assert (deepest(schema) or 0) <= DEEPEST
    except ValueError as refused:
        assert str(refused)  # noqa: PT017 -- either is fine
