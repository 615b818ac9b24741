"""The pipeline for GitLab: its scripts are joined and run as by a runner."""

import subprocess
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.support import ROOT

pytestmark = pytest.mark.process

PIPELINE = ROOT / "deploy" / "gitlab" / ".gitlab-ci.yml"


@pytest.fixture
def run(machine, runners, port, tmp_path):
    """Return a function that runs a job of the pipeline."""

    def job(name):
        jobs = yaml.safe_load(PIPELINE.read_text("utf-8").replace("8000", port))
        return runners.gitlab(machine, jobs, name, tmp_path / "job.log"), jobs[name]["artifacts"]

    return job


@pytest.mark.load
def test_a_gate_that_breaks_fails_the_job_and_is_a_test_that_failed(run, scenario, repository):
    """The job ends with 99, its artifacts are there, and the log has no GitHub command."""
    scenario(limit="1us")
    ended, artifacts = run("load")
    assert ended.codes["load"] == 99, ended.logs
    assert artifacts["when"] == "always"
    junit = ET.parse(repository / artifacts["reports"]["junit"])
    failed = [
        case.get("name") for case in junit.iter("testcase") if case.find("failure") is not None
    ]
    assert failed == ["mcp.p95 < 1us", "verdict"]
    assert all((repository / path).exists() for path in artifacts["paths"])
    assert "round 2 of 2" in ended.logs["load"]
    assert "\n::" not in f"\n{ended.logs['load']}"


@pytest.mark.load
def test_benchmarks_are_a_job_with_gates_and_reports(run, repository):
    """The user's benchmarks pass their gates, and GitLab sees them as tests."""
    ended, artifacts = run("benchmarks")
    assert ended.codes["benchmarks"] == 0, ended.logs
    junit = ET.parse(repository / artifacts["reports"]["junit"])
    names = ["test_two_messages", "test_the_echo_loses_no_call"]
    assert [case.get("name") for case in junit.iter("testcase")] == names
    assert list((repository / "benchmark-report").glob("*/report.html"))


def test_the_file_keeps_to_its_schema(environment):
    """GitLab knows all keys and values."""
    checked = subprocess.run(
        [
            *("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci"),
            *("--data-transform", "gitlab-ci", PIPELINE),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert checked.returncode == 0, checked.stdout
