"""The workflow for GitHub: each of its scripts is run, step by step."""

import re
import subprocess
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.support import ROOT

pytestmark = pytest.mark.process

WORKFLOW = ROOT / "deploy" / "github" / "load-test.yml"
WORKFLOWS = (WORKFLOW, *(ROOT / ".github" / "workflows").glob("*.yml"))
"""Includes the workflows of this repository."""


@pytest.fixture
def run(machine, runners, port, tmp_path):
    """Return a function that runs a job of the workflow."""

    def job(name):
        jobs = yaml.safe_load(WORKFLOW.read_text("utf-8").replace("8000", port))["jobs"]
        temp = tmp_path / "temp"
        temp.mkdir()
        return runners.GitHub(machine, temp).job(jobs[name]["steps"])

    return job


def commands(log):
    """Return the annotations at the end of a log, after the word that enables commands again."""
    word = re.search("^::stop-commands::(.+)$", log, re.MULTILINE)[1]
    return log.partition(f"\n::{word}::\n")[2].splitlines()


@pytest.mark.load
def test_a_server_that_holds_makes_a_green_job(run, scenario, repository):
    """PASS: a summary, a notice, JUnit without failures; reports and the server's log are kept."""
    scenario()
    ended = run("load")
    assert not ended.failed, ended.logs
    assert ended.summary.startswith("## \u2705 PASS: My server\n")
    log = ended.logs["Load test"]
    assert [line.partition(" ")[0] for line in commands(log)] == ["::notice"]
    assert "\x1b" not in log
    suite = ET.parse(repository / "results" / "junit.xml").getroot()[0]
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    used = [name.partition("@")[0] for name, _ in ended.uses]
    assert used == ["actions/checkout", "actions/setup-python", "actions/upload-artifact"]
    kept = ended.uses[-1][1]
    assert kept["name"] == "load-report"
    folder, server = kept["path"].splitlines()
    assert (repository / folder / "report.html").is_file()
    assert (repository / server).read_text().strip()


@pytest.mark.load
def test_a_gate_that_breaks_fails_the_job_after_the_reports_are_kept(run, scenario, repository):
    """FAIL: the step ends with 99, an error names the gate, and the artifact is there."""
    scenario(limit="1us")
    ended = run("load")
    assert ended.codes["Load test"] == 99
    assert ended.summary.startswith("## \u274c FAIL: My server\n")
    first, second = commands(ended.logs["Load test"])
    assert first.startswith("::error title=mcp-perf mine%3A FAIL (exit code 99)::")
    assert second.startswith("::error title=FAIL%3A mcp.p95 < 1us::mcp.p95 is ")
    suite = ET.parse(repository / "results" / "junit.xml").getroot()[0]
    assert suite.get("failures") == "2"  # the gate, and the verdict
    assert ended.uses[-1][1]["name"] == "load-report"


@pytest.mark.load
def test_a_scenario_that_is_wrong_fails_the_job_and_says_what_to_write(run, scenario, repository):
    """Exit code 104: nothing is sent, there is no report, and page and annotation say why."""
    scenario(users=0)
    ended = run("load")
    assert ended.codes["Load test"] == 104
    assert ended.summary.startswith("## \u26a0 No report (exit code 104)\n\n- ")
    [only] = commands(ended.logs["Load test"])
    assert "write at least 1" in only
    assert "write at least 1" in ended.summary
    assert not (repository / "results").exists()


@pytest.mark.load
def test_benchmarks_are_a_job_with_gates_reports_and_a_summary(run, repository):
    """The user's own benchmarks: judged by their gates, with a report for each comparison."""
    ended = run("benchmarks")
    assert not ended.failed, ended.logs
    log = ended.logs["Benchmarks and their gates"]
    assert "PASS          test_search.py::test_two_messages: long.p50 <= 100x short" in log
    assert "## \u2705 PASS: A short and a long message.\n" in ended.summary
    assert "## \u2705 PASS: Echo, by REST and through an MCP tool\n" in ended.summary
    assert (repository / "benchmark-report" / "junit.xml").is_file()
    assert ended.uses[-1][1] == {"name": "benchmark-report", "path": "benchmark-report"}


def scripts():
    """Return all scripts of the workflows, by step."""
    return {
        f"{name}: {step['name']}": step["run"]
        for path in WORKFLOWS
        for name, job in yaml.safe_load(path.read_text("utf-8"))["jobs"].items()
        for step in job["steps"]
        if "run" in step
    }


@pytest.mark.parametrize("step", scripts())
def test_no_script_holds_an_expression_and_shellcheck_has_nothing_to_say(step, environment):
    """Text that GitHub pastes into a script could run; an environment variable cannot."""
    script = scripts()[step]
    assert "${{" not in script
    checked = subprocess.run(
        ["shellcheck", "--shell=bash", "-"], input=script, text=True, capture_output=True,
        check=False, env=environment,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def test_the_files_keep_to_their_schema(environment):
    """GitHub knows all keys and values."""
    argv = ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS]
    checked = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert checked.returncode == 0, checked.stdout
