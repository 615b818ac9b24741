"""Open loads as a user runs them: planned, started and dropped add up, even in two processes."""

import json

import pytest

from mcp_perf.numbers import out_of

pytestmark = pytest.mark.load

HEAD = """
name: by-the-clock
title: Echo by the clock
# What the machine can do is not what is tested here.
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%, late_starts: 100%}
"""
TWO = (
    HEAD
    + """
arms: {rest: {http: system:echo/rest}, mcp: {mcp: system:echo/mcp}}
journeys:
  echo:
    rest: [{get: /echo, query: {message: hello}}]
    mcp: [{call: echo, arguments: {message: hello}}]
"""
)
SLOW = (
    HEAD
    + """
arms: {mcp: {mcp: system:echo/mcp}}
journeys: {nap: {steps: [{call: sleep, arguments: {ms: 500}}]}}
"""
)


@pytest.fixture
def run(tmp_path, run_cli, report):
    """Run a scenario with a load; return the ended command, the report and the journal."""

    def go(text: str, load: str, *options: str):
        path, out = tmp_path / "case.yaml", tmp_path / "run"
        path.write_text(f"{text}load: {load}\n")
        ended = run_cli("run", path, *options, "--out", out)
        lines = (out / "journal.jsonl").read_text("utf-8").splitlines()
        return ended, report(out), [json.loads(line) for line in lines]

    return go


@pytest.mark.parametrize("options", [(), ("--processes", "2")], ids=["one process", "two"])
@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_promise_04_both_arms_meet_the_whole_plan_however_many_processes(run, options, arrivals):
    """Every round of both arms has the same arrivals, and the shares of two workers add up."""
    load = f"{{rate: 150/s, arrivals: {arrivals}, rounds: 2, round: 1s, warmup: 0s}}"
    ended, document, journal = run(TWO, load, *options)
    assert ended.code == 0, ended.output
    planned = {
        name: [turn["planned"] for turn in arm["rounds"]] for name, arm in document["arms"].items()
    }
    assert planned["rest"] == planned["mcp"]
    if arrivals == "constant":
        assert planned["rest"] == [150, 150]
    nodes = {record["node"] for record in journal if record["type"] == "turn_end"}
    assert len(nodes) == (2 if options else 1)
    for arm in document["arms"].values():
        assert arm["planned"] == arm["journeys_done"] == sum(planned["rest"])
        assert arm["dropped"] == 0
        assert arm["lag_ms"]["p50"] is not None
        assert arm["latency_ms"]["p50"] >= arm["service_ms"]["p50"]
        assert arm["throughput_per_s"] == pytest.approx(sum(planned["rest"]) / 2, rel=0.1)


def test_promise_03_drops_are_counted_shown_and_judged(run):
    """With half a second of work, two at a time and twenty arrivals a second, four are served."""
    load = "{rate: 20/s, max_in_flight: 2, rounds: 2, round: 2s, warmup: 0s}"
    ended, document, _ = run(SLOW, load)
    arm = document["arms"]["mcp"]
    assert arm["planned"] == 80
    assert arm["planned"] == arm["journeys_done"] + arm["dropped"]
    assert 60 <= arm["dropped"] <= 72
    assert arm["throughput_per_s"] == pytest.approx(4, abs=1)
    assert (ended.code, document["verdict"]) == (99, "FAIL")
    assert "of 80 planned journeys of mcp were not started (dropped)" in ended.output


def test_promise_03_two_processes_drop_what_one_would_drop(run):
    """By the plan, one process drops 14 of 31 arrivals; two without coordination would drop 18."""
    load = "{rate: 5/s, arrivals: poisson, max_in_flight: 2, rounds: 2, round: 3s, warmup: 0s}"
    _, document, journal = run(SLOW, load, "--set", "seed=167", "--processes", "2")
    arm = document["arms"]["mcp"]
    assert arm["planned"] == 31
    assert arm["planned"] == arm["journeys_done"] + arm["dropped"]
    assert 13 <= arm["dropped"] <= 15
    assert len({record["node"] for record in journal if record["type"] == "turn_end"}) == 2


def test_promise_14_the_interval_of_a_real_run_holds_the_true_rate(run):
    """100/s are offered at random and served; six rounds cannot show whether it is more."""
    load = "{rate: 100/s, arrivals: poisson, rounds: 6, round: 500ms, warmup: 0s}"
    ended, document, _ = run(TWO + "gates: [mcp.throughput > 100/s]\n", load, "--arm", "mcp")
    [gate] = document["gates"]
    low, high = gate["ci95"]
    assert low < 100 < high
    assert low > 75
    assert (ended.code, gate["verdict"]) == (90, "INCONCLUSIVE")


def test_promise_13_two_rounds_of_a_real_run_decide_nothing(run):
    """Neither a rate nor a ratio; the reason says how many rounds are needed."""
    load = "{users: 2, rounds: 2, round: 300ms, warmup: 0s}"
    gates = "gates: [mcp.throughput > 1/s, mcp.p50 < 100x rest]\n"
    ended, document, _ = run(TWO + gates, load)
    assert ended.code == 90, ended.output
    assert [gate["verdict"] for gate in document["gates"]] == ["INCONCLUSIVE"] * 2
    assert all(gate["ci95"] is None for gate in document["gates"])
    assert "at least 6" in document["gates"][1]["reason"]


def test_users_of_a_level_take_part_and_the_others_pause(run):
    """A ramp to four users in four rounds has one, two, three and four at work."""
    load = "{users: 4, shape: ramp, rounds: 4, round: 500ms, warmup: 0s}"
    _, document, journal = run(SLOW, load)
    assert [turn["users"] for turn in document["arms"]["mcp"]["rounds"]] == [1, 2, 3, 4]
    assert [r["users"] for r in journal if r["type"] == "turn_end"] == [1, 2, 3, 4]


def test_results_are_held_against_their_output_schema(run):
    """The echo tool has an output schema; the report says how many results were checked."""
    load = "{users: 2, rounds: 1, round: 500ms, warmup: 0s}"
    _, document, _ = run(TWO, load)
    [step] = document["arms"]["mcp"]["steps"].values()
    assert step["schema_checked"] + step["schema_unchecked"] == step["count"]
    assert step["schema_violation_rate"] == 0
    [note] = [note for note in document["notes"] if "outputSchema" in note]
    counted = out_of(step["schema_checked"], step["count"], "result")
    assert note.startswith(f"{counted} of mcp")
