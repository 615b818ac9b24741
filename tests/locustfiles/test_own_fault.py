"""Our own faults are told apart from the target's, and end a run at once."""

import json
import subprocess
import sys

import pytest

BROKEN = """
import sys
from locustfiles import _headless, _bench

def broken(*_args):
    raise KeyError("forced")

_bench.compile_journeys = broken
sys.exit(_headless.run(["--scenario", "echo", "--out", sys.argv[1]], ("json",)))
"""


@pytest.mark.e2e
def test_a_fault_of_ours_before_the_first_call_is_107(tmp_path) -> None:
    """The exit code is 107, run.log has the traceback, and no verdict is passed on the target."""
    out = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", BROKEN, str(out)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 107, done.stderr
    report = json.loads((out / "report.json").read_text())
    assert (report["verdict"], report["complete"]) == ("INCONCLUSIVE", False)
    assert "KeyError" in (out / "run.log").read_text()
