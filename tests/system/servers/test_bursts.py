"""Concurrent calls, and sessions that come and go, in runs against real servers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

APP = Path(__file__).with_name("transports_app.py")
BURST = """
      - parallel:
          - call: greet
            arguments: {name: "a ${seq}"}
            expect: {equals: {structuredContent.text: "hello a ${seq}"}}
            save: {first: structuredContent.text}
          - call: greet
            arguments: {name: "b ${seq}"}
            expect: {equals: {structuredContent.text: "hello b ${seq}"}}
          - {call: boom, arguments: {name: x}, expect: {class: tool_error}}
      - call: greet
        arguments: {name: "${first}"}
        expect: {equals: {structuredContent.text: "hello hello a ${seq}"}}
"""
CHURN = f"""
name: churn
title: Bursts in sessions that are kept, closed and dropped
arms:
  modern: {{mcp: "URL", protocol: 2026-07-28, headers: {{X-Arm: modern}}}}
  kept: {{mcp: "URL", protocol: 2025-11-25, headers: {{X-Arm: kept}}}}
  polite: {{mcp: "URL", protocol: 2025-11-25, headers: {{X-Arm: polite}}}}
  silent: {{mcp: "URL", protocol: 2025-11-25, headers: {{X-Arm: silent}}, no_delete: true}}
journeys:
  visit:
    modern:
      - open: true{BURST}      - close: true
    kept:{BURST}
    polite:
      - open: true{BURST}      - close: true
    silent:
      - open: true{BURST}      - close: true
load: {{users: 3}}
gates: [modern.error_rate < 20%, kept.error_rate < 20%]
"""
CHANNELS = f"""
name: channels
title: Bursts on one channel
arms:
  stdio: {{mcp: {{stdio: [PYTHON, transports_app.py]}}}}
  memory: {{mcp: {{python: "transports_app:server"}}}}
journeys:
  visit:
    stdio:{BURST}
    memory:
      - open: true{BURST}      - close: true
  start:
    weight: 0.05
    stdio:{BURST}
    memory:
      - open: true
      - close: true
load: {{users: 2}}
gates: [stdio.error_rate < 20%, memory.error_rate < 20%]
"""
CROSSING = """
name: crossing
title: A server that mixes up calls at once
arms: {rest: {http: "URL"}}
journeys:
  look:
    rest:
      - parallel:
          - {get: /echo, query: {message: "a-${seq}"}, expect: {equals: {message: "a-${seq}"}}}
          - {get: /echo, query: {message: "b-${seq}"}, expect: {equals: {message: "b-${seq}"}}}
          - {get: /echo, query: {message: "c-${seq}"}, expect: {equals: {message: "c-${seq}"}}}
load: {users: 1}
"""
HANGING = """
name: hanging
title: Calls at once that outlive the run
arms: {mcp: {mcp: system:echo/mcp, timeout: 40s}}
journeys:
  wait:
    steps:
      - parallel: [{call: sleep, arguments: {ms: 30000}}, {call: sleep, arguments: {ms: 30000}}]
