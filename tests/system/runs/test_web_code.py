"""The door in the browser starts no code of this machine but what its user put there."""

import pytest

from tests.support import web_page as web

pytestmark = pytest.mark.load

CODED = """
name: coded
title: Code of this machine
arms:
  code: {python: coded_of_test}
journeys:
  j: {code: [{run: note}]}
load: {users: 3, rounds: 2, round: 200ms, warmup: 100ms}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Start a page beside two copies of a scenario with code; one goes by a name."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "coded.yaml").write_text(CODED)
    with web.opened(folder) as page:
        (folder / "scenarios" / "coded.yaml").write_text(CODED)
        code = "def note(): open('noted', 'w').close()\n"
        (folder / "scenarios" / "coded_of_test.py").write_text(code)
        yield page


@pytest.mark.parametrize(
    "form",
    [
        {"scenario": "coded.yaml"},
        {"scenario": "./scenarios/coded.yaml"},
        {"scenario": "quick", "target": "mcp=stdio:touch"},
        {"scenario": "quick", "target": "mcp=python:coded_of_test"},
    ],
)
def test_no_code_is_started_that_is_typed_into_the_form(page, form):
    """A path or a command in the form is somebody's who can reach the page, and not the user's."""
    answer = page.start(**form)
    assert answer["success"] is False
    assert "runs code of this machine" in answer["message"]
    assert not (page.folder / "noted").exists()


def test_a_scenario_that_goes_by_a_name_is_started(page):
    """What the user has put into ./scenarios is his own choice."""
    with page.expecting_a_run():
        assert page.start("coded")["success"] is True
    assert page.found[1]["arms"]["code"]["calls"] > 0
    assert (page.folder / "noted").exists()
