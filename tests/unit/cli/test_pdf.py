"""`--format pdf` of every command that writes reports, and `trend --pdf`."""

import io
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from pypdf import PdfReader

from mcp_perf.cli.main import main
from mcp_perf.results.compare.baseline import of_report
from mcp_perf.results.compare.history import append
from mcp_perf.results.render.files import pdf
from mcp_perf.results.report.build import load_report
from tests.support import ROOT

JOURNAL = ROOT / "tests" / "goldens" / "journals" / "one-arm.jsonl"
RECORD = {"taskNumber": 1, "mode": "mcp", "startTime": 1743100000000, "success": True}
COMMANDS = {
    "run/report.pdf": ("report run --format pdf", "The target met every"),
    "out/compare.pdf": ("compare run run --out out --format html,pdf", "compared"),
    "trend.pdf": ("trend --pdf trend.pdf", "From run to run"),
    "out/leaderboard.pdf": ("agent summary --out out --format pdf", "Agents with MCP and without"),
}
"""What is written -> the words of the command, and what stands in the file."""
STORE = "sqlite:///past.sqlite"


@pytest.fixture(scope="module")
def past(tmp_path_factory) -> Path:
    """Give a folder with a run, a history and a record of an agent."""
    folder = tmp_path_factory.mktemp("past")
    (folder / "run").mkdir()
    shutil.copy(JOURNAL, folder / "run" / "journal.jsonl")
    append(f"sqlite:///{folder}/past.sqlite", of_report(load_report(folder / "run")[0]))
    (folder / "agents").mkdir()
    (folder / "agents" / "mcp_task1_a.json").write_text(json.dumps(RECORD))
    return folder


@pytest.fixture(autouse=True)
def here(past, monkeypatch):
    """Work there."""
    monkeypatch.chdir(past)
    monkeypatch.setenv("MCP_PERF_STORE", STORE)


def ask(words: str):
    """Give a command."""
    return CliRunner().invoke(main, words.split(), prog_name="mcp-perf")


@pytest.mark.process
@pytest.mark.parametrize("file", COMMANDS)
def test_each_report_is_written_as_pdf(file):
    """Beside the other formats that were asked for."""
    words, said = COMMANDS[file]
    assert ask("agent import agents").exit_code == 0
    asked = ask(words)
    assert asked.exit_code in (0, 90), asked.output
    [first, *_] = PdfReader(io.BytesIO(Path(file).read_bytes())).pages
    assert said in first.extract_text()
    assert not (Path("run") / "report.html").exists()


@pytest.mark.parametrize("words", ["run echo --format pdf", *(one for one, _ in COMMANDS.values())])
def test_without_the_extra_it_is_refused_before_anything_is_done(words, monkeypatch):
    """And the message names it."""
    monkeypatch.setattr(pdf, "find_spec", lambda _name: None)
    asked = ask(words)
    assert asked.exit_code == 104
    assert "pip install 'mcp-perf[pdf]'" in asked.stderr
    assert len(asked.stderr.splitlines()) == 1
