"""The fixture `load_run` in a foreign suite: the scenario judges the run."""

import pytest

from tests.support import suites

pytestmark = pytest.mark.load
SHORT = (
    '"load.rounds={}", "load.round=300ms", "load.warmup=300ms", "limits.loop_lag_p99=10s", '
    '"limits.lost_time=100%", "limits.generator_cpu=100%", '
    # A lower error rate needs more calls than a slow machine makes.
    '"gates.0=mcp.error_rate < 20%"'
)
SUITE = f"""
def test_echo(load_run):
    report = load_run("echo", {SHORT.format(6)}, "gates.1=rest.error_rate < 20%")
    assert set(report.arms) == {{"rest", "mcp"}}

def test_wrong(load_run):
    load_run("echo", "arms.nobody=1")

def test_open(load_run):
    gate = "gates.1=mcp.throughput >= 0.01x rest"
    load_run("echo", {SHORT.format(2)}, gate, excuse=lambda report: "two rounds are too few")

def test_failed(load_run):
    gate = "gates.0=mcp.p50 < 0.0001ms"
    load_run("echo", {SHORT.format(2)}, gate, arms=["mcp"], excuse=lambda report: "never")
"""


@pytest.fixture
def suite(tmp_path, environment):
    """Write the suite; run pytest on it with some options; return its exit code and output."""

    def run(*arguments):
        return suites.run(tmp_path, environment, SUITE, "-rs", *arguments)

    return run


def test_a_load_run_is_a_benchmark_with_a_report(suite, tmp_path):
    """Its arms are in the table, its gates in the summary, its report among the others."""
    code, said = suite("test_it.py::test_echo", "--mcp-perf-report=out")
    assert code == 0, said
    assert "test_echo mcp" in said
    assert "test_echo rest" in said
    assert "PASS echo: " in said
    assert (tmp_path / "out" / "echo" / "report.html").is_file()
    assert "(echo/report.html) | PASS |" in (tmp_path / "out" / "index.md").read_text()


def test_a_run_that_was_refused_fails_with_what_it_said(suite):
    """With the scenario's error, and without our traceback."""
    code, said = suite("test_it.py::test_wrong")
    assert code == 1
    assert "the run wrote no report (exit code" in said
    assert "nobody" in said
    assert "Traceback" not in said


def test_an_excuse_skips_a_run_that_decides_nothing_and_is_shown(suite, tmp_path):
    """The run was made; its report is in the folder of runs."""
    code, said = suite("test_it.py::test_open")
    assert code == 0, said
    assert "INCONCLUSIVE, not judged: two rounds are too few" in said
    assert list((tmp_path / "mcp-perf-out").glob("echo*/report.html"))


def test_no_excuse_is_taken_for_a_gate_that_failed(suite):
    """The failure is a result."""
    code, said = suite("test_it.py::test_failed")
    assert code == 1, said
    assert "FAIL mcp.p50 < 0.0001ms" in said or "Gate mcp.p50 < 0.0001ms" in said
    assert "not judged" not in said


def test_without_benchmarking_no_load_is_made(suite, tmp_path):
    """The test is skipped with a reason."""
    code, said = suite("test_it.py::test_echo", "--benchmark-disable")
    assert code == 0
    assert "load runs are only made when benchmarks are measured (--benchmark-only)" in said
    assert not (tmp_path / "mcp-perf-out").exists()
