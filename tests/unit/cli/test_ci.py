"""`--ci`: what a step of a CI job leaves, and what it never does."""

import logging
import os
import re
import sys

import click
import pytest

from mcp_perf.cli.main import main
from mcp_perf.cli.output import ci
from mcp_perf.results.render.console import job_summary
from mcp_perf.results.render.console.annotations import Annotation

GITHUB = {"GITHUB_ACTIONS": "true"}
FOUND = [Annotation("notice", "mcp-perf echo: PASS", "All held.")]


def obeyed(text):
    """Return the lines that GitHub's runner takes for commands.

    A command may follow blanks or, in the old form, be anywhere in its line; after
    `stop-commands` only the agreed word is a command.
    """
    found, word = [], None
    for line in re.split(r"\r\n|\r|\n", text):
        if word is not None:
            word = None if line.strip() == f"::{word}::" else word
        elif stop := re.match(r"\s*::stop-commands::(.+)", line):
            word = stop[1]
        elif line.lstrip().startswith("::") or "##[" in line:
            found.append(line)
    return found


def test_nothing_that_is_said_is_a_command_but_the_annotations(capsys):
    """Between the first word and the last, on both streams, commands are stopped."""
    with ci.job(GITHUB) as job:
        click.echo("  ::error::owned\r::stop-commands::x\n::x::\n##[add-mask]a")
        click.echo("::set-output name=verdict::PASS", err=True)
        logging.getLogger("mcp-perf").error("::warning::owned")
        job.tell(["# parts"], FOUND)
    said = capsys.readouterr()
    assert said.err == ""
    assert "name=verdict" in said.out
    assert obeyed(said.out) == ["::notice title=mcp-perf echo%3A PASS::All held."]


def test_the_word_that_stops_commands_is_another_each_time(capsys):
    """Whoever has seen the log of an earlier run cannot turn commands on again."""
    for _ in range(2):
        with ci.job(GITHUB):
            pass
    words = re.findall("::stop-commands::(.+)", capsys.readouterr().out)
    assert len(set(words)) == 2
    assert all(len(word) == 32 for word in words)


def test_commands_are_for_github_alone(capsys):
    """Elsewhere a log has no lines that only a runner of GitHub understands."""
    with ci.job({"CI": "true", "GITLAB_CI": "true"}) as job:
        job.tell(["# parts"], FOUND)
    assert capsys.readouterr().out == ""


def test_what_breaks_off_still_gives_commands_back(capsys):
    """Even a fault in mcp-perf ends with the word: later lines of the step are obeyed again."""
    with pytest.raises(ZeroDivisionError), ci.job(GITHUB):
        raise ZeroDivisionError
    assert obeyed(capsys.readouterr().out + "::notice::x") == ["::notice::x"]
    assert sys.stderr is not sys.stdout


def test_the_summary_is_added_to_what_the_step_has_written(tmp_path):
    """Two runs of one step appear one below the other."""
    path = tmp_path / "summary.md"
    path.write_text("# before\n")
    with ci.job({"GITHUB_STEP_SUMMARY": str(path)}) as job:
        job.tell(["# one", "text"], FOUND)
        job.tell(["# two"], FOUND)
    assert path.read_text() == "# before\n# one\n\ntext\n\n# two\n\n"


def test_the_summary_keeps_within_what_github_takes(tmp_path, capsys):
    """What earlier runs of the step took is counted; if no room is left, the log says so."""
    path = tmp_path / "summary.md"
    path.write_text("x" * (job_summary.LIMIT_BYTES - 300))
    with ci.job({"GITHUB_STEP_SUMMARY": str(path)}) as job:
        job.tell(["# head", "long " * 100], FOUND)
        assert "1 of 2 parts are left out" in path.read_text()
        job.tell(["y" * 1000], FOUND)
        job.tell(["y" * 1000], FOUND)
    assert path.stat().st_size <= job_summary.LIMIT_BYTES
    assert "is full" in capsys.readouterr().out


def test_a_summary_that_cannot_be_written_is_said_and_changes_nothing(tmp_path, capsys):
    """The run's verdict does not depend on the page of the job."""
    with ci.job({**GITHUB, "GITHUB_STEP_SUMMARY": str(tmp_path)}) as job:
        job.tell(["# one"], FOUND)
    assert (
        f"The job's summary {tmp_path} cannot be written: Is a directory" in capsys.readouterr().out
    )


