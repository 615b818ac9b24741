"""Patterns: what they find, and which are refused before anything is sent."""

import pytest

from mcp_perf.scenario.problems.wording import InputError
from mcp_perf.scenario.values.patterns import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("b+", "abbc", True),
        ("^b+", "abbc", False),
        ("^ab+c$", "abbc", True),
        ("^a$", "x\na\nx", False),  # the ends of the whole text
        ("(?m)^a$", "x\na\nx", True),
        (r"\d{3}", "a123", True),
        (r"\$\{x\}", "${x}", True),
        ("é", "café", True),
    ],
)
def test_a_pattern_is_looked_for_anywhere_in_the_text(pattern, text, found):
    """A pattern may say itself where it begins and ends."""
    assert compile_pattern(pattern)(text) is found


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "is not a valid pattern"),
        ("a(?=b)", "is not a valid pattern"),
        (r"(a)\1", "is not a valid pattern"),
        ("(a{1000}){1000}", "is not a valid pattern"),
        ("a" * 1025, "longer than 1 KiB"),
        ("${x}", "cannot contain"),
    ],
)
def test_what_could_hang_or_is_no_pattern_is_refused(pattern, said):
    """The message comes before the first request, and says what to write instead."""
    with pytest.raises(InputError) as error:
        compile_pattern(pattern)
    assert said in error.value.message
    assert error.value.hint
