"""A run without a file, of a server's address or of a command."""

import json
import sys

import pytest

pytestmark = pytest.mark.load

SHORT = ("--set", "load.warmup=300ms", "--set", "load.round=300ms", "--format", "json")


def test_a_server_is_loaded_without_a_file(run_cli, report, tmp_path):
    """Users double up to the maximum; the report has the highest good level, and each tool."""
    ended = run_cli(
        *("run", "system:echo/mcp", *SHORT, "--set", "load.users=4", "--out", tmp_path / "run")
    )
    assert ended.code == 0, ended.stderr
    found = report(tmp_path / "run")
    assert found["scenario"] == "mcp-perf-echo"
    arm = found["arms"]["mcp"]
    assert arm["steps"].keys() == {"tools/call echo", "tools/call add"}
    assert [one["users"] for one in arm["rounds"]] == [1, 1, 2, 4][: len(arm["rounds"])]
    [reason] = found["reasons"]
    assert reason["code"] == "capacity_found"
    assert reason["text"].startswith("mcp kept up with ")
    assert "tools/call add" in ended.stdout
    assert "Not called: sleep, fail" in ended.stderr
    assert "mcp-perf init -o my.yaml system:echo/mcp" in ended.stderr


def test_so_many_calls_are_made_as_are_asked_for(run_cli, report, tmp_path):
    """Not one more, however fast the server is; each is written to a file on request."""
    options = ("--requests", "57", "--users", "3", "--out", tmp_path / "run", "--format", "json")
    log = ("--log-calls", tmp_path / "calls.jsonl")
    ended = run_cli("run", "--tool", "add", "system:echo/mcp", *options, *log)
    assert ended.code in (0, 90, 91), ended.stderr
    found = report(tmp_path / "run")
    assert found["arms"]["mcp"]["calls"] == 57
    assert any("--log-calls" in note for note in found["notes"])
    lines = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    calls = [line for line in lines if line["journey"]]
    assert len(calls) == 57
    for call in calls:
        asked, said = json.loads(call["request"]), json.loads(call["answer"])
        assert said["structuredContent"]["sum"] == sum(asked["arguments"].values())


def test_a_command_is_loaded_at_one_rate_for_a_gate_as_often_as_is_asked(run_cli, report, tmp_path):
    """Each run is a process with its own folder, without the secret from a file."""
    server = {"command": sys.executable, "args": ["-m", "mcp_targets.stdio", "echo"]}
    server["env"] = {"API_KEY": "${KEY:-canary-4711}"}
    (tmp_path / "mcp.json").write_text(json.dumps({"servers": {"mine": server}}))
    options = ("--rate", "20", "--gate", "mcp.p95 < 10s", "--tool", "echo", "--repeat", "2")
    bounds = ("--args", '{"message": "m-${seq}"}', "--duration", "1s", "--out", tmp_path / "run")
    ended = run_cli("run", "--from", tmp_path / "mcp.json", *options, *bounds, *SHORT[:2])
    assert ended.code in (0, 90, 91), ended.stderr
    for number in (1, 2):
        found = report(tmp_path / f"run-{number}")
        assert found["scenario"] == "mine"
        assert found["environment"]["load"]["rate_per_s"] == 20
        assert [gate["gate"] for gate in found["gates"]] == ["mcp.p95 < 10s"]
        assert found["arms"]["mcp"]["steps"].keys() == {"tools/call echo"}
    written = [path for path in tmp_path.glob("run-*/**/*") if path.is_file()]
    assert not [path for path in written if b"canary-4711" in path.read_bytes()]
