"""What a failure shows about a text that differs from the stored one."""

from pathlib import Path

import pytest

PAGE = "../../reports/examples/transport-ladder.html"


@pytest.fixture(scope="module")
def stored() -> str:
    """Return the largest page that is stored."""
    return (Path(__file__).parent / PAGE).read_bytes().decode()


def test_the_same_text_is_held(held, stored):
    """An unchanged text does not fail."""
    held(PAGE, stored)


def test_a_changed_text_is_shown_in_short(held, stored):
    """The failure shows the difference, not the page around it, and how to store the text again."""
    with pytest.raises(pytest.fail.Exception) as failed:
        held(PAGE, stored.replace("transport-ladder", "transport-steps"))
    told = str(failed.value)
    assert told.startswith(f"{PAGE} is not what it was.")
    assert "transport-steps" in told
    assert "make goldens" in told
    assert len(told) < 6000


def test_every_byte_counts(held, stored):
    """A different line ending is a difference, too."""
    with pytest.raises(pytest.fail.Exception, match="the ends of their lines"):
        held(PAGE, stored.replace("\n", "\r\n"))


def test_a_text_that_was_never_stored_is_no_success(held):
    """The failure names the missing file and the command that stores it."""
    with pytest.raises(AssertionError, match="make goldens"):
        held("reports/nothing/report.md", "")
