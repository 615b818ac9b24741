import pytest

from mcp_perf.results.render.words.text import clip, one_line, visible


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
    ],
)
def test_invisible_characters_are_shown(hidden, shown):
    """Characters that steer a terminal, a parser or the direction of text become escapes."""
    assert visible(hidden) == shown


@pytest.mark.parametrize("text", ["a\tb\nc", "שלום", "日本語 🦗", "é \u202f-"])
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
    """Cut text tells how much is missing; text that fits is whole."""
    assert clip("abcdef", 4) == "abcd… (2 more characters)"
    assert clip("abcd", 4) == "abcd"
