"""Our faults are distinguished from the target's, and end a run at once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.load

BROKEN_REPORT = """
import sys
from mcp_perf.cli.output.screen import run_on_screen
from mcp_perf.load.engine import run

def broken(*_args):
    raise KeyError("forced")

run.load_report = broken
quick = ["--set", "load.rounds=1", "--set", "load.round=200ms", "--set", "load.warmup=0s"]
sys.exit(run_on_screen(["--scenario", "echo", "--out", sys.argv[1], *quick], ("json",)))
"""
BROKEN = """
import sys
from mcp_perf.cli.output.screen import run_on_screen
from mcp_perf.load.engine import user

def broken(*_args):
    raise KeyError("forced")

user.compile_journeys = broken
sys.exit(run_on_screen(["--scenario", "echo", "--out", sys.argv[1]], ("json",)))
"""

ENDED = """
import sys
import locust.main
from mcp_perf.cli.output.screen import run_on_screen

locust.main.main = lambda: sys.exit(0)
sys.exit(run_on_screen(["--scenario", "echo", "--out", sys.argv[1]], ("json",)))
"""


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script that breaks a part of mcp-perf, with a run folder as its argument."""
    return subprocess.run(
        [sys.executable, "-c", script, str(folder / "run")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_fault_of_ours_in_the_report_leaves_the_journal(tmp_path) -> None:
    """The exit code is 107, the message names the journal, and reports can be made from it."""
    done = run(BROKEN_REPORT, tmp_path)
    assert done.returncode == 107, done.stderr
    assert "journal.jsonl" in done.stderr
    again = subprocess.run(
        [sys.executable, "-m", "mcp_perf", "report", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr


def test_promise_16_a_fault_of_ours_before_the_first_call_is_107(tmp_path) -> None:
    """The exit code is 107, run.log has the traceback, and the target gets no verdict."""
    done = run(BROKEN, tmp_path)
    out = tmp_path / "run"
    assert done.returncode == 107, done.stderr
    report = json.loads((out / "report.json").read_text())
    assert (report["verdict"], report["complete"]) == ("INCONCLUSIVE", False)
    assert "KeyError" in (out / "run.log").read_text()


def test_a_run_that_is_ended_without_a_report_is_never_a_pass(tmp_path) -> None:
    """Whatever in this process ended it, and with any code, the exit code is 107."""
    done = run(ENDED, tmp_path)
    assert done.returncode == 107, done.stderr
    assert "The run ended without a report" in done.stderr
