"""Runs that are interrupted by signals, kills or a full disk. What was measured is kept."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import uuid
from collections.abc import Iterator

import psutil
import pytest

from tests.support.waiting import until

FILES = {
    "journal.jsonl",
    "report.json",
    "report.html",
    "report.md",
    "junit.xml",
    "samples.csv",
    "run.log",
}
_MARK = "MCP_PERF_TEST"
_SLOW = """
name: slow
title: Calls that take their time
arms: {mcp: {mcp: system:echo/mcp, timeout: 40s}}
journeys: {one: {steps: [{call: sleep, arguments: {ms: 30000}}]}}
load: {users: 3, rounds: 1, round: 40s, warmup: 0s}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
"""
pytestmark = pytest.mark.load


@pytest.fixture
def marked(environment) -> Iterator[dict[str, str]]:
    """Give an environment that identifies all processes of a run, to find and end them."""
    env = {**environment, _MARK: uuid.uuid4().hex}
    yield env
    for pid in alive(env):
        psutil.Process(pid).kill()


def alive(marked: dict[str, str]) -> list[int]:
    """Return the ids of the processes of a run."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(_MARK) == marked[_MARK]:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def begin(command, marked, quick, tmp_path):
    """Start a run and wait until its first round is being measured; return the process."""
    started: list[subprocess.Popen] = []

    def start(scenario: object = "echo", wanted: str = '"kind":"call"') -> subprocess.Popen:
        out = tmp_path / "run"
        settings = () if scenario != "echo" else (*quick, "--set", "load.rounds=60")
        argv = [*command("mcp-perf"), "run", str(scenario), *settings, "--out", str(out)]
        with (tmp_path / "said").open("w") as said:
            process = subprocess.Popen(
                argv,
                env=marked,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        journal = out / "journal.jsonl"

        def measuring() -> bool:
            assert process.poll() is None, (tmp_path / "said").read_text()
            _, begun, rest = (journal.read_text("utf-8") if journal.exists() else "").partition(
                '"phase":"round"'
            )
            return bool(begun) and wanted in rest

        until(measuring, "the run does not begin")
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_promise_16_a_signal_ends_the_run_with_all_its_reports(
    number, begin, marked, report, tmp_path
):
    """105; every file is written, the report is marked as cut off, no system is left running."""
    process = begin()
    assert len(alive(marked)) == 2
    process.send_signal(number)
    assert process.wait(300) == 105
    assert alive(marked) == []
    folder = tmp_path / "run"
    assert {path.name for path in folder.iterdir()} >= FILES
    document = report(folder)
    assert (document["complete"], document["exit_code"]) == (False, 105)
    for arm in document["arms"].values():
        assert sum(arm["classes"].values()) == arm["classes"]["ok"]
    assert document["arms"]["rest"]["calls"] > 0
    assert "Traceback" not in (tmp_path / "said").read_text()


def test_promise_20_a_second_signal_cuts_off_the_calls_in_flight(begin, marked, report, tmp_path):
    """The first waits for calls of up to half a minute; the second counts them as interrupted."""
    path = tmp_path / "slow.yaml"
    path.write_text(_SLOW)
    process = begin(path, wanted="")
    process.send_signal(signal.SIGINT)
    said = tmp_path / "said"
    until(lambda: "Stopping after the calls in flight" in said.read_text(), "no word of stopping")
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(300) == 105
    assert alive(marked) == []
    document = report(tmp_path / "run")
    assert (document["complete"], document["exit_code"]) == (False, 105)
    classes = document["arms"]["mcp"]["classes"]
    assert classes["interrupted"] == sum(classes.values()) == 3
    assert {path.name for path in (tmp_path / "run").iterdir()} >= FILES
    assert "Traceback" not in said.read_text()


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_while_sessions_are_opened_leaves_a_clean_terminal(
    times, command, marked, quick, tmp_path
):
    """The cursor is visible again, nothing looks like an error, the report's name comes last."""
    ours, its = pty.openpty()
    argv = [*command("mcp-perf"), "run", "echo", *quick, "--out", str(tmp_path / "run")]
    env = {**marked, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        argv, env=env, stdin=its, stdout=its, stderr=its, start_new_session=True
    ) as process:
        os.close(its)
        said = b""
        with os.fdopen(ours, "rb", buffering=0) as screen, contextlib.suppress(OSError):
            while b"\x1b[?25l" not in said:  # progress is visible
                said += screen.read(65536)
            for _ in range(times):
                os.killpg(process.pid, signal.SIGINT)
            while True:
                said += screen.read(65536)
        assert process.wait(300) == 105
    until(lambda: alive(marked) == [], "a system outlived the run")
    text = said.decode()
    assert text.rpartition("\x1b[?25h")[2].count("\x1b[?25l") == 0
    assert text.rstrip().endswith("report.html")
    assert "Traceback" not in text


def test_promise_21_a_killed_run_leaves_no_system_and_a_journal_to_report_from(
    begin, marked, run_cli, report, tmp_path
):
    """After kill -9 the systems end automatically, and the report says that it is incomplete."""
    process = begin()
    process.kill()
    process.wait()
    until(lambda: alive(marked) == [], "a system outlived the killed run", 120)
    folder = tmp_path / "run"
    assert not (folder / "report.json").exists()
    ended = run_cli("report", folder)
    assert ended.code == 0, ended.output
    document = report(folder)
    assert document["complete"] is False
    assert document["verdict"] != "PASS"
    assert document["arms"]["rest"]["calls"] + document["arms"]["rest"]["warmup_calls"] > 0
    assert {path.name for path in folder.iterdir()} >= FILES


def test_promise_21_a_full_disk_ends_the_run_and_spares_what_was_written(
    run_cli, command, marked, quick, report, tmp_path
):
    """If the journal cannot grow, the run ends and says so; its earlier lines are intact."""
    folder = tmp_path / "run"
    # Files of this shell and its children are limited to 24 KiB: 48 blocks of 512 bytes.
    limited = ("-c", 'ulimit -f 48; exec "$@"', "sh", *command("mcp-perf"))
    ended = run_cli(
        *limited,
        *("run", "echo", *quick, "--set", "load.rounds=60", "--out", folder),
        name="/bin/sh",
        env=marked,
        timeout=300,
    )
    assert ended.code == 107, ended.output
    assert "The journal can no longer be written: File too large" in ended.output
    assert f"mcp-perf report {folder}" in ended.output
    assert "Traceback" not in ended.output
    assert alive(marked) == []
    *lines, _torn = (folder / "journal.jsonl").read_text("utf-8").split("\n")
    assert json.loads(lines[0])["scenario"] == "echo"
    assert len([json.loads(line) for line in lines]) >= 3
    assert run_cli("report", folder).code == 0
    document = report(folder)
    assert (document["complete"], document["verdict"] == "PASS") == (False, False)


def test_a_disk_that_is_full_from_the_beginning_leaves_no_report(run_cli, command, quick, tmp_path):
    """The run says so and ends with 107, without a traceback and without a word of a journal."""
    # Files are limited to 512 bytes, and the first record is longer.
    limited = ("-c", 'ulimit -f 1; exec "$@"', "sh", *command("mcp-perf"))
    ended = run_cli(*limited, "run", "echo", *quick, "--out", tmp_path / "run", name="/bin/sh")
    assert ended.code == 107, ended.output
    assert "There is no report: The journal is empty" in ended.output
    assert "Traceback" not in ended.output
    assert "The journal is complete" not in ended.output


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_result_that_cannot_be_printed_is_not_a_pass(form, run_cli, command, quick, tmp_path):
    """If stdout is a file on a full disk, the exit code is 107, and the folder is named."""
    full = ("-c", 'exec "$@" > /dev/full', "sh", *command("mcp-perf"))
    folder = tmp_path / "run"
    ended = run_cli(*full, "run", "echo", *quick, *form, "--out", folder, name="/bin/sh")
    assert ended.code == 107, ended.output
    said = f"The result cannot be printed (No space left on device): see {folder}"
    assert said in ended.output
    assert "Traceback" not in ended.output
