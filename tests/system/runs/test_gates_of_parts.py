"""Whole runs: gates find the one slow tool and the failing journey, and pass for the others."""

import pytest

pytestmark = pytest.mark.load

SCENARIO = """
name: parts
arms:
  one: {mcp: "system:echo/mcp"}
journeys:
  browse:
    weight: 4
    steps:
      - {call: echo, arguments: {message: a}, expect: {text: {matches: "^a$"}}}
      - {call: add, arguments: {a: 1, b: 2}, expect: {text: {contains: "3"}}}
      - {call: big, arguments: {bytes: 100}}
      - {call: sleep, arguments: {ms: 200}}
  pay:
    steps:
      - {call: echo, arguments: {message: a}, expect: {holds: "length(content) == `1`"}}
      - {name: charge, call: fail, arguments: {message: "no"}}
load: {users: 8, rounds: 6, round: 700ms, warmup: 0s}
limits: {generator_cpu: 100%, loop_lag_p99: 10s, lost_time: 100%, errors: 100%}
gates:
"""
GATES = {
    "one.tool[echo].p50 < 100ms": "PASS",
    "one.tool[add].p50 < 100ms": "PASS",
    "one.tool[big].p50 < 100ms": "PASS",
    "one.tool[sleep].p50 < 100ms": "FAIL",
    "one.tool[echo].error_rate < 5%": "PASS",
    "one.tool[fail].error_rate < 5%": "FAIL",
    "one.journey[browse].success_rate > 95%": "PASS",
    "one.journey[pay].success_rate > 95%": "FAIL",
    "one.step[browse.tools/call echo].calls > 10": "PASS",
    "one.step[pay.charge].error_rate < 5%": "FAIL",
    "one.tool[sleep].p50 - one.tool[add].p50 > 50ms": "PASS",
    "one.tool[sleep].p50 > 1.5x one.tool[add]": "PASS",
}


def test_each_part_is_judged_by_its_own_calls(run_cli, report, tmp_path):
    """A tool in two journeys is judged by the calls of both, and each step by its own."""
    gates = "".join(f'  - "{gate}"\n' for gate in GATES)
    (tmp_path / "parts.yaml").write_text(SCENARIO + gates, "utf-8")
    out = tmp_path / "run"
    ended = run_cli("run", tmp_path / "parts.yaml", "--out", out)
    assert ended.code == 99, ended.output
    found = report(out)
    assert {gate["gate"]: gate["verdict"] for gate in found["gates"]} == GATES, ended.output
    assert found["reasons"][0]["code"] == "target_errors"
    arm = found["arms"]["one"]
    browsed = next(g["measured"] for g in found["gates"] if "browse.tools/call echo" in g["gate"])
    assert browsed < arm["steps"]["tools/call echo"]["count"]
    assert "charge" in ended.output
