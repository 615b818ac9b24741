"""The exit codes, in one table: of runs, of stored journals, and of the other commands."""

import json
from collections.abc import Iterator
from runpy import run_path

import pytest

from tests.support import ROOT

COMMANDS = {
    "a help": "run --help",
    "the version": "--version",
    "the list of scenarios": "list",
    "the list of systems": "systems",
    "a command that is not there": "walk",
    "an option that is not there": "run --nonsense",
    "a time that is none": "run -t soon",
    "a scenario that is right": "validate echo",
    "a scenario that is not there": "validate nowhere.yaml",
    "a report": "report one-arm --format md",
    "a report of no run": "report nowhere",
    "a report in no format of ours": "report one-arm --format pdfx",
    "a run and itself": "compare layers layers",
    "a slower run": "compare baseline.json baseline-levels",
    "a run that is INVALID": "compare invalid-generator invalid-generator",
    "a run that was cut off": "compare crash-torn crash-torn",
    "a run of something else": "compare layers one-arm",
    "a run that is not there": "compare layers nowhere",
    "a tolerance that is none": "compare layers layers --tolerance 5",
    "a baseline": "baseline save layers",
    "a baseline of what is INVALID": "baseline save invalid-generator",
    "what a baseline holds": "baseline show baseline.json",
    "a baseline that is none": "baseline show layers/journal.jsonl",
    "a trend without any run": "trend --store sqlite:///none.sqlite",
    "a trend of no metric of ours": "trend --metric mcp.p59",
}
"""What is asked for -> the words of the command; each is given in this process."""


def row(code: int, verdict: str | None, what: str) -> str:
    """Write one line of the table."""
    return f"{code:>4}  {verdict or '-':<12}  {what}"


def of_runs() -> Iterator[str]:
    """Write what the tests of the exit codes hold real runs against."""
    table = run_path(str(ROOT / "tests" / "promises" / "test_exit_codes.py"))
    for what, outcome in table["OUTCOMES"].items():
        yield row(outcome.code, outcome.verdict, what)
    for code, (_, test) in table["ELSEWHERE"].items():
        yield row(code, None, test.removeprefix("test_promise_16_").replace("_", " "))


@pytest.fixture(scope="module")
def of_journals(runs, cli):
    """Write how the runs of the stored journals ended, by their reports."""

    def written() -> Iterator[str]:
        for path in sorted(runs.glob("*/journal.jsonl")):
            name = path.parent.name
            cli("report", name, "--format", "json")
            document = json.loads((runs / name / "report.json").read_text("utf-8"))
            yield row(document["exit_code"], document["verdict"], name)

    return written


@pytest.fixture(scope="module")
def of_commands(runs, cli):
    """Write by which code each command ends."""

    def written() -> Iterator[str]:
        for what, words in COMMANDS.items():
            ended = cli(*words.split())
            assert ended.exception is None or isinstance(ended.exception, SystemExit), (runs, what)
            yield row(ended.exit_code, None, f"{what}: mcp-perf {words}".rstrip())

    return written


def test_the_exit_codes_are_the_same(of_journals, of_commands, golden):
    """What a script branches on changes only on purpose."""
    parts = {"Runs": of_runs(), "Stored journals": of_journals(), "Commands": of_commands()}
    text = "\n\n".join("\n".join([f"# {title}", *rows]) for title, rows in parts.items())
    golden("exit_codes.txt", text + "\n")
