"""Comparisons of runs, baselines and trends, as people read them."""

import io
import json
import random
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from mcp_perf.results.compare.report import CompareReport, compare_all
from mcp_perf.results.document.comparison import Regression
from mcp_perf.results.render.console import terminal
from mcp_perf.results.render.console.history_terminal import baseline_table, trend_tables
from mcp_perf.results.render.files import compare_report, html, junit, markdown, trend_page
from mcp_perf.results.stats.trend import Point, lines
from tests.support.earlier_runs import identity, noisy, run

HOSTILE = "<script>alert(1)</script>|`x`\x1b[31m"


class Tags(HTMLParser):
    """The tags of a page, in pairs."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, _attrs):
        """Note a tag that opens."""
        self.seen.add(tag)
        if tag not in {"meta", "line", "circle", "rect", "path", "use", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, _attrs):
        """Note a tag that is whole."""
        self.seen.add(tag)

    def handle_endtag(self, tag):
        """Close the last one."""
        if tag in self.open:
            assert self.open.pop() == tag


def runs(slower=1.2, name="mcp", **changes):
    """Give a base of one run, and a run."""
    rng = random.Random(1)
    base = run({name: noisy(rng, noise=0.005)}, "before")
    return [base], [run({name: noisy(rng, slower, noise=0.005)}, "after", **changes)]


def compared(*args, **changes) -> CompareReport:
    """Compare them at 5 %."""
    return compare_all(*runs(*args, **changes), 0.05)


def printed(show, *args, width=80) -> str:
    """Print to a terminal of so many columns, without colours."""
    out = io.StringIO()
    show(*args, Console(file=out, width=width))
    return out.getvalue()


@pytest.mark.parametrize(
    ("changes", "verdict", "code", "said"),
    [
        ({}, "FAIL", 99, "the tolerance ends at"),
        ({"slower": 1.0}, "PASS", 0, "No metric is worse than the tolerance allows."),
        ({"verdict": "INVALID"}, "INVALID", 91, "after is INVALID: its numbers do not describe"),
        ({"complete": False}, "INCONCLUSIVE", 90, "after was cut off before it was complete."),
    ],
)
def test_the_verdict_of_a_comparison_has_the_code_of_a_run(changes, verdict, code, said):
    """Broken runs are not evidence, for good or bad."""
    report = compared(**changes)
    assert (report.verdict, report.exit_code) == (verdict, code)
    assert any(said in reason for reason in report.runs[0].reasons)
    if changes.keys() & {"verdict", "complete"}:
        assert report.runs[0].regressions == []


def test_the_worst_of_several_runs_decides():
    """One that is slower among those that are not."""
    base, [slow] = runs()
    fine = runs(slower=1.0)[1]
    report = compare_all(base, [*fine, slow, *fine], 0.05)
    assert [one.verdict for one in report.runs] == ["PASS", "FAIL", "PASS"]
    assert report.exit_code == 99


def test_an_invalid_base_is_no_evidence_either():
    """Whatever the new run says."""
    base, new = runs()
    broken = run(base[0].arms, "before", verdict="INVALID")
    assert compare_all([broken], new, 0.05).verdict == "INVALID"


def test_the_terminal_shows_every_metric_within_80_columns():
    """Values before and now, ratio, interval and verdict; then the reasons and what to mind."""
    text = printed(terminal.comparison, compared())
    assert max(map(len, text.splitlines())) <= 80
    [p95] = [line for line in text.splitlines() if line.startswith("p95")]
    assert p95.split()[:3:2] + p95.split()[-1:] == ["p95", "ms", "FAIL"]
    assert "after against before" in text
    assert "FAIL (exit code 99)" in text
    assert "\x1b" not in text


LONG = "an-arm-that-is-called-by-what-it-does-in-many-words-and-a-number-"


def test_long_names_are_shortened_in_the_middle_within_80_columns():
    """So two names that begin alike still differ."""
    cells = [(f"{LONG}{n}", f"{LONG}{n}", "12.5\u00d7 to 14.3\u00d7 less") for n in range(2)]
    shown = terminal.table(("step", "arm", "95 % interval"), cells)
    lines = printed(lambda console: console.print(shown)).splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80
    assert all(
        line.count("\u2026") == 2 and line.count(f"-{n}") == 2 for n, line in enumerate(lines[1:])
    )
    history_shown = printed(trend_tables, history(arm=LONG))
    assert max(map(len, history_shown.splitlines())) <= 80


def test_ratios_to_control_are_marked_in_the_terminal():
    """A reader sees which numbers are compared."""
    rng = random.Random(1)
    arms = [{"control": noisy(rng), "mcp": noisy(rng)} for _ in range(2)]
    text = printed(terminal.comparison, compare_all([run(arms[0])], [run(arms[1])], 0.05))
    assert "arm mcp, divided by control before it is compared\n" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_page_is_whole_and_hostile_names_do_nothing():
    """HTML opens and closes, runs no script, and shows what a name is made of."""
    page = compare_report.as_html(compared(name=HOSTILE))
    tags = Tags(page)
    assert (tags.open, tags.seen & {"script"}) == ([], set())
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
    assert "default-src 'none'" in page


def test_the_markdown_is_a_table_that_names_cannot_break():
    """Every row has its eight cells."""
    text = compare_report.as_markdown(compared(name=HOSTILE))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {9}
    assert text.startswith("## \u274c FAIL: echo\n")
    assert "<script>" not in text


def test_the_json_is_the_document():
    """It can be read back, and names its schema."""
    report = compared()
    text = report.as_json()
    assert json.loads(text)["schema"] == "mcp-perf/compare/1"
    assert CompareReport.model_validate_json(text) == report


def regression(**changes) -> Regression:
    """Give a row."""
    fields = {
        "metric": "p95", "arm": "mcp", "versus": "", "unit": "ms", "base": 10.0, "new": 13.0,
        "ratio": 1.3, "ci95": (1.2, 1.4), "p_value": 0.01, "effect_needed": 1.05,
        "verdict": "FAIL", "reason": "slower than it was",
    }  # fmt: skip
    return Regression(**fields | changes)


def test_a_report_shows_its_regressions_everywhere(example):
    """In HTML, Markdown, JUnit and the terminal; JUnit leaves out what was not judged."""
    rows = [regression(), regression(metric="p50", verdict="PASS", reason="")]
    rows += [
        regression(metric="mean", verdict=None),
        regression(metric="p99", verdict="INCONCLUSIVE"),
    ]
    rows += [regression(metric="error_rate", ratio=None, ci95=(0.01, 0.02), unit="fraction")]
    report = example.report(regressions=rows)
    page = html.render(report)
    assert "Against the baseline" in page
    assert "slower than it was" in page
    assert Tags(page).open == []
    assert "### Against the baseline" in markdown.render(report)
    cases = ET.fromstring(junit.render(report)).findall(".//testcase")
    ours = {c.get("name"): c for c in cases if c.get("classname").endswith(".baseline")}
    assert list(ours) == ["mcp.p95", "mcp.p50", "mcp.p99", "mcp.error_rate"]
    assert ours["mcp.p95"].find("failure").get("message") == "slower than it was"
    assert ours["mcp.p50"].findtext("system-out") == "base 10.00 ms, now 13.00 ms"
    assert ours["mcp.p99"].find("skipped") is not None
    shown = printed(terminal.summary, report, Path("run"))
    assert "Against the baseline" in shown


def test_a_report_without_a_baseline_says_nothing_of_one(example):
    """No empty section."""
    report = example.report()
    assert "the baseline" not in html.render(report) + markdown.render(report) + junit.render(
        report
    )


def history(**changes):
    """Give the lines of two groups of runs."""
    fields = {
        "scenario": "echo", "verdict": "PASS", "complete": True, "identity": identity(),
        "arm": "mcp", "metric": "p95", "group": "g", "low": None, "high": None,
    }  # fmt: skip
    values = [10, 10.1, 9.9, 10, 10.05, 20]
    points = [
        Point(**fields | {"run_id": f"r{i}", "started": f"2026-01-0{i + 1}T00:00:00Z", "value": v})
        for i, v in enumerate(values)
    ]
    other = {"identity": identity(load={"users": 8}), "group": "h", "verdict": "INVALID"}
    last = {
        "run_id": "r9",
        "started": "2026-02-01T00:00:00Z",
        "value": 0.0,
        "low": 0.0,
        "high": 1.0,
    }
    return lines([*points, Point(**fields | other | last | changes)])


def test_a_trend_in_the_terminal_marks_what_stands_out():
    """One line for each run; what is not comparable follows with the reason."""
    text = printed(trend_tables, history())
    assert max(map(len, text.splitlines())) <= 80
    [jump] = [line for line in text.splitlines() if "stands out" in line]
    assert jump.startswith("2026-01-06")
    assert "echo, arm mcp: p95 (2 of 2), time of a call" in text
    assert "load.users: 4 in the base, 8 now" in text
    assert "INVALID" in text


def test_the_page_of_a_trend_is_whole_and_hostile_names_do_nothing():
    """A chart and a table for each line."""
    page = trend_page.render(history(arm=HOSTILE, run_id=HOSTILE))
    tags = Tags(page)
    assert (tags.open, tags.seen & {"script"}) == ([], set())
    assert page.count("<figure>") == 2
    assert "stands out</td>" in page


def test_a_baseline_is_shown_run_by_run():
    """What it was measured with, and each metric with its interval."""
    text = printed(baseline_table, runs()[0])
    assert "machine: fast, 2, Linux" in text
    assert "before (2026-01-01T00:00:00Z, PASS)" in text
    assert "10.0" in next(line for line in text.splitlines() if "p95" in line)
