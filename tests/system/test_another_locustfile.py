"""Somebody else's locustfile together with ours, in one Locust."""

import pytest

from mcp_perf import folders

pytestmark = pytest.mark.load
THEIRS = """
from locust import User, constant, task


class TheirUser(User):
    wait_time = constant(0.1)

    @task
    def work(self):
        fire = self.environment.events.request.fire
        fire(request_type="THEIRS", name="work", response_time=1, response_length=0)
"""
BUSY = {0, 90}
"""The exit codes of a short run, which may lack evidence."""


@pytest.fixture
def locust(run_cli, quick, tmp_path):
    """Run the scenario `echo` with both locustfiles, ours first."""
    (tmp_path / "theirs.py").write_text(THEIRS)
    both = f"{folders.shipped('locustfiles') / 'scenario.py'},theirs.py"
    options = ("--headless", "--scenario", "echo", "--out", "run", *quick)
    return lambda *words: run_cli(
        "-f", both, *words, *options, name="locust", cwd=tmp_path, timeout=120
    )


def test_their_users_take_a_share_and_the_run_is_invalid(locust, report, tmp_path):
    """Locust divides the users among both classes, so ours are not the requested load."""
    ended = locust()
    assert ended.code == 91, ended.output
    assert "TheirUser takes a share of the users; to leave it out, add ScenarioUser" in ended.output
    document = report(tmp_path / "run")
    assert "had 2 of 4" in str(document["reasons"])
    assert "THEIRS" not in (tmp_path / "run" / "journal.jsonl").read_text("utf-8")
    assert document["duration_s"] < 30  # the run does not wait for users that are not ours


def test_naming_our_class_keeps_theirs_out(locust, report, tmp_path):
    """Then the run is the same as without their file."""
    ended = locust("ScenarioUser")
    assert ended.code in BUSY, ended.output
    assert "TheirUser" not in ended.output
    assert report(tmp_path / "run")["arms"]["mcp"]["calls"] > 0
