"""Tools: header annotations and the encoding of routing headers."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.client.protocol.tools import (
    InvalidAnnotation,
    encode_header_value,
    is_deeper,
    param_headers,
    read_tool,
    read_tools,
)


def tool(schema: dict) -> dict:
    """Give an entry of tools/list."""
    return {"name": "t", "inputSchema": schema}


def test_annotations_are_found_through_properties_only() -> None:
    """Nested properties count, with their path; booleans are written as JSON does."""
    inner = {"properties": {"deep": {"type": "boolean", "x-mcp-header": "Deep"}}}
    schema = {"properties": {"a": {"type": "string", "x-mcp-header": "A"}, "b": inner}}
    read = read_tool(tool(schema))
    assert read.header_params == ((("a",), "A"), (("b", "deep"), "Deep"))
    assert param_headers(read, {"a": "x", "b": {"deep": True}}) == [
        ("Mcp-Param-A", "x"),
        ("Mcp-Param-Deep", "true"),
    ]
    assert param_headers(read, {"b": None}) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "number", "x-mcp-header": "A"}}},
        {"properties": {"a": {"x-mcp-header": "A"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": "no blank"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": 5}}},
        {"items": {"type": "string", "x-mcp-header": "A"}},
        {"allOf": [{"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}]},
        {
            "properties": {
                "a": {"type": "string", "x-mcp-header": "A"},
                "b": {"type": "string", "x-mcp-header": "a"},
            }
        },
    ],
)
def test_forbidden_annotations_are_recognised(schema) -> None:
    """Wrong types, wrong tokens, unreachable places and shared tokens are invalid."""
    with pytest.raises(InvalidAnnotation):
        read_tool(tool(schema))


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("plain value", "plain value"),
        ("Zürich", "=?base64?WsO8cmljaA==?="),
        (" edge", "=?base64?IGVkZ2U=?="),
        ("=?base64?x?=", "=?base64?PT9iYXNlNjQ/eD89?="),
        ("", ""),
        ("a\nb", "=?base64?YQpi?="),
    ],
)
def test_header_values_are_encoded_where_http_needs_it(value, encoded) -> None:
    """Printable ASCII goes verbatim, everything else in base64."""
    assert encode_header_value(value) == encoded


@given(st.text())
def test_every_value_survives_its_header(value) -> None:
    """Whatever the value, the header is clean and gives it back."""
    encoded = encode_header_value(value)
    assert all(" " <= letter <= "~" for letter in encoded)
    if encoded.startswith("=?base64?"):
        encoded = base64.b64decode(encoded[9:-2]).decode()
    assert encoded == value


@pytest.mark.parametrize(
    ("value", "depth"), [(1, 0), ("a", 0), ({}, 0), ([1], 1), ({"a": [1, {"b": 2}], "c": 3}, 3)]
)
def test_depth_is_counted_by_what_is_in_what(value, depth):
    """An empty object or list is as deep as a number."""
    assert not is_deeper(value, depth)
    assert not depth or is_deeper(value, depth - 1)


def test_an_entry_that_is_nested_beyond_all_sense_is_left_out() -> None:
    """It has more levels than Python can walk, and does not harm the other tools."""
    schema: dict = {}
    for _ in range(900):
        schema = {"properties": {"a": schema}}
    known: dict = {}
    odd = read_tools([{"name": "deep", "inputSchema": schema}, tool({})], known, modern=True)
    assert odd == [
        "tools/list: the tool 'deep' cannot be called: it is nested more than 200 levels deep"
    ]
    assert len(known) == 1


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["properties", "a", "x-mcp-header", "type"]), inner)
    ),
    max_leaves=10,
)


@given(st.lists(_JSON | st.fixed_dictionaries({"name": st.text(), "inputSchema": _JSON})))
def test_whatever_a_server_lists_is_read_or_left_out_in_words(listed) -> None:
    """Each entry is a tool, or reported as odd; none breaks the list."""
    known: dict = {}
    odd = read_tools(listed, known, modern=True)
    assert len(known) + len(odd) >= len(listed)
