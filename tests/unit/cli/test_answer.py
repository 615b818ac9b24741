"""Every command answers in words, as one JSON document, or by its exit code alone."""

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from mcp_perf import load
from mcp_perf.agent.recording.command import Recorded
from mcp_perf.agent.records import read as read_record
from mcp_perf.agent.store import AgentStore
from mcp_perf.cli import answer
from mcp_perf.cli.main import main
from mcp_perf.cli.output.findings import Finding
from mcp_perf.results.compare.baseline import of_report
from mcp_perf.results.compare.history import append
from mcp_perf.results.document.document import Report
from mcp_perf.results.report.build import load_report
from tests.support import ROOT
from tests.unit.load.survey.conftest import TOOLS, serve, start

__all__ = ["serve", "start"]
RECORD = {"taskNumber": 1, "mode": "mcp", "startTime": 1743100000000, "success": True}
JOURNALS = ROOT / "tests" / "goldens" / "journals"
FINE = {
    "run": (("run", "echo"), lambda found: found["schema"] == "mcp-perf/report/1"),
    "web": (("web",), lambda found: found == {"address": "http://127.0.0.1:8089/"}),
    "check": (("check", "URL"), lambda found: found["name"] == "Tool shop"),
    "init": (("init", "URL", "-o", "my.yaml"), lambda found: "echo" in found["tools"]),
    "validate": (("validate", "echo"), lambda found: found[0]["arms"] == ["rest", "mcp"]),
    "list": (("list",), lambda found: found[0]["name"] == "echo"),
    "systems": (("systems",), lambda found: "system:echo/mcp" in found[0]["targets"]),
    "systems start": (("systems", "start", "echo"), lambda found: found["mcp"] == "http://a"),
    "report": (("report", "run"), lambda found: found["schema"] == "mcp-perf/report/1"),
    "doctor": (("doctor",), lambda found: found[0]["what"] == "clock"),
    "compare": (("compare", "run", "run"), lambda found: found["verdict"] == "INCONCLUSIVE"),
    "baseline save": (("baseline", "save", "run"), lambda found: len(found["runs"]) == 1),
    "baseline show": (("baseline", "show", "base.json"), lambda found: found[0]["arms"]),
    "trend": (("trend", "--store", "sqlite:///past.sqlite"), lambda found: found[0]["marks"]),
    "dashboard": (
        ("dashboard", "--store", "sqlite:///past.sqlite", "--port", "0"),
        lambda found: found["address"].startswith("http://127.0.0.1:"),
    ),
    "schema": (("schema",), lambda found: found["$id"] == "mcp-perf/scenario/1"),
    "locustfile": (("locustfile",), lambda found: found["file"].endswith("scenario.py")),
}
FINE |= {
    "agent import": (("agent", "import", "agents"), lambda found: found["records"] == 1),
    "agent summary": (
        ("agent", "summary", "--store", "sqlite:///past.sqlite"),
        lambda found: found["sentence"],
    ),
    "agent run": (
        ("agent", "run", "--mode", "mcp", "--task", "1"),
        lambda found: found[0]["mode"] == "mcp",
    ),
    "agent run-all": (("agent", "run-all"), lambda found: len(found) == 6),
    "agent instructions": (
        ("agent", "instructions", "--task", "1", "--mode", "mcp"),
        lambda found: "number" in found["text"],
    ),
    "agent serve": (
        ("agent", "serve", "--web-port", "0"),
        lambda found: found["address"].startswith("http://127.0.0.1:"),
    ),
    "agent record": (
        ("agent", "record", "--url", "http://a/mcp"),
        lambda found: found["calls"] == 2,
    ),
}
"""Every command, with words that it does not refuse, and what its document says."""
WRONG = {
    "run": ("run", "--format", "pdfx"),
    "web": ("web", "refused"),
    "check": ("check", "echo"),
    "init": ("init", "echo", "-o", "my.yaml"),
    "validate": ("validate", "nowhere"),
    "list": ("list", "echo"),
    "systems": ("systems", "halt"),
    "systems start": ("systems", "start", "ech"),
    "report": ("report", "nowhere"),
    "doctor": ("doctor", "echo"),
    "compare": ("compare", "run"),
    "baseline save": ("baseline", "save", "nowhere"),
    "baseline show": ("baseline", "show", "run/journal.jsonl"),
    "trend": ("trend", "--metric", "mcp.p59"),
    "dashboard": ("dashboard", "--store", "nowhere"),
    "schema": ("schema", "echo"),
    "locustfile": ("locustfile", "--path"),
}
WRONG |= {
    "agent import": ("agent", "import", "nowhere"),
    "agent summary": ("agent", "summary", "--store", "nowhere"),
    "agent run": ("agent", "run", "--mode", "mcp", "--task", "4"),
    "agent run-all": ("agent", "run-all", "--repeat", "0"),
    "agent instructions": ("agent", "instructions", "--task", "4", "--mode", "mcp"),
    "agent serve": ("agent", "serve", "--web-port", "70000"),
    "agent record": ("agent", "record"),
}
"""Every command, with words that it refuses."""