load: {users: 2, rounds: 1, round: 1s, warmup: 0s}
limits: {drain: 200ms, loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
"""
OK_STEPS = ("open session", "tools/call greet", "tools/call boom", "close session")
pytestmark = pytest.mark.load


@pytest.fixture
def scenario(tmp_path):
    """Write a scenario for a server next to a copy of the app; return its path."""

    def write(text: str, url: str = "") -> Path:
        shutil.copy(APP, tmp_path)
        path = tmp_path / "scenario.yaml"
        path.write_text(text.replace("URL", url).replace("PYTHON", sys.executable))
        return path

    return write


def test_bursts_in_sessions_that_come_and_go_agree_with_the_server(
    start, scenario, run_cli, quick, report, tmp_path
):
    """Every call arrived once, under its arm; each journey that opens a session has one."""
    server = start("sdk_app.py", "--json")
    out = tmp_path / "run"
    ended = run_cli("run", scenario(CHURN, server.url), *quick, "--out", out, timeout=300)
    assert ended.code == 0, ended.output
    calls = server.get("/calls")
    assert calls["repeated_ids"] == 0
    for name, arm in report(out)["arms"].items():
        steps = arm["steps"]
        assert arm["classes"]["ok"] == arm["calls"] > 0, name
        assert arm["sessions_lost"] == 0
        tools = {step: numbers["count"] for step, numbers in steps.items() if "tools/" in step}
        assert tools == {
            "tools/call greet": 3 * arm["journeys_done"],
            "tools/call boom": arm["journeys_done"],
        }
        if name == "kept":
            continue
        assert steps.keys() == set(OK_STEPS)
        assert steps["open session"]["count"] == arm["journeys_done"]
        opened = arm["setup"].get("initialize", {"count": 0})["count"]
        closed = arm["setup"].get("DELETE session", {"count": 0})["count"]
        assert (opened > 0, closed > 0) == (name != "modern", name == "polite")


def test_sessions_lost_under_bursts_are_opened_once_and_the_recovery_is_timed(
    start, scenario, command, environment, report, quick, until, tmp_path
):
    """No call fails; each user's session is one loss, however many of its calls noticed."""
    server = start("sdk_app.py", "--json")
    out = tmp_path / "run"
    path = scenario(CHURN, server.url)
    measured = [word.replace("warmup=300ms", "warmup=0s") for word in quick]
    # Long enough for every user to call once more, however late the server forgets.
    measured += ["--set", "load.rounds=1", "--set", "load.round=4s", "--set", "limits.healed=100%"]
    argv = [*command("mcp-perf"), "run", str(path), "--arm", "kept", *measured, "--out", str(out)]
    run = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL)
    try:
        until(lambda: server.get("/calls")["calls"] > 100, "the run does not begin", 120)
        server.post("/forget")
        assert run.wait(300) == 0
    finally:
        run.kill()
        run.wait()
    arm = report(out)["arms"]["kept"]
    assert arm["classes"]["ok"] == arm["calls"] > 0
    assert arm["sessions_lost"] == 3
    assert arm["recovery_ms"]["p50"] > 0


def test_bursts_on_one_channel_get_their_own_answers(
    scenario, run_cli, quick, report, tmp_path, environment
):
    """Over stdio and in process, with sessions opened by steps; no process is left."""
    out = tmp_path / "run"
    ended = run_cli("run", scenario(CHANNELS), *quick, "--out", out, timeout=300, env=environment)
    assert ended.code == 0, ended.output
    for arm in report(out)["arms"].values():
        assert arm["classes"]["ok"] == arm["calls"] > 0
        assert arm["sessions_lost"] == 0
    left = [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(tmp_path)]
    assert left == []


def test_answers_that_cross_within_a_burst_are_caught(start, scenario, run_cli, quick, report):
    """A single user finds it: there are only the calls of one burst."""
    server = start("crossing_app.py")
    path = scenario(CROSSING, server.base)
    out = path.with_name("run")
    run_cli("run", path, *quick, "--out", out)
    arm = report(out)["arms"]["rest"]
    assert arm["classes"]["check_failed"] > 0
    assert arm["classes"]["ok"] > arm["classes"]["check_failed"]


def test_calls_at_once_that_outlive_their_round_are_cut_off_and_counted(
    scenario, run_cli, report, tmp_path
):
    """Each call of the burst had the whole short drain, and the run ends."""
    out = tmp_path / "run"
    ended = run_cli("run", scenario(HANGING), "--out", out, timeout=300)
    assert "Traceback" not in ended.output
    arm = report(out)["arms"]["mcp"]
    assert arm["classes"]["timeout"] == arm["calls"] == 4
    journal = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
    assert journal[-1]["reason"] == "finished"


@pytest.mark.network
def test_the_reference_server_takes_bursts_in_one_session(
    everything, scenario, run_cli, quick, report, tmp_path
):
    """The TypeScript SDK's server treats the connections of a user as one client."""
    logged = everything.log.read_text().count("Session initialized")
    text = """
name: sums
title: Sums at once
arms: {mcp: {mcp: "URL"}}
journeys:
  sums:
    with: {a: {int: {min: 0, max: 99}}}
    steps:
      - parallel:
          - call: get-sum
            arguments: {a: "${a}", b: 1}
          - call: echo
            arguments: {message: "x ${seq}"}
            expect: {equals: {"content[0].text": "Echo: x ${seq}"}}
load: {users: 3}
"""
    out = tmp_path / "run"
    ended = run_cli("run", scenario(text, everything.url), *quick, "--out", out)
    assert ended.code == 0, ended.output
    arm = report(out)["arms"]["mcp"]
    assert arm["classes"]["ok"] == arm["calls"] > 0
    # One session tests the target, and each user has one.
    assert everything.log.read_text().count("Session initialized") - logged == 4
