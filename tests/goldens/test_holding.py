"""What is told of a text that is no longer the stored one."""

from pathlib import Path

import pytest

PAGE = "../../reports/examples/transport-ladder.html"


@pytest.fixture(scope="module")
def stored() -> str:
    """Return the largest page that is stored."""
    return (Path(__file__).parent / PAGE).read_bytes().decode()


def test_the_same_text_is_held(held, stored):
    """What has not changed is no failure."""
    held(PAGE, stored)


def test_a_changed_text_is_shown_in_short(held, stored):
    """The failure shows what differs, not the page around it, and how it is stored anew."""
    with pytest.raises(pytest.fail.Exception) as failed:
        held(PAGE, stored.replace("transport-ladder", "transport-steps"))
    told = str(failed.value)
    assert told.startswith(f"{PAGE} is not what it was.")
    assert "transport-steps" in told
    assert "make goldens" in told
    assert len(told) < 6000


def test_every_byte_counts(held, stored):
    """A line that ends otherwise is a difference, too."""
    with pytest.raises(pytest.fail.Exception, match="the ends of their lines"):
        held(PAGE, stored.replace("\n", "\r\n"))


def test_a_text_that_was_never_stored_is_no_success(held):
    """What is missing is told with what stores it."""
    with pytest.raises(AssertionError, match="make goldens"):
        held("reports/nothing/report.md", "")
