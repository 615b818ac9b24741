"""The fixture `load_run`, as a suite of somebody else's meets it: its scenario judges the run."""

import subprocess
import sys

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.load
SHORT = '"load.rounds=6", "load.round=300ms", "load.warmup=1s", "limits.loop_lag_p99=10s"'
SUITE = f"""
def test_echo(load_run):
    report = load_run("echo", {SHORT}, "limits.late_starts=100%", "limits.generator_cpu=100%")
    assert set(report.arms) == {{"rest", "mcp"}}

def test_wrong(load_run):
    load_run("echo", {SHORT}, "arms.nobody=1")

def test_excused(load_run):
    load_run("echo", {SHORT}, arms=["mcp"], excuse=lambda report: f"only {{[*report.arms]}}")
"""


@pytest.fixture
def suite(tmp_path, environment):
    """Write the suite; run pytest on it, with what is given; return its exit code and words."""

    def run(*arguments):
        (tmp_path / "conftest.py").write_text(
            'pytest_plugins = ["mcp_perf.pytest_plugin.plugin"]\n'
        )
        (tmp_path / "test_it.py").write_text(SUITE)
        command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, "-c", "/dev/null", "--rootdir", ".", *arguments],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return done.returncode, " ".join(f"{done.stdout} {done.stderr}".split())

    return run


def test_a_load_run_is_a_benchmark_with_a_report(suite, tmp_path):
    """Its arms stand in the table, its gates in the summary, its report among the others."""
    code, said = suite("-k", "echo", "--mcp-perf-report=out")
    assert code == 0, said
    assert "test_echo mcp" in said
    assert "test_echo rest" in said
    assert "PASS echo: " in said
    assert (tmp_path / "out" / "echo" / "report.html").is_file()
    assert "(echo/report.html) | PASS |" in (tmp_path / "out" / "index.md").read_text()


def test_a_run_that_was_refused_fails_with_what_it_said(suite):
    """The scenario's own complaint, and no traceback of ours."""
    code, said = suite("-k", "wrong")
    assert code == 1
    assert "the run has no report" in said
    assert "nobody" in said
    assert "Traceback" not in said


def test_an_excuse_skips_the_test_and_is_shown(suite, tmp_path):
    """The run was made, and is said to decide nothing; its report lies where runs are."""
    code, said = suite("-k", "excused")
    assert code == 0
    assert "not judged: only ['mcp']" in said
    assert list((tmp_path / "mcp-perf-out").glob("echo*/report.html"))


def test_without_benchmarking_no_load_is_made(suite, tmp_path):
    """The test is skipped, and says why."""
    code, said = suite("-k", "echo", "--benchmark-disable")
    assert code == 0
    assert "a load run is made only where benchmarks are measured" in said
    assert not (tmp_path / "mcp-perf-out").exists()
