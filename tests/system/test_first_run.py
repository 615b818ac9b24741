"""The one load run that `make test` makes: a newcomer's first command, end to end."""

import pytest

from tests.support import commands

FILES = ("journal.jsonl", "report.html", "report.md", "junit.xml", "samples.csv", "run.log")


@pytest.mark.load
@pytest.mark.first
def test_a_short_run_of_a_shipped_scenario_writes_all_its_reports(environment, report, tmp_path):
    """It measures both arms and says so in every format.

    A short run may be INCONCLUSIVE, or INVALID on a busy machine, but must not break or fail.
    """
    out = tmp_path / "run"
    argv = (commands.BIN / "mcp-perf", "run", "twilio-tasks", "-t", "6s", "--out", out)
    ended = commands.run(*argv, env=environment)
    assert ended.code in (0, 90, 91), ended.output
    assert "Traceback" not in ended.output
    assert all((out / name).stat().st_size for name in FILES)
    document = report(out)
    assert document["exit_code"] == ended.code
    assert all(arm["calls"] > 0 for arm in document["arms"].values())
