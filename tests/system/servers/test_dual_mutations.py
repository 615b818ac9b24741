"""The claim about the dual runtime: without any part it fails, and the whole loses no calls."""

import pytest

from tests.support.commands import CALM

DUAL = "system:dual_runtime/mcp?preset=dual&rtt=10ms"
ARMS = ("--arm", "control", "--arm", "dual")
SHORT = ("load.rounds=6", "load.round=1s", "load.warmup=1s")
CLAIM = {"dual.throughput >= 3x control", "dual.journey_p50 <= 0.5x control"}


def settings(*values):
    """Return them as options."""
    return [part for value in values for part in ("--set", value)]


@pytest.mark.load
@pytest.mark.parametrize(
    "flag",
    ["fanout=seq", *(pytest.param(x, marks=pytest.mark.long) for x in ("pool=off", "delay=40ms"))],
)
def test_a_dual_without_one_of_its_parts_fails_the_claim(flag, run_cli, report, tmp_path):
    """Only by its throughput: the answers are still right."""
    out = tmp_path / "out"
    target = ("--target", f"dual={DUAL}&{flag}")
    ended = run_cli(
        *("run", "dual-vs-control", *ARMS, *settings(*SHORT), *CALM, *target, "--out", out),
        timeout=300,
    )
    found = report(out)
    verdicts = {gate["gate"]: gate["verdict"] for gate in found["gates"]}
    assert verdicts["dual.throughput >= 3x control"] == "FAIL", ended.output
    assert {gate for gate, verdict in verdicts.items() if verdict == "FAIL"} <= CLAIM
    assert found["verdict"] == "FAIL"
    assert ended.code == 99
    assert found["arms"]["dual"]["error_rate"] == 0
    users = found["environment"]["load"]["users"]
    assert any(f"Calibrated: {users} of at most 20 users" in note for note in found["notes"])
    assert {one["users"] for arm in found["arms"].values() for one in arm["rounds"]} == {5, users}


@pytest.mark.load
@pytest.mark.long
def test_of_three_thousand_calls_of_each_arm_next_to_none_fail(run_cli, report, tmp_path):
    """Fewer calls cannot show an error rate below 0.1 %; this takes some minutes."""
    out = tmp_path / "out"
    gates = ("gates.0=control.error_rate < 0.1%", "gates.1=dual.error_rate < 0.1%")
    run_cli(
        *("run", "dual-vs-control", *ARMS, *settings("load.rounds=30", *gates), *CALM),
        *("--out", out),
        timeout=900,
    )
    verdicts = {gate["gate"]: gate["verdict"] for gate in report(out)["gates"]}
    assert verdicts["control.error_rate < 0.1%"] == "PASS"
    assert verdicts["dual.error_rate < 0.1%"] == "PASS"
