"""A capacity search on real servers of known capacity: slots / service time."""

import json

import pytest

pytestmark = pytest.mark.load

CASE = """
name: case
title: A server of four slots of 20 ms
arms: {mcp: {mcp: "URL/mcp"}}
journeys: {ask: {steps: [{call: echo, arguments: {message: "no ${seq}"}}]}}
load: {shape: breakpoint, rate: 800/s, round: 800ms, warmup: 500ms}
# The generator shares two cores with the server, and others: that is not what is tested here.
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%, late_starts: 100%}
"""
TRUE_PER_S = 200


@pytest.fixture(scope="module")
def four_slots(start_system):
    """Start a server that serves 200 calls a second and no more."""
    return start_system("--delay", "20ms", "--slots", "4")


@pytest.fixture
def search(tmp_path, run_cli, report, four_slots):
    """Search for its capacity; return the ended command and the report."""

    def run(gates: str, *more: str):
        path, out = tmp_path / "case.yaml", tmp_path / "run"
        path.write_text(CASE.replace("URL", four_slots.base) + f"gates: {gates}\n")
        ended = run_cli("run", path, *more, "--out", out, timeout=300)
        assert "Traceback" not in ended.output
        return ended, report(out)

    return run


def test_promise_35_the_capacity_of_a_real_server_is_found(search, run_cli, tmp_path, four_slots):
    """Within 10 % of slots / service time; the journal alone gives the same again."""
    ended, document = search("[mcp.capacity >= 100/s, mcp.p95 < 2s]")
    found = document["arms"]["mcp"]["capacity"]
    assert found["outcome"] == "knee", ended.output
    assert found["rate_per_s"] == pytest.approx(TRUE_PER_S, rel=0.1)
    assert found["broke_by"] == ["throughput"]
    assert (ended.code, document["verdict"]) == (0, "PASS"), ended.output
    assert "mcp holds" in ended.output
    assert "trial 1, 5.00/s offered" in ended.output
    again = run_cli("report", tmp_path / "run", "--format", "json")
    assert again.code == 0
    assert json.loads((tmp_path / "run" / "report.json").read_text("utf-8")) == document
    assert four_slots.get("/_counters")["by_tool"]["echo"] >= document["arms"]["mcp"]["calls"]


@pytest.mark.long
def test_a_gate_on_the_latency_moves_the_knee_below_where_calls_queue(search):
    """Calls queue from 200/s on: with a bound of 45 ms, the knee is not above that."""
    _, document = search("[mcp.p90 < 45ms]")
    found = document["arms"]["mcp"]["capacity"]
    assert found["outcome"] == "knee"
    assert found["rate_per_s"] <= 1.03 * TRUE_PER_S
    assert "mcp.p90 < 45ms" in found["broke_by"]


@pytest.mark.long
def test_two_processes_search_as_one(search):
    """The rate and the result are for both together."""
    ended, document = search("[mcp.capacity < 10/s]", "--processes", "2")
    found = document["arms"]["mcp"]["capacity"]
    assert document["generator"]["processes"] == 2
    assert found["rate_per_s"] == pytest.approx(TRUE_PER_S, rel=0.12), ended.output
    assert (ended.code, document["verdict"]) == (99, "FAIL"), ended.output
