"""Load runs over every transport: the verdict, the servers' own counts, and a clean end."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

APP = Path(__file__).with_name("transports_app.py")
pytestmark = pytest.mark.load
STDIO = """
name: stdio
title: One server by processes
env: [CALLS_OWN, CALLS_SHARED]
arms:
  own: {mcp: {stdio: [PYTHON, transports_app.py]}, env: {CALLS: "${env:CALLS_OWN}"}}
  shared:
    mcp: {stdio: [PYTHON, transports_app.py]}
    protocol: 2025-11-25
    process: shared
    env: {CALLS: "${env:CALLS_SHARED}"}
journeys:
  greet:
    with: {name: {template: "user ${user} of ${arm}"}}
    steps:
      - call: greet
        arguments: {name: "${name}"}
        save: {text: structuredContent.text}
      - call: greet
        arguments: {name: "${text}"}
        expect: {equals: {structuredContent.text: "hello ${text}"}}
load: {users: 3}
gates: [own.error_rate < 20%, shared.error_rate < 20%]
"""
WITHIN = """
name: within
title: What the tools cost as functions, and through two libraries
arms:
  functions: {python: transports_app}
  official: {mcp: {python: "transports_app:server"}}
  fast: {mcp: {python: "transports_fastmcp_app:server"}, protocol: 2025-11-25}
journeys:
  greet:
    functions:
      - run: greet
        arguments: {name: "${arm}", times: 2}
        save: {text: text}
      - run: greet_slowly
        arguments: {name: "${text}"}
        expect: {equals: {text: "hello hello functions, hello functions"}}
      - run: boom
        arguments: {name: Ada}
        expect: {class: tool_error}
    steps:
      - call: greet
        arguments: {name: "${arm}", times: 2}
        save: {text: structuredContent.text}
      - call: boom
        arguments: {name: "${text}"}
        expect: {class: tool_error}
load: {users: 3}
gates: [functions.error_rate < 20%, official.error_rate < 20%, fast.error_rate < 20%]
"""
DYING = """
name: dying
title: A server that dies in a call, now and then
arms:
  mcp: {mcp: {stdio: [PYTHON, transports_app.py]}}
journeys:
  greet:
    weight: 8
    steps: [{call: greet, arguments: {name: Ada}}]
  die:
    steps: [{call: die, arguments: {name: Ada}}]
