"""The exit codes of runs, of stored journals and of the other commands, in one table."""

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
    "an unknown command": "walk",
    "an unknown option": "run --nonsense",
    "an invalid time": "run -t soon",
    "a valid scenario": "validate echo",
    "an unknown scenario": "validate nowhere.yaml",
    "a report": "report one-arm --format md",
    "a report without a run": "report nowhere",
    "a report in an unknown format": "report one-arm --format pdfx",
    "a run and itself": "compare layers layers",
    "a slower run": "compare baseline.json baseline-levels",
    "a run that is INVALID": "compare invalid-generator invalid-generator",
    "a run that was cut off": "compare crash-torn crash-torn",
    "a run of another scenario": "compare layers one-arm",
    "an unknown run": "compare layers nowhere",
    "an invalid tolerance": "compare layers layers --tolerance 5",
    "a baseline": "baseline save layers",
    "a baseline of an INVALID run": "baseline save invalid-generator",
    "the contents of a baseline": "baseline show baseline.json",
    "a file that is not a baseline": "baseline show layers/journal.jsonl",
    "a trend without any run": "trend --store sqlite:///none.sqlite",
    "a trend of an unknown metric": "trend --metric mcp.p59",
}
"""A description -> the words of the command; each is run in this process."""


def row(code: int, verdict: str | None, what: str) -> str:
    """Write one line of the table."""
    return f"{code:>4}  {verdict or '-':<12}  {what}"


def of_runs() -> Iterator[str]:
    """Write the outcomes that the tests of the exit codes expect of real runs."""
    table = run_path(str(ROOT / "tests" / "promises" / "test_exit_codes.py"))
    for what, outcome in table["OUTCOMES"].items():
        yield row(outcome.code, outcome.verdict, what)
    for code, (_, test) in table["ELSEWHERE"].items():
        yield row(code, None, test.removeprefix("test_promise_16_").replace("_", " "))


@pytest.fixture(scope="module")
def of_journals(runs, cli):
    """Write how the runs of the stored journals ended, according to their reports."""

    def written() -> Iterator[str]:
        for path in sorted(runs.glob("*/journal.jsonl")):
            name = path.parent.name
            cli("report", name, "--format", "json")
            document = json.loads((runs / name / "report.json").read_text("utf-8"))
            yield row(document["exit_code"], document["verdict"], name)

    return written


@pytest.fixture(scope="module")
def of_commands(runs, cli):
    """Write the exit code of each command."""

    def written() -> Iterator[str]:
        for what, words in COMMANDS.items():
            ended = cli(*words.split())
            assert ended.exception is None or isinstance(ended.exception, SystemExit), (runs, what)
            yield row(ended.exit_code, None, f"{what}: mcp-perf {words}".rstrip())

    return written


def test_the_exit_codes_are_the_same(of_journals, of_commands, golden):
    """Scripts branch on these codes, so they change only on purpose."""
    parts = {"Runs": of_runs(), "Stored journals": of_journals(), "Commands": of_commands()}
    text = "\n\n".join("\n".join([f"# {title}", *rows]) for title, rows in parts.items())
    golden("exit_codes.txt", text + "\n")
