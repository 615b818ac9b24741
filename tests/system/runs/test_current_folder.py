"""A run in a foreign folder: none of its files is imported, run or written."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.load
TRAP = "from pathlib import Path\nPath({!r}).touch()\n"
QUICK = ("--set", "load.rounds=1", "--set", "load.round=300ms", "--set", "load.warmup=0s")
LOCUST = ("locust", "-f", str(ROOT / "locustfiles"), "--headless", "--scenario", "echo")


@pytest.fixture
def trap(tmp_path):
    """Return the file that exists once anything in the folder was imported or run."""
    sprung = tmp_path / "sprung"
    for name in ("msgspec", "uvicorn", "httpx"):
        (tmp_path / f"{name}.py").write_text(TRAP.format(str(sprung)))
    (tmp_path / "mcp_targets").mkdir()
    (tmp_path / "mcp_targets" / "__init__.py").write_text(TRAP.format(str(sprung)))
    return sprung


@pytest.fixture
def run(tmp_path, environment):
    """Run a command there, with this environment's scripts; return its exit code and output."""

    def call(tool, *arguments):
        done = subprocess.run(
            [str(Path(sys.executable).parent / tool), *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    return call


def test_neither_modules_nor_settings_of_the_current_folder_are_taken(tmp_path, trap, run):
    """`mcp-perf run` runs in a folder with a `locust.conf`, and Locust does not read it."""
    conf = f"target = mcp=stdio:touch {trap}\nhtml = over.html\n"
    (tmp_path / "locust.conf").write_text(conf)
    code, said = run("mcp-perf", "run", "echo", "--out", "out", *QUICK)
    assert code in (0, 90, 91), said
    assert not trap.exists()
    assert not (tmp_path / "over.html").exists()


def test_modules_of_the_current_folder_are_not_taken_by_locust_either(trap, run):
    """Locust puts the folder first on the path; our locustfile takes it off."""
    code, said = run(*LOCUST, "--out", "out", *QUICK)
    assert code in (0, 90, 91), said
    assert not trap.exists()


@pytest.mark.parametrize("line", ["target = mcp=stdio:false", "html = x", "out = y"])
def test_an_unnamed_configuration_file_may_not_say_what_runs_or_is_written(line, tmp_path, run):
    """It is refused before anything is sent; with --config, it is the user's choice."""
    (tmp_path / "locust.conf").write_text(line + "\n")
    code, said = run(*LOCUST)
    assert code == 104
    assert f"locust.conf: the file sets {line.partition(' ')[0]}, but --config does not" in said


def test_a_configuration_file_that_is_named_decides(tmp_path, run):
    """The same line is used."""
    (tmp_path / "locust.conf").write_text(f"target = mcp=stdio:touch {tmp_path}/sprung\n")
    assert run(*LOCUST, "--config", "./locust.conf")[0] == 108
    assert (tmp_path / "sprung").exists()


def test_a_refused_run_removes_nothing_that_was_there(tmp_path, run):
    """Even if a user's folder is named like our own."""
    (tmp_path / "out" / "systems").mkdir(parents=True)
    (tmp_path / "out" / "systems" / "mine").touch()
    target = "mcp=http://127.0.0.1:9/mcp"
    assert (
        run("mcp-perf", "run", "echo", "--arm", "mcp", "--target", target, "--out", "out")[0] == 108
    )
    assert (tmp_path / "out" / "systems" / "mine").exists()


def test_a_log_that_is_a_link_is_not_written_to(tmp_path, run):
    """Whoever made the folder would choose what is overwritten."""
    (tmp_path / "out").mkdir()
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "out" / "run.log").symlink_to("../precious")
    code, said = run("mcp-perf", "run", "echo", "--out", "out")
    assert (code, said) == (104, "--out out: run.log is a link in it; name a new folder\n")
    assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.parametrize("tool", [("mcp-perf", "run", "echo"), LOCUST], ids=["mcp-perf", "locust"])
def test_nobody_else_can_read_a_run(tool, tmp_path, run):
    """Only the owner can read the folders, every file and the history next to them."""
    code, said = run(*tool, "--arm", "mcp", "--out", "mcp-perf-out/it", *QUICK)
    assert code in (0, 90, 91), said
    written = [tmp_path / "mcp-perf-out", *(tmp_path / "mcp-perf-out").rglob("*")]
    assert {"journal.jsonl", "run.log", "echo.log", "report.html"} <= {
        path.name for path in written
    }
    assert [path for path in written if path.stat().st_mode & 0o077] == []