load: {users: 1, rounds: 2, round: 2s, warmup: 0s, think: 20ms}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%, errors: 100%, healed: 100%}
gates: [mcp.calls > 0]
"""


@pytest.fixture
def scenario(tmp_path):
    """Write a scenario next to a copy of the app; return its path."""

    def write(text: str) -> Path:
        for name in ("transports_app.py", "transports_fastmcp_app.py"):
            shutil.copy(APP.with_name(name), tmp_path)
        path = tmp_path / "scenario.yaml"
        path.write_text(text.replace("PYTHON", sys.executable))
        return path

    return write


def left(folder) -> list[psutil.Process]:
    """Return the processes that run the app of a folder."""
    found = []
    for process in psutil.process_iter(["cwd", "cmdline", "status"]):
        info = process.info
        ours = info["cwd"] == str(folder) and "transports_app.py" in (info["cmdline"] or ())
        if ours and info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def test_a_run_over_stdio_passes_and_agrees_with_the_servers(
    scenario, run_cli, environment, quick, report, tmp_path
):
    """A process per user and one for all: every call arrived once, and no process is left."""
    counts = {arm: tmp_path / arm for arm in ("own", "shared")}
    env = {**environment, **{f"CALLS_{arm.upper()}": str(counts[arm]) for arm in counts}}
    out = tmp_path / "run"
    ended = run_cli("run", scenario(STDIO), *quick, "--out", out, env=env, timeout=300)
    assert ended.code == 0, ended.output
    arms = report(out)["arms"]
    assert {name: arm["protocol"] for name, arm in arms.items()} == {
        "own": "2026-07-28",
        "shared": "2025-11-25",
    }
    assert arms["own"]["target"] == f"stdio:{sys.executable} transports_app.py"
    for name, arm in arms.items():
        assert arm["classes"]["ok"] == arm["calls"] > 0
        assert counts[name].stat().st_size == arm["calls"] + arm["warmup_calls"]
        assert arm["sessions_lost"] == 0
        assert arm["resources"]["source"] == "its processes"
        assert arm["resources"]["processes"] == (3 if name == "own" else 1)
    # Each start is reported, in addition to the requests that opened the sessions.
    assert arms["own"]["setup_calls"] == 2 * 3
    assert arms["shared"]["setup_calls"] == 2
    assert left(tmp_path) == []


def test_a_run_within_the_process_passes(scenario, run_cli, quick, report, tmp_path):
    """Functions, coroutines, and servers of both libraries; an expected failure does not count."""
    out = tmp_path / "run"
    ended = run_cli("run", scenario(WITHIN), *quick, "--out", out, timeout=300)
    assert ended.code == 0, ended.output
    arms = report(out)["arms"]
    for arm in arms.values():
        assert arm["classes"]["ok"] == arm["calls"] > 0
    steps = arms["functions"]["steps"]
    assert steps.keys() == {"run greet", "run greet_slowly", "run boom"}
    assert arms["official"]["protocol"] == "2026-07-28"
    assert arms["functions"]["target"] == "python:transports_app"


def test_a_run_over_sse_passes_and_agrees_with_the_server(
    start, scenario, run_cli, quick, report, tmp_path
):
    """--target points an arm at another transport; the server's counts equal the report's."""
    server = start("transports_app.py")
    out = tmp_path / "run"
    options = ["--arm", "own", "--target", f"own=sse:{server.base}/sse", "--out", out]
    env = {"CALLS_OWN": "", "CALLS_SHARED": "", **os.environ}
    ended = run_cli("run", scenario(STDIO), *quick, *options, env=env)
    assert ended.code == 0, ended.output
    arm = report(out)["arms"]["own"]
    assert arm["classes"]["ok"] == arm["calls"] > 0
    assert server.get("/calls")["calls"] == arm["calls"] + arm["warmup_calls"]
    assert arm["protocol"] == "2025-11-25"


def test_a_server_that_dies_in_a_run_is_started_again(scenario, run_cli, report, tmp_path):
    """Each death is one failed call with its reason, and one lost session; the rest is fine."""
    out = tmp_path / "run"
    ended = run_cli("run", scenario(DYING), "--out", out, timeout=300)
    assert ended.code == 0, ended.output
    arm = report(out)["arms"]["mcp"]
    deaths = arm["classes"]["transport_error"]
    assert deaths >= 1
    assert arm["classes"]["ok"] + deaths == arm["calls"]
    assert 0 <= deaths - arm["sessions_lost"] <= 1
    assert arm["steps"]["tools/call die"]["classes"]["transport_error"] == deaths
    assert "the server exited with status 7: goodbye Ada" in (out / "journal.jsonl").read_text()
    assert "goodbye Ada" in (out / "systems" / "stdio-mcp.log").read_text()
    assert left(tmp_path) == []


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGINT] * 2, [signal.SIGKILL]])
def test_no_server_outlives_a_run_that_is_ended(
    signals, scenario, command, environment, until, tmp_path
):
    """After Ctrl-C, a second one, or kill -9, the servers of all users end soon."""
    env = {**environment, "CALLS_OWN": str(tmp_path / "calls"), "CALLS_SHARED": ""}
    argv = [
        *(*command("mcp-perf"), "run", str(scenario(STDIO)), "--arm", "own"),
        *("--out", str(tmp_path / "run"), "--set", "load.round=60s"),
    ]
    run = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until((tmp_path / "calls").exists, "no call is made", 120)
        until(lambda: len(left(tmp_path)) == 3, "not every user has a server", 120)
        for number in signals:
            run.send_signal(number)
        code = run.wait(300)
        assert code == (105 if signals[0] == signal.SIGINT else -9)
        until(lambda: not left(tmp_path), "a server is left", 120)
    finally:
        run.kill()
        run.wait()


def test_workers_start_the_servers_of_their_users(scenario, run_cli, quick, report, tmp_path):
    """With several processes, each has its users' servers; all logs are in one folder."""
    out = tmp_path / "run"
    env = {**os.environ, "CALLS_OWN": str(tmp_path / "calls"), "CALLS_SHARED": ""}
    options = ["--processes", "2", "--arm", "own", "--out", out]
    ended = run_cli("run", scenario(STDIO), *quick, *options, env=env, timeout=300)
    assert ended.code == 0, ended.output
    document = report(out)
    assert document["generator"]["processes"] == 2
    arm = document["arms"]["own"]
    assert (tmp_path / "calls").stat().st_size == arm["calls"] + arm["warmup_calls"]
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("target", "code", "says"),
    [
        ("own=stdio:no-such-command -x", 108, "own: cannot start no-such-command -x (there is no"),
        ("own=stdio:PYTHON -c 'raise SystemExit(5)'", 108, "exited with status 5"),
        ("own=python:json", 108, "own: cannot use json (it is a module, not an MCPServer"),
        ("own=python:nowhere", 108, "nowhere cannot be imported: ModuleNotFoundError"),
        ("own=sse:http://127.0.0.1:1/sse", 108, "cannot reach http://127.0.0.1:1/sse"),
        ("own=stdio:", 104, "is not a command"),
    ],
)
def test_a_target_that_cannot_be_used_is_told_without_a_traceback(
    target, code, says, scenario, run_cli, tmp_path
):
    """Every transport's message says what is wrong, and nothing is left behind."""
    env = {"CALLS_OWN": "", "CALLS_SHARED": "", **os.environ}
    target = target.replace("PYTHON", sys.executable)
    out = tmp_path / "run"
    options = ["--arm", "own", "--target", target, "--out", out]
    ended = run_cli("run", scenario(STDIO), *options, env=env)
    assert ended.code == code, ended.output
    assert says in ended.output
    assert "Traceback" not in ended.output
    assert not out.exists()


def test_a_function_that_is_not_there_is_named(scenario, run_cli, tmp_path):
    """Like an unknown tool: before any load, with its place in the file."""
    path = scenario(WITHIN.replace("run: greet_slowly", "run: greet_fast"))
    ended = run_cli("run", path, "--out", tmp_path / "run")
    assert ended.code == 104
    said = "journey greet, arm functions: transports_app has no function 'greet_fast'"
    assert said in ended.output
    assert json.dumps(ended.stderr).count("Traceback") == 0
