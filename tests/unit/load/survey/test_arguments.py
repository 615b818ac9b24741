"""Arguments that are made from an inputSchema."""

import json
import re

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.load.survey.arguments import SEQ, NoArguments, arguments, filled

NODE = {
    "type": "object",
    "properties": {
        "value": {"type": "integer", "minimum": 3},
        "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
    },
    "required": ["value", "next"],
}
ENDLESS = {"type": "object", "properties": {"it": {"$ref": "#/$defs/E"}}, "required": ["it"]}


def of(properties, **more):
    """Return the schema of an object that requires all of these."""
    return {"type": "object", "properties": properties, "required": list(properties), **more}


CORNERS = {
    "none at all": {"type": "object"},
    "no type": {"properties": {"a": {"minimum": 2}}, "required": ["a"]},
    "a reference": of({"a": {"$ref": "#/$defs/A"}}, **{"$defs": {"A": {"enum": ["x"]}}}),
    "one that holds itself": {"$defs": {"Node": NODE}, "$ref": "#/$defs/Node"},
    "either": of({"a": {"anyOf": [{"type": "null"}, {"type": "string", "minLength": 30}]}}),
    "one of": {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
    },
    "all of": of({"a": {"allOf": [{"type": "number", "minimum": 5}, {"type": "integer"}]}}),
    "parts that share an argument": {
        "allOf": [of({"a": {"minimum": 1}}), of({"a": {"type": "integer", "maximum": 2}})]
    },
    "a constant with a lookup in it": of({"a": {"const": "${x}"}}),
    "null alone": of({"a": {"type": "null"}}),
    "several types": of({"a": {"type": ["null", "boolean"]}}),
    "an enum with null": of({"a": {"enum": [None, "red"]}}),
    "nothing else": of({"a": {"type": "string"}}, additionalProperties=False),
    "at least two": {"type": "object", "minProperties": 2},
    "draft-07": of(
        {"a": {"items": [{"type": "integer"}, {"const": 2}], "additionalItems": False}},
        **{"$schema": "http://json-schema.org/draft-07/schema#"},
    ),
    "draft-04": of(
        {"a": {"type": "integer", "minimum": 7, "exclusiveMinimum": True, "maximum": 8}},
        **{"$schema": "http://json-schema.org/draft-04/schema#"},
    ),
    "a tuple": of({"a": {"type": "array", "prefixItems": [{"const": 1}], "items": False}}),
    "a set": of({"a": {"type": "array", "items": {"type": "string"}, "minItems": 6}}),
    "a set of few": of({"a": {"items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 3}}),
    "a set of texts": of({"tags": {"items": {}, "uniqueItems": True, "minItems": 4}}),
    "not what comes first": of({"a": {"type": "string", "not": {"const": "example"}}}),
    "steps": of({"a": {"type": "integer", "minimum": 10, "multipleOf": 7}}),
    "steps below": of({"a": {"type": "number", "maximum": -3, "multipleOf": 2}}),
    "between": of({"a": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}}),
    "a path with a slash": of({"a": {"$ref": "#/$defs/x~1y"}}, **{"$defs": {"x/y": {"const": 3}}}),
    "a path into a list": of(
        {"a": {"anyOf": [{"const": 3}]}, "b": {"$ref": "#/properties/a/anyOf/0"}}
    ),
    "anything": of({"a": True, "b": {}}),
    "a default": of({"a": {"type": "integer", "default": 42}}),
}
FORMATS = ("date-time", "date", "email", "hostname", "ipv4", "ipv6", "uri", "uuid", "byte", "odd")
PATTERNS = (
    *("^[A-Z]{2}-\\d{4}$", "^(red|green)$", "^[^a-z]+$", "\\w+@\\w+\\.com", "^#[0-9a-fA-F]{6}$"),
    *("^\\S+\\s\\D{2,}?$", "^a.c$", "^(?:x|y){3}$", "^[\\w.-]*$", "^\\d{4}-\\d{2}-\\d{2}$"),
)


@pytest.mark.parametrize("corner", CORNERS)
def test_every_corner_of_a_schema_is_met(corner):
    """The arguments fit the schema, are plain JSON, and are the same for the same seed."""
    schema = CORNERS[corner]
    made = arguments("tool", schema, 1)
    jsonschema.validate(made, schema)
    assert json.loads(json.dumps(made)) == made == arguments("tool", schema, 1)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_matched(pattern):
    """A text can be drawn for everything that is common in the patterns of tools."""
    made = arguments("tool", of({"odd": {"type": "string", "pattern": pattern}}), 1)
    assert re.search(pattern, made["odd"])


@pytest.mark.parametrize("format_", FORMATS)
def test_a_format_is_kept_to(format_):
    """An argument with a format looks like that format; an unknown format is any text."""
    checker = jsonschema.FormatChecker()
    made = arguments("tool", of({"a": {"type": "string", "format": format_}}), 1)
    checker.check(made["a"], format_)


@pytest.mark.parametrize(
    ("name", "description", "text"),
    [
        ("timezone", "", "UTC"),
        ("sourceTimezone", "A name such as 'Europe/London'", "Europe/London"),
        ("when", "24-hour format (HH:MM)", "12:30"),
        ("user_email", "", "user@example.com"),
        ("x", "e.g. `abc`", "abc"),
        ("branch_type", "Whether local branches ('local') or all ('all') are meant", "local"),
        ("repo_path", "", "."),
    ],
)
def test_a_text_is_plausible_by_its_name_and_its_description(name, description, text):
    """An example in the description comes first, then what the last word of the name says."""
    schema = of({name: {"type": "string", "description": description}})
    assert arguments("tool", schema, 1) == {name: text}


def test_a_number_is_plausible_by_its_name():
    """A latitude looks like one, and a limit is small, as far as the schema allows."""
    schema = of({"latitude": {"type": "number"}, "limit": {"type": "integer", "maximum": 3}})
    made = arguments("tool", schema, 1)
    assert made["latitude"] == 51.5
    assert made["limit"] <= 3


def test_what_is_made_by_a_name_is_another_each_time():
    """Names of what a tool creates hold the number of the journey; those it looks for do not."""
    schema = of({"title": {"type": "string"}, "text": {"type": "string"}})
    assert arguments("create_note", schema, 1) == {"title": f"example-{SEQ}", "text": "hello"}
    assert arguments("find_note", schema, 1) == {"title": "example", "text": "hello"}
    short = of({"title": {"type": "string", "pattern": "^[a-z]{1,3}$"}})
    assert SEQ not in arguments("create_note", short, 1)["title"]
    assert filled([{"a": f"b-{SEQ}"}, 3], "7") == [{"a": "b-7"}, 3]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "objekt"}, "cannot be used"),
        ({"type": "object", "$ref": "http://example.com/x.json"}, "cannot be used"),
        ({"$defs": {"E": ENDLESS}, "$ref": "#/$defs/E"}, "no value that was tried"),
        (of({"a": {"type": "string", "enum": []}}), "no value that was tried"),
        (of({"a": False}), "no value that was tried"),
        (of({"a": {"type": "string", "pattern": "^(a)\\1b$"}}), "no value that was tried"),
        (of({"a": {"type": "string", "pattern": "\\p{Letter}{3}"}}), "no value that was tried"),
        (of({"a": {"type": "integer", "minimum": 10**20}}), "no value that was tried"),
        (of({"a": {"type": "integer", "minimum": 4, "maximum": 3}}), "a: "),
        (of({"a": {"$ref": "#/$defs/gone"}}), "cannot be used"),
        (of({"a": {"const": 1}, "b": {"not": {}}}), "a"),
    ],
)
def test_a_tool_without_arguments_that_fit_is_named_with_its_reason(schema, why):
    """No arguments are sent that a server has to refuse."""
    with pytest.raises(NoArguments, match=why):
        arguments("tool", schema, 1)