def named(group: click.Group, before: str = "") -> Iterator[str]:
    """Yield all commands that do something, not only hold others."""
    for name, command in group.commands.items():
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield before + name
        if isinstance(command, click.Group):
            yield from named(command, f"{before}{name} ")


@pytest.fixture(scope="module")
def past(tmp_path_factory) -> tuple[Path, Report]:
    """Return a folder with a run, a baseline and a history, and the run's report."""
    folder = tmp_path_factory.mktemp("past")
    (folder / "run").mkdir()
    shutil.copy(JOURNALS / "layers.jsonl", folder / "run" / "journal.jsonl")
    shutil.copy(JOURNALS / "baseline.json", folder / "base.json")
    report = load_report(folder / "run")[0]
    append(f"sqlite:///{folder}/past.sqlite", of_report(report))
    (folder / "agents").mkdir()
    (folder / "agents" / "mcp_task1_a.json").write_text(json.dumps(RECORD))
    AgentStore(f"sqlite:///{folder}/past.sqlite").replace("a", [read_record(RECORD)[0]])
    return folder, report


@pytest.fixture
def ask(past, request, monkeypatch) -> Callable[..., Result]:
    """Return what runs a command without load: fakes stand in for the load generator."""
    folder, report = past
    monkeypatch.chdir(folder)

    def run(arguments: Any, screen: Any) -> int:
        if "nowhere" in arguments:
            logging.getLogger("mcp-perf").error("there is no such scenario")
            return 104
        screen.say("calls 127.0.0.1")
        screen.ended(report, SimpleNamespace(folder=folder / "run"))
        return 90

    def serve_page(options: Any, opened: Callable[[str], None]) -> int:
        if "refused" in options:
            return 104
        opened("http://127.0.0.1:8089/")
        return 0

    headless = SimpleNamespace(run=run, serve=serve_page)
    monkeypatch.setattr(load, "headless", headless, raising=False)
    monkeypatch.delitem(sys.modules, "mcp_perf.cli.output.screen", raising=False)
    monkeypatch.setattr("mcp_perf.load.targets.bundled.Systems", systems)
    recorded = Recorded("calls.jsonl", 2, 1)
    monkeypatch.setattr(
        "mcp_perf.agent.recording.command.record", lambda *_words, **_how: (0, recorded)
    )
    done = SimpleNamespace(record=read_record(RECORD)[0])
    monkeypatch.setattr("mcp_perf.agent.replay.replay", lambda *_how: done)
    monkeypatch.setattr("mcp_perf.load.web.serving.serve", lambda _app, listener: listener.close())
    found = [Finding("clock", "1 ns", fine=True, meaning="it ticks")]
    monkeypatch.setattr("mcp_perf.cli.doctor.examine", lambda say: say("clock") or found)

    def ask(*words: str) -> Result:
        url = request.getfixturevalue("start")(TOOLS)[1].line if "URL" in words else ""
        arguments = [url if word == "URL" else word for word in words]
        return CliRunner().invoke(main, arguments, prog_name="mcp-perf")

    yield ask
    sys.modules.pop("mcp_perf.cli.output.screen", None)
    (folder / "my.yaml").unlink(missing_ok=True)


@contextmanager
def systems(*_where: Any) -> Iterator[Any]:
    """Return systems that get a Ctrl-C as soon as they run."""

    def dead() -> list[str]:
        raise KeyboardInterrupt

    yield SimpleNamespace(face=lambda _reference: SimpleNamespace(url="http://a"), dead=dead)


def test_every_command_is_tried():
    """The tables above have all of them, even the hidden ones."""
    assert set(named(main)) == set(FINE) == set(WRONG)


@pytest.mark.parametrize("command", FINE)
def test_with_json_stdout_is_one_document(ask, command):
    """Nothing comes before or after it, and the exit code is the same as in words."""
    words, says = FINE[command]
    asked = ask(*words, "--json")
    assert asked.exit_code == (90 if command in ("run", "compare") else 0), asked.output
    assert says(json.loads(asked.stdout))
    assert asked.stdout.isascii()


