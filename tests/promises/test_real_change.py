"""Promise 36 in a real run: a function that takes longer and longer slows down its arm."""

import pytest

pytestmark = pytest.mark.load

SLOWING = """
import time

called_s = []


def work() -> str:
    called_s.append(time.monotonic())
    time.sleep(0.004 * 2 ** ((called_s[-1] - called_s[0]) / 2.5))
    return "done"
"""
SCENARIO = """
name: slowing
title: A function that gets slower
arms: {own: {python: slowing}}
journeys: {one: {steps: [{run: work}]}}
load: {users: 1, rounds: 12, round: 400ms, warmup: 0s}
gates: [own.drift < 10%]
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
"""


def test_promise_36_a_real_run_that_slows_down_says_so(run_cli, report, tmp_path):
    """Over twelve rounds of 0.4 s it takes more than twice as long: a note, and FAIL."""
    (tmp_path / "slowing.py").write_text(SLOWING)
    (tmp_path / "slowing.yaml").write_text(SCENARIO)
    ended = run_cli("run", "slowing.yaml", "--out", tmp_path / "run", cwd=tmp_path)
    assert ended.code == 99, ended.output
    found = report(tmp_path / "run")
    assert [reason["code"] for reason in found["reasons"]] == ["gate_failed"]
    assert any("own.throughput fell by" in note for note in found["notes"])
    lines = [one for one in found["arms"]["own"]["drift"] if one["after_round"] is None]
    assert {one["metric"]: one["change"] > 0 for one in lines} == {
        "journey_p50": True,
        "throughput": False,
    }