def schemas():
    """Draw schemas as servers write them; arguments exist for each of them."""
    bounds = st.tuples(st.integers(-50, 50), st.integers(0, 20)).map(
        lambda pair: {"minimum": pair[0], "maximum": sum(pair)}
    )
    leaves = st.one_of(
        st.sampled_from(["string", "integer", "number", "boolean", "null"]).map(
            lambda kind: {"type": kind}
        ),
        bounds.map(lambda ends: {"type": "integer", **ends}),
        bounds.map(lambda ends: {"type": "number", **ends}),
        st.lists(st.text(max_size=5), min_size=1).map(lambda values: {"enum": values}),
        st.tuples(st.integers(0, 30), st.integers(0, 30)).map(
            lambda ends: {"type": "string", "minLength": ends[0], "maxLength": sum(ends)}
        ),
        st.sampled_from(FORMATS).map(lambda name: {"type": "string", "format": name}),
        st.just({"const": {"$x": ["${y}"]}}),
    )
    names = st.sampled_from(["name", "id", "limit", "tags", "path", "createdAt", "x"])

    def deeper(inner):
        return st.one_of(
            st.dictionaries(names, inner, max_size=4).map(of),
            st.dictionaries(names, inner, max_size=4).map(
                lambda properties: {"type": "object", "properties": properties}
            ),
            st.tuples(inner, st.integers(0, 3)).map(
                lambda pair: {"type": "array", "items": pair[0], "minItems": pair[1]}
            ),
            st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
            inner.map(lambda one: {"allOf": [one, {"description": "e.g. 'some'"}]}),
        )

    return st.recursive(leaves, deeper, max_leaves=12)


@given(st.dictionaries(st.text(min_size=1, max_size=6), schemas(), max_size=4), st.integers(0, 9))
def test_what_is_made_fits_whatever_the_schema_says(properties, seed):
    """If a schema can be met, arguments are found, and they fit it."""
    schema = of(properties, additionalProperties=False)
    made = arguments("create_thing", schema, seed)
    for number in ("1", "99999"):
        jsonschema.validate(filled(made, number), schema)
    assert made == arguments("create_thing", schema, seed)