def test_a_run_without_a_report_is_told_by_its_errors(tmp_path, capsys):
    """What was logged as an error goes on the page; secrets stay out of it."""
    path = tmp_path / "summary.md"
    with ci.job({**GITHUB, "GITHUB_STEP_SUMMARY": str(path)}) as job:
        logging.getLogger("mcp-perf").error("cannot reach http://u:hunter2@127.0.0.1/")
        logging.getLogger("mcp-perf").warning("not this")
        job.conclude(108)
    command = obeyed(capsys.readouterr().out)
    assert len(command) == 1
    assert "(exit code 108)::cannot reach http://" in command[0]
    assert "hunter2" not in command[0] + path.read_text()
    assert "not this" not in command[0] + path.read_text()
    assert path.read_text().startswith("## \u26a0 No report (exit code 108)\n\n- cannot reach")


def test_with_a_report_there_is_nothing_to_add(capsys):
    """A run that failed has its report; it is not told twice."""
    with ci.job(GITHUB) as job:
        job.tell([], FOUND)
        job.conclude(99)
    assert len(obeyed(capsys.readouterr().out)) == 1


def test_a_forked_worker_leaves_the_page_to_its_master(capsys, monkeypatch, tmp_path):
    """With several processes there is one summary, and commands are given back once."""
    path = tmp_path / "summary.md"
    with ci.job({**GITHUB, "GITHUB_STEP_SUMMARY": str(path)}) as job:
        monkeypatch.setattr(os, "getpid", lambda: -1)
        job.conclude(1)
    assert capsys.readouterr().out.count("\n") == 1  # commands were stopped by the master
    assert not path.exists()


def test_a_comparison_that_is_refused_is_told_on_the_page(capsys, monkeypatch, tmp_path):
    """Its reason is in the summary and in an annotation, and cannot act as a command."""
    path = tmp_path / "summary.md"
    for name, value in {**GITHUB, "GITHUB_STEP_SUMMARY": str(path)}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main.main(["compare", "x\n::set-output name=a::b", str(tmp_path), "--ci"])
    assert ended.value.code == 104
    said = capsys.readouterr()
    assert (said.err, "\n::set-output" in said.out) == ("", False)
    (command,) = obeyed(said.out)
    assert command.startswith("::error title=mcp-perf%3A no report (exit code 104)::")
    assert path.read_text().startswith("## \u26a0 No report (exit code 104)\n\n- ")


HOSTILE = """
name: hostile
title: "::error::a title"
arms: {mcp: {mcp: "system:echo/mcp"}}
journeys:
  one:
    steps:
      - call: echo
        arguments: {message: "x\\n::stop-commands::y\\n::add-mask::z\\r  ::error::owned"}
        expect: {equals: {"content[0].text": "##[error]no"}}
load: {users: 8, rounds: 1, round: 1s, warmup: 300ms}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
gates: [mcp.error_rate < 50%]
"""


@pytest.mark.load
def test_a_run_against_a_hostile_server_makes_no_command_but_its_own(
    run_cli, environment, tmp_path
):
    """Names and replies that look like commands are in the log, and none of them is obeyed."""
    (tmp_path / "hostile.yaml").write_text(HOSTILE)
    summary = tmp_path / "summary.md"
    more = {**GITHUB, "GITHUB_STEP_SUMMARY": str(summary), "FORCE_COLOR": "1"}
    ended = run_cli(
        *("run", "hostile.yaml", "--ci", "--out", "out"), cwd=tmp_path, env={**environment, **more}
    )
    assert ended.code == 99, ended.output
    assert ended.stderr == ""
    assert "::stop-commands::y" in ended.stdout
    assert "\x1b" not in ended.stdout
    found = obeyed(ended.stdout)
    assert [line.partition("::")[2].partition("::")[0] for line in found] == [
        "error title=mcp-perf hostile%3A FAIL (exit code 99)",
        "error title=FAIL%3A mcp.error_rate < 50%25",
    ]
    assert summary.read_text().startswith("## \u274c FAIL: \\\\x3a:error::a title\n")
