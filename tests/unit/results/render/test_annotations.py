import re

import pytest

from mcp_perf.results.compare.report import ComparedRun, CompareReport
from mcp_perf.results.document.comparison import Regression
from mcp_perf.results.document.document import GateResult
from mcp_perf.results.document.text import visible
from mcp_perf.results.render.console import annotations
from mcp_perf.results.render.console.annotations import (
    Annotation,
    of_comparison,
    of_refusal,
    of_report,
)

COMMAND = re.compile(r"::(error|warning|notice) title=([^,:]*)::(.*)")
"""How a runner reads a command; neither colon nor comma stands raw in a title."""


def read(line):
    """Read a command as GitHub's runner does: level, title, message."""
    level, title, message = COMMAND.fullmatch(line).groups()
    for escaped, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n")):
        title = title.replace(escaped, character)
        if escaped in ("%0D", "%0A"):
            message = message.replace(escaped, character)
    return level, title.replace("%25", "%"), message.replace("%25", "%")


def gate(verdict, text="mcp.p95 < 200ms", reason="it is 300 ms"):
    """Give a judged gate."""
    return GateResult(gate=text, measured=0.3, unit="s", verdict=verdict, reason=reason)


def row(verdict, reason="mcp.p95 is 12 % worse"):
    """Give a metric against a baseline."""
    return Regression(
        metric="p95", arm="mcp", versus="", unit="ms", base=1.0, new=2.0, ratio=2.0, ci95=(1, 3),
        p_value=0.1, effect_needed=1.1, verdict=verdict, reason=reason,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "level"),
    [("PASS", "notice"), ("INCONCLUSIVE", "warning"), ("FAIL", "error"), ("INVALID", "error")],
)
def test_the_verdict_comes_first_and_has_its_level(example, verdict, level):
    """A job that is green has a notice, one without evidence a warning, any other an error."""
    report = example.report(
        verdict=verdict, reasons=example.because("Because."), gates=[], exit_code=7
    )
    first = read(str(of_report(report)[0]))
    assert first[0] == level
    assert first[1] == f"mcp-perf twilio-tasks: {verdict} (exit code 7)"
    assert first[2].endswith("\nBecause. (gate_failed)")


def test_what_did_not_pass_is_annotated_and_what_passed_is_not(example):
    """One annotation for each gate, and for each metric against the baseline, that did not pass."""
    report = example.report(
        verdict="FAIL",
        reasons=example.because(
            "Gate a.p95 < 1s: it is 300 ms", "Regression: mcp.p95 is 12 % worse", "Also."
        ),
        gates=[gate("PASS", "x.p50 < 1s"), gate("FAIL", "a.p95 < 1s"), gate("INCONCLUSIVE", "b")],
        regressions=[row("PASS"), row("FAIL"), row(None)],
    )
    found = [read(str(one)) for one in of_report(report)]
    assert found[1:] == [
        ("error", "FAIL: a.p95 < 1s", "it is 300 ms"),
        ("error", "FAIL: mcp.p95", "mcp.p95 is 12 % worse"),
        ("warning", "INCONCLUSIVE: b", "it is 300 ms"),
    ]
    assert found[0][2].splitlines()[1:] == ["Also. (gate_failed)"]  # the others have an annotation


def test_a_run_that_was_cut_off_says_so(example):
    """Numbers of a part of a run do not pass for numbers of the whole."""
    assert "cut off" in of_report(example.empty())[0].message


HOSTILE = (
    "100%0A::error::owned\r\n::stop-commands::x\n##[add-mask]a\x1b[31m\u202e,title=b::c\u2028\x85"
)


@pytest.mark.parametrize(
    "text", [HOSTILE, "::add-mask::secret", "\n::set-output name=verdict::PASS"]
)
def test_no_text_becomes_a_command_or_leaves_its_own(text):
    """Whatever a name or a reason is made of, an annotation is one line, and reads back whole."""
    line = str(Annotation("error", text, text))
    assert line.splitlines() == [line]
    assert line.startswith("::error title=")
    level, title, message = read(line)
    assert level == "error"
    said = visible(text).strip()
    assert message == said
    assert title == " ".join(said.split())


def test_a_whole_report_of_hostile_text_has_no_other_command(example):
    """Names of arms, gates and errors that look like commands change nothing."""
    lines = [str(one) for one in of_report(example.hostile())]
    assert lines
    assert all(COMMAND.fullmatch(line) for line in lines)


def test_long_text_is_cut_and_says_so():
    """A reply of a megabyte does not fill the job's page."""
    line = str(Annotation("error", "t" * 10_000, "m" * 100_000))
    assert len(line) < 5000
    assert "(9800 more characters)" in line
    assert "(96000 more characters)" in line


def test_more_than_github_shows_is_counted(example):
    """GitHub drops what is beyond ten of a level; the tenth says how many are missing."""
    gates = [gate("FAIL", f"mcp.p95 < {n}ms") for n in range(25)]
    found = of_report(example.report(verdict="FAIL", gates=gates))
    assert len(found) == annotations.MOST
    assert found[-2].title == "FAIL: mcp.p95 < 7ms"
    assert found[-1].message == "17 more are in the report."
    exactly = of_report(example.report(verdict="FAIL", gates=gates[:9]))
    assert exactly[-1].title == "FAIL: mcp.p95 < 8ms"


def test_a_comparison_of_runs_is_annotated_too():
    """The verdict over all runs, then what got worse."""
    run = ComparedRun(
        run_id="new", started="", verdict="FAIL", notes=[], regressions=[row("FAIL"), row("PASS")],
        reasons=["Regression: mcp.p95 is 12 % worse", "Odd."],
    )  # fmt: skip
    report = CompareReport(
        scenario="echo", base=["old"], tolerance=0.05, verdict="FAIL", exit_code=99, runs=[run]
    )
    first, second = (read(str(one)) for one in of_comparison(report))
    assert first == (
        "error",
        "mcp-perf echo: FAIL (exit code 99)",
        "Something got worse, and this is not noise.\nOdd.",
    )
    assert second == ("error", "FAIL: mcp.p95", "mcp.p95 is 12 % worse")


def test_a_run_without_a_report_says_why():
    """A refusal is an error with all its lines."""
    assert read(str(of_refusal(104, ["a: b", "c"]))) == (
        "error",
        "mcp-perf: no report (exit code 104)",
        "a: b\nc",
    )
