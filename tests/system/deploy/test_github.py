"""The workflow and the action for GitHub: each of their scripts is run, step by step."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.support import ROOT

pytestmark = pytest.mark.process

ACTION = ROOT / "deploy" / "github-action" / "action.yml"
WORKFLOW = ROOT / "deploy" / "github" / "load-test.yml"
STEP = "Load test"


@pytest.fixture
def run(machine, runners, port, tmp_path):
    """Return what runs a job of the workflow, its action with these inputs beside its own."""

    def job(name, **inputs):
        jobs = yaml.safe_load(WORKFLOW.read_text("utf-8").replace("8000", port))["jobs"]
        steps = jobs[name]["steps"]
        for step in steps:
            if step.get("uses", "").startswith("./"):
                step["with"] |= inputs
        temp = tmp_path / "temp"
        temp.mkdir()
        return runners.GitHub(machine, temp).job(steps)

    return job


@pytest.fixture
def action(machine, runners, repository, tmp_path):
    """Return what runs the action with these inputs, this script installed as mcp-perf."""
    action = yaml.safe_load(ACTION.read_text("utf-8"))
    steps = action["runs"]["steps"]
    action["runs"]["steps"] = [step for step in steps if step.get("name") != "Install mcp-perf"]
    folder = repository / "action"
    folder.mkdir()
    (folder / "action.yml").write_text(yaml.safe_dump(action))
    installed = tmp_path / "mcp-perf" / "bin"
    installed.mkdir(parents=True)
    (installed / "python").symlink_to(sys.executable)

    def use(script, **inputs):
        (installed / "mcp-perf").write_text(f"#!{sys.executable}\n{script}")
        (installed / "mcp-perf").chmod(0o755)
        step = {"name": STEP, "uses": "./action", "with": inputs}
        return runners.GitHub(machine, tmp_path).job([step])

    return use


def commands(log):
    """Return the annotations at the end of a log, behind the word that gives commands back."""
    word = re.search("^::stop-commands::(.+)$", log, re.MULTILINE)[1]
    return log.partition(f"\n::{word}::\n")[2].splitlines()


@pytest.mark.load
def test_a_server_that_holds_makes_a_green_job(run, scenario, repository):
    """PASS: outputs, a summary, a notice, JUnit without failures, and the folder is kept."""
    scenario()
    ended = run("load")
    assert not ended.failed, ended.logs
    assert ended.outputs[STEP] == {
        "verdict": "PASS",
        "exit-code": "0",
        "report": "mcp-perf-results",
    }
    assert ended.summary.startswith("## \u2705 PASS: My server\n")
    log = ended.logs["Run the load test"]
    assert [line.partition(" ")[0] for line in commands(log)] == ["::notice"]
    assert "\x1b" not in log
    suite = ET.parse(repository / "mcp-perf-results" / "junit.xml").getroot()[0]
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    used = [name for name, _ in ended.uses]
    assert [name.partition("@")[0] for name in used] == [
        "actions/checkout",
        "actions/setup-python",
        "actions/upload-artifact",
        "actions/upload-artifact",
    ]
    kept = dict(ended.uses[2][1])
    assert {kept["name"], kept["path"]} == {"mcp-perf-report", "mcp-perf-results"}
    assert (repository / kept["path"] / "report.html").is_file()
    assert Path(ended.uses[3][1]["path"]).read_text().strip()


@pytest.mark.load
def test_a_gate_that_breaks_fails_the_job_after_the_reports_are_kept(run, scenario, repository):
    """FAIL: the step ends with 99, an error names the gate, and the artifact is there."""
    scenario(limit="1us")
    ended = run("load")
    assert ended.codes["Run the load test"] == 99
    assert ended.outputs[STEP] | {"report": ""} == {
        "verdict": "FAIL",
        "exit-code": "99",
        "report": "",
    }
    assert ended.summary.startswith("## \u274c FAIL: My server\n")
    first, second = commands(ended.logs["Run the load test"])
    assert first.startswith("::error title=mcp-perf mine%3A FAIL (exit code 99)::")
    assert second.startswith("::error title=FAIL%3A mcp.p95 < 1us::mcp.p95 is ")
    suite = ET.parse(repository / "mcp-perf-results" / "junit.xml").getroot()[0]
    assert suite.get("failures") == "2"  # the gate, and the verdict
    assert ended.uses[2][1]["name"] == "mcp-perf-report"


@pytest.mark.load
def test_a_scenario_that_is_wrong_fails_the_job_and_says_what_to_write(
    run, scenario, repository, tmp_path
):
    """Exit code 104: nothing was sent, there is no report, and page and annotation say why."""
    scenario(users=0)
    ended = run("load", install="\n./mcp-perf\n\npytest >= 8\n")
    assert ended.codes["Run the load test"] == 104
    assert ended.outputs[STEP]["verdict"] == "none"
    assert ended.outputs[STEP]["exit-code"] == "104"
    assert ended.summary.startswith("## \u26a0 No report (exit code 104)\n\n- ")
    [only] = commands(ended.logs["Run the load test"])
    assert "write at least 1" in only
    assert "write at least 1" in ended.summary
    assert not (repository / "mcp-perf-results").exists()
    assert ended.uses[2][1]["if-no-files-found"] == "ignore"
    wanted = json.loads((tmp_path / "temp" / "mcp-perf" / "wanted.json").read_text())
    assert wanted == ["./mcp-perf", "pytest >= 8"]


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


TELL = """
import json, pathlib, sys
pathlib.Path("argv.json").write_text(json.dumps(sys.argv[1:]))
sys.exit(CODE)
"""
HOSTILE = '-a b"; touch owned; echo $(touch owned) `touch owned` ${HOME} \\ *'


def test_inputs_reach_the_command_whole_and_nothing_in_them_is_run(action, repository):
    """A line of an input is one argument, whatever it is made of; empty lines are none."""
    ended = action(
        TELL.replace("CODE", "0"),
        scenario=HOSTILE,
        targets=f"mcp={HOSTILE}\n\n  \nrest=http://127.0.0.1:1\n",
        baseline=HOSTILE,
        args=f"--run-time=2m\n--set=title={HOSTILE}\n",
        folder="out",
    )
    assert not ended.failed, ended.logs
    assert json.loads((repository / "argv.json").read_text()) == [
        *(
            "run",
            "--ci",
            "--out=out",
            f"--target=mcp={HOSTILE}",
            "--target=rest=http://127.0.0.1:1",
        ),
        *(f"--baseline={HOSTILE}", "--run-time=2m", f"--set=title={HOSTILE}", f"./{HOSTILE}"),
    ]
    assert not list(repository.rglob("owned"))


def test_the_report_of_an_earlier_run_is_not_passed_off_as_this_ones(action, repository):
    """A run that was refused because its folder is taken has no verdict."""
    (repository / "out").mkdir()
    (repository / "out" / "report.json").write_text('{"verdict": "PASS", "exit_code": 0}')
    ended = action(TELL.replace("CODE", "104"), scenario="echo", folder="out\nverdict=PASS")
    assert ended.outputs[STEP]["verdict"] == "none"
    ended = action(TELL.replace("CODE", "104"), scenario="echo", folder="out")
    assert ended.codes["Run the load test"] == 104
    assert ended.outputs[STEP] == {"verdict": "none", "exit-code": "104", "report": "out"}


def scripts():
    """Return all scripts of the action and the workflow, by step."""
    found = {}
    jobs = yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]
    action = yaml.safe_load(ACTION.read_text("utf-8"))
    for name, steps in (
        *((name, job["steps"]) for name, job in jobs.items()),
        ("action", action["runs"]["steps"]),
    ):
        found |= {f"{name}: {step['name']}": step["run"] for step in steps if "run" in step}
    return found


@pytest.mark.parametrize("step", scripts())
def test_no_script_holds_an_expression_and_shellcheck_has_nothing_to_say(step, environment):
    """What GitHub would paste into a script could run; what comes by the environment cannot."""
    script = scripts()[step]
    assert "${{" not in script
    checked = subprocess.run(
        ["shellcheck", "--shell=bash", "-"], input=script, text=True, capture_output=True,
        check=False, env=environment,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("schema", "path"), [("github-workflows", WORKFLOW), ("github-actions", ACTION)]
)
def test_the_files_keep_to_their_schemas(schema, path, environment):
    """Keys and values are those that GitHub knows."""
    argv = ["check-jsonschema", "--builtin-schema", f"vendor.{schema}", path]
    checked = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert checked.returncode == 0, checked.stdout
