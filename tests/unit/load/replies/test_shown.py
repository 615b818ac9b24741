"""A reply as people see it."""

import msgspec
import pytest

from mcp_perf.load.replies.shown import LONGEST, paths, shown


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"jsonrpc": "2.0", "id": 3, "result": {"content": [ ]}}', '{"content": [ ]}'),
        (b'{"jsonrpc": "2.0", "id": 3, "error": {"code": -1}}', '{"code": -1}'),
        (b'{"jsonrpc": "2.0", "method": "x"}', '{"jsonrpc": "2.0", "method": "x"}'),
        (b'{"items": [1]}', '{"items": [1]}'),
        (b"<html>no</html>", "<html>no</html>"),
        (b"\xff", "\ufffd"),
        (b"", ""),
    ],
)
def test_what_a_message_carries_is_shown_as_it_came(body, text):
    """The envelope of JSON-RPC is left out, because expectations begin inside it."""
    assert shown(body) == text


def test_a_long_reply_is_cut_and_says_so():
    """A megabyte of an answer is not a megabyte of a journal."""
    text = shown(msgspec.json.encode({"x": "é" * 1_000_000}))
    assert len(text) == LONGEST + 1
    assert text.endswith("é…")


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"a": {"b": 1}, "c": [{"d": 1}, {"e": 2}]}, "a.b, c[0].d"),
        ({"content": [{"type": "text", "text": "x"}]}, "content[0].type, content[0].text"),
        ({"a-b": {"c d": 1}}, '"a-b"."c d"'),
        ({"a": {}, "b": [], "c": None}, "a, b, c"),
        ([1, 2], "[0]"),
        ({str(n): n for n in range(15)}, ", ".join(f'"{n}"' for n in range(12)) + " and 3 more"),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}, "a.b.c.d.e.f"),
        (3, ""),
        ({}, ""),
    ],
)
def test_paths_lead_to_the_values(value, named):
    """They are written as in `expect` and `save`; in a list, only into its first item."""
    assert paths(value) == named
