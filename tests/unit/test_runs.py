"""Runs from Python: the command line that is made, and what its exit means. No run is made."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import mcp_perf
from mcp_perf import NoReport, assert_load, run, runs
from mcp_perf.cli import run as of_cli
from tests.support import example_report

BEGIN = [sys.executable, *["-P", "-m", "mcp_perf", "run", "--format", "html,json,md"]]


def line(subject, **settings) -> list[str]:
    """Return the part of a command line after `mcp-perf run`."""
    argv = runs.command(subject, settings)
    assert argv[: len(BEGIN)] == BEGIN
    return argv[len(BEGIN) :]


def test_settings_are_the_options_of_the_command():
    """Lists repeat an option, and mappings are written in the option's form."""
    assert line(
        Path("shop.yaml"),
        users=4,
        run_time="30s",
        arm=["mcp", "rest"],
        target={"mcp": "http://127.0.0.1:1/mcp"},
        set={"load.round": "2s", "load.users": 3, "load.stop": True},
    ) == [
        *("shop.yaml", "--users", "4", "--run-time", "30s", "--arm", "mcp", "--arm", "rest"),
        *("--target", "mcp=http://127.0.0.1:1/mcp", "--set", "load.round=2s"),
        *("--set", "load.users=3", "--set", "load.stop=true"),
    ]
    assert line("http://127.0.0.1:1/mcp", header={"X-Shop": "1"}, tool="add", args={"a": 1}) == [
        *("http://127.0.0.1:1/mcp", "--header", "X-Shop: 1", "--tool", "add", "--args", '{"a": 1}')
    ]
    assert line("echo", set=("load.users=3",)) == ["echo", "--set", "load.users=3"]


def test_every_setting_is_an_option_of_the_command():
    """What the command's table says about an option is true here, too."""
    assert set(runs.RunSettings.__annotations__) <= {param.name for param in of_cli.run.params}


def test_a_command_stands_behind_two_dashes():
    """A server over stdio is written like this on the command line."""
    assert line(["npx", "-y", "my-server"], requests=9) == [
        *("--requests", "9", "--", "npx", "-y", "my-server")
    ]


@pytest.fixture
def child(monkeypatch, tmp_path):
    """Replace the child by one that may write a report, and ends with a code."""
    monkeypatch.chdir(tmp_path)
    seen = []

    def make(code: int, report: dict | None = None):
        def wait(argv, said):
            seen.append(argv)
            said.write(b"nobody there\n")
            if report is not None:
                folder = Path(argv[argv.index("--out") + 1])
                folder.joinpath("report.json").write_text(json.dumps(report))
            return code

        monkeypatch.setattr(runs, "_wait", wait)
        return seen

    return make


def document(verdict: str = "PASS", code: int = 0) -> dict:
    """Return the document of a run."""
    built = example_report.report().model_dump(mode="json", by_alias=True)
    reasons = [] if verdict == "PASS" else [{"code": "gate_failed", "text": "it was slow"}]
    return {**built, "verdict": verdict, "exit_code": code, "reasons": reasons}


def test_run_returns_its_report_whatever_the_verdict(child, tmp_path):
    """It is the report's model. The folder is new, has the scenario's name, and git ignores it."""
    child(99, document("FAIL", 99))
    assert run("shop.yaml").verdict == "FAIL"
    [folder] = (tmp_path / "mcp-perf-out").glob("shop-*")
    assert (folder.parent / ".gitignore").read_text() == "*\n"


def test_assert_load_fails_with_the_reasons_and_the_folder(child):
    """Only PASS is a pass."""
    seen = child(90, document("INCONCLUSIVE", 90))
    with pytest.raises(AssertionError, match=r"INCONCLUSIVE\nit was slow .*\nReport: ") as failure:
        assert_load("http://127.0.0.1:1/mcp", "mcp.p95 < 1s", gate=["mcp.p50 < 1s"])
    assert "http-127" not in str(failure.value)
    assert seen[0][seen[0].index("--gate") :][:4] == [
        *("--gate", "mcp.p50 < 1s", "--gate", "mcp.p95 < 1s")
    ]


def test_assert_load_returns_the_report_of_a_pass(child):
    """The test may assert more about it."""
    child(0, document())
    assert assert_load("shop.yaml").arms.keys() == example_report.report().arms.keys()


def test_a_run_without_a_report_repeats_its_last_lines(child, tmp_path):
    """The exit code is there, too, but no folder is left."""
    child(108)
    with pytest.raises(NoReport, match="nobody there") as error:
        run("shop.yaml")
    assert error.value.exit_code == 108
    assert list((tmp_path / "mcp-perf-out").glob("shop-*")) == []


def test_the_report_of_an_earlier_run_is_not_taken_for_this_one(child, tmp_path):
    """The user has named the folder, and the run was refused because of its contents."""
    (tmp_path / "out").mkdir()
    child(104, document())
    with pytest.raises(NoReport):
        run("shop.yaml", out=tmp_path / "out")
    assert (tmp_path / "out" / "report.json").is_file()


def test_an_interrupt_lets_the_run_end(monkeypatch):
    """The child is terminated and waited for, so it writes its reports."""
    deeds = []

    class Child:
        """A child that is interrupted in its first wait."""

        def __init__(self, *_argv, **_streams) -> None:
            pass

        def wait(self) -> None:
            deeds.append("wait")
            if len(deeds) == 1:
                raise KeyboardInterrupt

        def terminate(self) -> None:
            deeds.append("terminate")

    monkeypatch.setattr(subprocess, "Popen", Child)
    with pytest.raises(KeyboardInterrupt):
        run("shop.yaml", out="somewhere")
    assert deeds == ["wait", "terminate", "wait"]


def test_the_package_has_its_names_and_no_others():
    """Each is loaded when it is first used; an unknown name is an AttributeError."""
    assert mcp_perf.run is run
    assert mcp_perf.Report.model_fields
    with pytest.raises(AttributeError, match="assert_laod"):
        _ = mcp_perf.assert_laod


@pytest.mark.process
def test_asking_for_a_run_does_not_patch_the_process():
    """All that a suite needs is imported without gevent; only `McpUser` imports it."""
    code = """
import sys, threading
from mcp_perf import *
import mcp_perf.pytest_plugin.plugin
assert not {"gevent", "gevent.monkey", "locust"} & sys.modules.keys()
from mcp_perf import McpUser
assert "gevent.monkey" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
