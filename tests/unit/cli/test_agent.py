"""`mcp-perf agent`: records in, leaderboard out, and the messages in between."""

import csv
import json

import pytest
from click.testing import CliRunner

from mcp_perf.agent.records import as_row, encode, read
from mcp_perf.cli.main import main

START = 1743100000000
HEADER = (
    "Directory ID,MCP Server,MCP Client,Task ID,Mode,Model,Duration (s),API Calls (count),"
    "User Interactions (count),Tokens (count),Cache Reads (count),Cache Writes (count),Cost ($),"
    "Success,Notes"
)


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Return what runs `mcp-perf agent` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main, ["agent", *words], prog_name="mcp-perf")


def record(mode, number, **more):
    """Return a record as agents leave it."""
    start = START + 100_000 * number
    given = {"mode": mode, "taskNumber": 1, "directoryId": str(number), "model": "m"}
    given |= {"startTime": start, "endTime": start + 62_545, "apiCalls": 8, "success": True}
    return given | more


@pytest.fixture
def folder(tmp_path):
    """Return a folder with two records, and with a file that is broken."""
    made = tmp_path / "metrics"
    made.mkdir()
    (made / "broken.json").write_text("{")
    for mode in ("control", "mcp"):
        one = record(mode, 1, notes='=cmd|"x"' if mode == "mcp" else "")
        (made / f"{mode}_task1_1.json").write_text(json.dumps(one))
    return made


@pytest.mark.usefixtures("folder")
def test_records_go_in_and_a_leaderboard_comes_out(ask, tmp_path):
    """What was not read is listed; the files hold the same as the terminal."""
    imported = ask("import", "metrics")
    assert imported.exit_code == 0
    assert "Not read: broken.json: Expecting property name" in imported.output
    assert imported.output.endswith("metrics: 2 records, 1 not read\n")
    shown = ask("summary", "--out", "board")
    assert shown.exit_code == 0
    assert "Overall (1 control, 1 mcp)" in shown.output
    assert "62.55" in shown.output
    out = tmp_path / "board"
    board = json.loads((out / "leaderboard.json").read_text())
    assert board["sentence"] in shown.output
    assert board["groups"][0]["metrics"][0]["control"] == 62.55
    for name in ("leaderboard.html", "leaderboard.md"):
        text = (out / name).read_text()
        assert "62.55" in text
        assert "1 control, 1 mcp" in text
    lines = (out / "rows.csv").read_text().splitlines()
    assert lines[0] == HEADER
    rows = list(csv.DictReader(lines))
    assert [row["Duration (s)"] for row in rows] == ["62.545", "62.545"]
    assert rows[1]["Notes"].startswith("'=cmd")
    assert len(json.loads((out / "summary.json").read_text())) == 2
    assert sorted(path.name for path in (out / "tasks").iterdir()) == [
        *("control_task1_1.json", "mcp_task1_1.json"),
    ]


@pytest.mark.usefixtures("folder")
def test_what_was_written_is_read_again_and_counts_once(ask):
    """As rows, as records, and from a second folder."""
    ask("import", "metrics")
    ask("summary", "--out", "board")
    again = ask("import", "board")
    assert "tasks/mcp_task1_1.json is the same record as summary.json, row 2" in again.output
    shown = ask("summary")
    assert "Overall (1 control, 1 mcp)" in shown.output
    assert "Counted once, although in two folders: 2 rows" in shown.output


def test_runs_of_one_id_keep_a_file_each(ask, tmp_path):
    """No record takes the place of another."""
    rows = [as_row(read(record("mcp", n, directoryId="../x")).record) for n in (1, 2)]
    (tmp_path / "summary.json").write_text(encode(rows))
    ask("import", "summary.json")
    ask("summary", "--out", "board")
    assert sorted(path.name for path in (tmp_path / "board" / "tasks").iterdir()) == [
        *("1_mcp_task1_.._x.json", "mcp_task1_.._x.json"),
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("import", "nowhere"), "nowhere: there is no such folder"),
        (("import", "empty"), "empty does not contain a task record"),
        (("summary",), "There are no records. Add some with mcp-perf agent import or agent run."),
        (("summary", "--store", "nonsense"), "--store"),
        (("run", "--mode", "mcp", "--task", "4"), "'4' is not one of"),
        (("run", "--mode", "mcp", "--task", "1", "--store", "x"), "--store"),
    ],
)
def test_what_cannot_be_done_is_refused(ask, tmp_path, words, told):
    """With exit code 104, and nothing is sent."""
    (tmp_path / "empty").mkdir()
    asked = ask(*words)
    assert asked.exit_code == 104
    assert told in asked.output


@pytest.mark.parametrize("task", ["1", "2", "3"])
@pytest.mark.parametrize("mode", ["control", "mcp"])
def test_an_agent_is_told_its_task_and_how_it_may_work(ask, task, mode):
    """By REST alone, or by the server's tools alone."""
    told = ask("instructions", "--task", task, "--mode", mode).output
    assert told.startswith(f"# Task {task}: ")
    assert ("You have no MCP server." in told) == (mode == "control")
    assert "counts as an interaction" in told
