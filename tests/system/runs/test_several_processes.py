"""Users spread over processes: one run, whole or invalid."""

import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mcp_perf.scenario.catalog import find
from tests.support import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.load
SPREAD = ("-u", "4", "--processes", "2")


@pytest.fixture
def start(command, environment, quick, tmp_path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start a run with two processes; its folder is `tmp_path / name`."""
    started: list[subprocess.Popen] = []
    # Its gates need more calls than a slow machine makes in such a short time.
    path = tmp_path / "echo.yaml"
    path.write_text(find("echo").read_text("utf-8").partition("\ngates:")[0])

    def begin(name: str, *options: str) -> subprocess.Popen:
        argv = [*command("mcp-perf"), "run", str(path), *SPREAD, *quick, *options]
        with (tmp_path / f"{name}.log").open("w") as said:
            run = subprocess.Popen(
                [*argv, "--out", str(tmp_path / name)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        started.append(run)
        return run

    yield begin
    for run in started:
        if run.poll() is None:
            run.terminate()
            run.wait(300)


def until_measuring(run: subprocess.Popen, folder: Path) -> None:
    """Wait until both processes have reported calls of a round."""
    journal = folder / "journal.jsonl"

    def measuring() -> bool:
        assert run.poll() is None, "the run ended too early"
        return journal.exists() and journal.read_text("utf-8").count('"kind":"call"') >= 8

    until(measuring, "the run does not begin", 120)


def test_runs_side_by_side_keep_their_processes(start, report, tmp_path):
    """Each run's workers find their own master, whatever else runs on the machine."""
    runs = {name: start(name) for name in ("first", "second")}
    ended = {name: run.wait(300) for name, run in runs.items()}
    said = {name: (tmp_path / f"{name}.log").read_text() for name in runs}
    assert ended == {"first": 0, "second": 0}, said
    for name in runs:
        generator = report(tmp_path / name)["generator"]
        assert (generator["processes"], generator["workers_lost"]) == (2, [])


def test_promise_16_a_killed_process_makes_the_run_invalid(start, report, tmp_path):
    """92; the lost worker is named, and the other one's measurements are reported."""
    run = start("run", "--set", "load.rounds=6")
    until_measuring(run, tmp_path / "run")
    forks = [
        child for child in psutil.Process(run.pid).children() if "mcp-perf" in child.cmdline()[1]
    ]
    assert len(forks) == 2
    forks[0].kill()
    assert run.wait(300) == 92, (tmp_path / "run.log").read_text()
    document = report(tmp_path / "run")
    assert (document["verdict"], document["exit_code"]) == ("INVALID", 92)
    assert len(document["generator"]["workers_lost"]) == 1
    assert document["arms"]["mcp"]["calls"] > 0


def test_a_refused_run_leaves_no_worker_behind(command, environment):
    """Plain `locust --processes` also ends its workers if nothing may be sent."""
    mark = uuid.uuid4().hex
    argv = [*command("locust"), "-f", "locustfiles", "--headless", "--processes", "2"]
    ended = subprocess.run(
        [*argv, "--scenario", "nonsense"],
        env={**environment, "MCP_PERF_TEST": mark},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 104, ended.stderr
    assert not [process.pid for process in psutil.process_iter() if _is(process, mark)]


def _is(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get("MCP_PERF_TEST") == mark
    except psutil.Error:
        return False
