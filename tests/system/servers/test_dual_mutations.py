"""The claim about the dual runtime is not upheld by a dual that lacks what makes it fast."""

import pytest

DUAL = "system:dual_runtime/mcp?preset=dual"
SHORT = ("load.rounds=6", "load.round=1s", "load.warmup=1s")
CLAIM = {"dual.throughput >= 3x control", "dual.journey_p50 <= 0.5x control"}


@pytest.mark.load
@pytest.mark.parametrize("flag", ["pool=off", "fanout=seq", "delay=40ms"])
def test_a_dual_without_one_of_its_parts_fails_the_claim(flag, run_cli, report, tmp_path):
    """By the throughput it has, and by no other reason: the answers are still right."""
    out = tmp_path / "out"
    settings = [part for value in SHORT for part in ("--set", value)]
    # The limits are for a machine of one's own; here others run.
    settings += ["--set", "limits.loop_lag_p99=10s", "--set", "limits.late_starts=100%"]
    ended = run_cli(
        "run",
        "dual-vs-control",
        *settings,
        "--target",
        f"dual={DUAL}&{flag}",
        "--out",
        out,
        timeout=300,
    )
    found = report(out)
    verdicts = {gate["gate"]: gate["verdict"] for gate in found["gates"]}
    assert verdicts["dual.throughput >= 3x control"] == "FAIL", ended.output
    assert {gate for gate, verdict in verdicts.items() if verdict == "FAIL"} <= CLAIM
    assert found["verdict"] == "FAIL"
    assert ended.code == 99
    assert found["arms"]["dual"]["error_rate"] == 0