@pytest.mark.parametrize("command", FINE)
def test_a_quiet_command_says_nothing_and_ends_with_the_same_code(ask, command):
    """Neither on stdout nor, if nothing is wrong, on stderr."""
    asked = ask(*FINE[command][0], "-q")
    assert (asked.output, asked.exit_code) == ("", 90 if command in ("run", "compare") else 0)


def test_a_run_that_is_refused_on_its_way_says_by_its_log_why(ask):
    """That is a document, too: what it logged as errors."""
    found = json.loads(ask("run", "nowhere", "--json").stdout)
    assert found == {"exit_code": 104, "refused": ["there is no such scenario"]}
    assert ask("run", "nowhere", "-q").exit_code == 104


def test_the_options_may_stand_before_the_command_too(ask):
    """As in other tools."""
    assert json.loads(ask("--json", "list").stdout)[0]["name"] == "echo"
    assert ask("-q", "list").output == ""


@pytest.mark.parametrize("command", WRONG)
def test_a_mistake_is_a_document_too(ask, command):
    """It has the exit code; stderr says the same in words, just like without --json."""
    asked = ask(*WRONG[command], "--json")
    found = json.loads(asked.stdout)
    assert found["exit_code"] == asked.exit_code > 100
    assert all(line in asked.stderr for line in found["refused"]) or command == "web"
    plain = ask(*WRONG[command], "-q")
    assert (plain.stdout, plain.stderr) == ("", asked.stderr)


def test_a_dry_run_is_a_list_of_calls(ask, monkeypatch):
    """Like a run's document, it is whole, even if a journey was not ok."""
    call = {"arm": "mcp", "journey": "j", "step": "s", "class": "ok", "ms": 1.0, "answer": "\x9b"}
    fake = SimpleNamespace(dry_run=lambda _options, _user, show: show(call))
    monkeypatch.setitem(sys.modules, "mcp_perf.load.engine.dry_run", fake)
    asked = ask("run", "echo", "--dry-run", "--json")
    assert (asked.exit_code, json.loads(asked.stdout)) == (99, [call])
    assert ask("run", "echo", "--dry-run").stdout == "mcp, j: s: ok, 1 ms\n  answer: \\x9b\n"


def test_several_runs_are_a_list_of_documents(ask, monkeypatch):
    """Each run is a new process."""
    monkeypatch.setattr("mcp_perf.cli.run.again", lambda *_words: (0, b'{"a": 1}'))
    assert json.loads(ask("run", "echo", "--repeat", "2", "--json").stdout) == [{"a": 1}] * 2


@pytest.mark.parametrize("words", [("run", "echo"), ("compare", "run", "run")])
def test_json_and_ci_want_the_same_stream(ask, words):
    """So one of them is refused."""
    asked = ask(*words, "--ci", "--json")
    assert asked.exit_code == 104
    assert "--ci and --json cannot be combined" in json.loads(asked.stdout)["refused"][0]


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ZeroDivisionError("no"), 107, "A fault in mcp-perf, please report it: ZeroDiv"),
        (OSError(28, "No space left on device"), 107, "No space left on device"),
        (KeyboardInterrupt(), 105, "Stopped"),
        (click.Abort(), 105, "Stopped"),
    ],
)
def test_what_is_thrown_is_said_in_a_sentence(ask, monkeypatch, error, code, says):
    """With the exit codes of a run, in JSON too, and without a traceback."""

    def examine(_say: Any) -> None:
        raise error

    monkeypatch.setattr("mcp_perf.cli.doctor.examine", examine)
    asked = ask("doctor", "--json")
    assert asked.exit_code == json.loads(asked.stdout)["exit_code"] == code
    assert says in asked.stderr
    assert "Traceback" not in asked.output


@pytest.mark.process
@pytest.mark.parametrize("words", [["list"], ["schema"], FINE["trend"][0]])
def test_a_reader_who_has_seen_enough_is_no_mistake(words, past):
    """`| head -1` closes the pipe: there is no message, and the exit code stays."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "mcp_perf", *words]
    with os.fdopen(write, "wb") as nobody:
        asked = subprocess.run(
            command, stdout=nobody, stderr=subprocess.PIPE, text=True, cwd=past[0], check=False
        )
    assert (asked.returncode, asked.stderr) == (0, "")


def test_outside_of_a_command_all_is_said(capsys):
    """The tests of its parts rely on that."""
    answer.answer({}, "in words")
    assert capsys.readouterr().out == "in words\n"
