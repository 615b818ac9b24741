import pytest

from mcp_perf.results.document.text import LONGEST, clip, one_line, shortened, shown, visible


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\x00", "\\x00"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x7f\x85", "\\x7f\\x85"),
        ("\u202egnp.exe", "\\u202egnp.exe"),  # would show as exe.png
        ("a\u2066b\u2069\u200f\u061c", "a\\u2066b\\u2069\\u200f\\u061c"),
        ("\ufeff\u2028", "\\ufeff\\u2028"),
        ("\ud800", "\\ud800"),  # half a pair: cannot be encoded
        ("a\r\nb\rc", "a\nb\\x0dc"),
        ("::stop-commands::x", "\\x3a:stop-commands::x"),
        ("a\n  ::error::x", "a\n  \\x3a:error::x"),
        ("x" * 80 + "::add-mask::x", "x" * 80 + "\\x3a:add-mask\\x3a:x"),
        ("a ##[error]b", "a \\x23#[error]b"),
        ("a##vso[task]b", "a\\x23#vso[task]b"),
    ],
)
def test_invisible_characters_are_shown(hidden, shown):
    """Characters that steer a terminal, a parser or the direction of text become escapes."""
    assert visible(hidden) == shown


@pytest.mark.parametrize(
    "text", ["a\tb\nc", "std::io::Error", "a :: b", "## c", "שלום", "日本語 🦗", "é \u202f-"]
)
def test_ordinary_text_of_any_script_stays(text):
    """Letters of every script, tabs and line feeds are left alone."""
    assert visible(text) == text


def test_making_text_visible_twice_changes_nothing_more():
    """Templates may clean text which is clean already."""
    once = visible("\x00\u202e<b>")
    assert visible(once) == once


def test_one_line():
    """Line feeds and tabs become single spaces; the narrow space of numbers stays."""
    assert one_line(" a\r\n\tb  c\u202fms ") == "a b c\u202fms"


def test_clip_says_what_it_left_out():
    """Cut text says how much is missing; text that fits is whole."""
    assert clip("abcdef", 4) == "abcd… (2 more characters)"
    assert clip("abcd", 4) == "abcd"


def test_every_text_of_a_value_is_shown_and_bounded():
    """Names of members, too; what is not text stays as it is."""
    value = {"a\x1b": ["b\x07", 1, None], "c": ("d\x00",), "e": {"f": "x" * (LONGEST + 5)}}
    assert shown(value) == {
        "a\\x1b": ["b\\x07", 1, None],
        "c": ["d\\x00"],
        "e": {"f": "x" * LONGEST + "\u2026 (5 more characters)"},
    }


@pytest.mark.parametrize(("name", "most", "short"), [("abc", 3, "abc"), ("abcdefgh", 5, "ab…gh")])
def test_a_long_name_is_shortened_in_its_middle(name, most, short):
    """Names that begin alike end differently, so both ends stay."""
    assert shortened(name, most) == short
