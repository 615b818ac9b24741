"""Whole runs: the report has the targets' resource use, and gates judge it."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.load

GATES = (
    *("--set", "gates.0=mcp.cpu > 0%"),
    *("--set", "gates.1=mcp.rss < 1GB"),
)


def test_a_run_tells_what_its_system_used(run_cli, quick, report, tmp_path):
    """CPU per turn adds up to the samples, on the run's clock; every arm has numbers."""
    ended = run_cli("run", "echo", *quick, *GATES, "--out", tmp_path / "run")
    found = report(tmp_path / "run")
    assert {gate["gate"]: gate["verdict"] for gate in found["gates"]} == {
        "mcp.cpu > 0%": "INCONCLUSIVE",  # two rounds show nothing about their spread
        "mcp.rss < 1GB": "PASS",
    }, ended.output
    for arm, numbers in found["arms"].items():
        used = numbers["resources"]
        assert (used["source"], used["why_not"]) == ("echo", "")
        assert 0 < used["cpu"] < 2
        assert used["cpu_per_journey_ms"] > 0
        assert used["rss_bytes"]["max"] > 5_000_000
        assert used["growth_ci95"] is None
        assert "at least 6 rounds" in used["growth_why_not"]
        points = [point for point in found["resources"] if point["arm"] == arm]
        measured = [point for point in points if point["phase"] == "round"]
        cpu_s = sum(point["cpu"] * point["seconds"] for point in measured)
        seconds = sum(point["seconds"] for point in measured)
        assert cpu_s / seconds == pytest.approx(used["cpu"])
        turns = {(turn["at_s"], turn["at_s"] + turn["seconds"]) for turn in numbers["rounds"]}
        for point in points:
            assert any(at - 0.5 <= point["at_s"] <= end for at, end in turns)
    assert any("same process" in note for note in found["notes"])
    assert "What the target used" in (tmp_path / "run" / "report.md").read_text("utf-8")
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "CPU of the target" in page
    assert "Resident memory of the target" in page


def test_resources_that_are_not_there_are_refused(run_cli, tmp_path):
    """104 before anything is sent, with the place in the file; no folder is left behind."""
    setting = "arms.mcp.resources.pid=4194305"
    ended = run_cli("run", "echo", "--set", setting, "--out", tmp_path / "run")
    assert ended.code == 104, ended.output
    assert "arms.mcp.resources: process 4194305: this process does not exist" in ended.output
    assert "Traceback" not in ended.output
    assert not (tmp_path / "run").exists()


def test_a_server_that_is_pointed_at_is_found_by_its_port(
    run_cli, quick, report, tmp_path, own_echo
):
    """A target on this machine is sampled without any setting; `none` switches it off."""
    port, pid = own_echo
    ended = run_cli(
        *("run", "echo", *quick, "--target", f"mcp=http://127.0.0.1:{port}/mcp"),
        *("--set", "arms.rest.resources=none", "--out", tmp_path / "run"),
    )
    arms = report(tmp_path / "run")["arms"]
    assert arms["mcp"]["resources"]["source"].endswith(f"({pid})"), ended.output
    assert arms["rest"]["resources"]["why_not"] == "The scenario says resources: none."


@pytest.fixture
def own_echo(tmp_path, environment):
    """Start an echo system outside of the run."""
    ready = tmp_path / "ready.json"
    from mcp_targets.serving.processes import wait_for_port

    argv = [sys.executable, "-m", "mcp_targets.echo", "--ready-file", str(ready)]
    server = subprocess.Popen(argv, stdin=subprocess.PIPE, env=environment)
    yield wait_for_port(ready), server.pid
    server.terminate()
    server.communicate()
