"""The reports of twelve stored journals, and the pages about several runs."""

import json
import re
from pathlib import Path

import pytest

JOURNALS = {
    "pass-two-arms": "twilio-tasks, in which every gate holds",
    "fail-by-gate": "tools that fail, by two generator processes",
    "inconclusive": "long-poll-progress, too short to tell",
    "invalid-generator": "cancellation-storm, by a generator that is late",
    "one-arm": "agent-burst, its arm mcp alone",
    "open-load-drops": "dual-knee, level by level, with more arrivals than are taken",
    "breakpoint-search": "the capacity of two servers of four slots",
    "layers": "transport-ladder",
    "sessions-streams": "session-memory, from 10 to 70 sessions",
    "crash-torn": "session-churn, cut off in the middle of a record",
    "upstreams": "dual-vs-control, with its resources and what its upstreams were asked",
    "baseline-levels": "two levels of users, slower than three earlier runs",
}
"""Name -> a description of the run. Each is a short real run with made-up machines and folders."""
FORMATS = ("json", "md", "html")
EXAMPLES = {"pass-two-arms": "twilio-tasks", "layers": "transport-ladder"}
"""These pages are stored at the place that the README links to."""
LAST_DIGITS = re.compile(r"-?\d+\.\d{9,}(?:e-?\d+)?")
DAYS = {21: 1.0, 22: 1.01, 23: 0.99, 24: 1.02, 25: 1.0, 26: 1.6}
"""Day -> how much longer the rounds of that day's run took."""


def rounded(text: str) -> str:
    """Drop the last digits of a report's numbers.

    In sums and logarithms they depend on the version of Python and on the processor.
    """
    return LAST_DIGITS.sub(lambda found: f"{float(found[0]):.9g}", text)


def stored_at(name: str, form: str) -> str:
    """Name the golden of a report."""
    if form == "html" and name in EXAMPLES:
        return f"../../reports/examples/{EXAMPLES[name]}.html"
    return f"reports/{name}/report.{form}"


@pytest.fixture(scope="module")
def written(runs, cli):
    """Write the reports of a run, once; return the text of a format."""
    done = {}

    def read(name: str, form: str) -> str:
        if name not in done:
            done[name] = cli("report", name, "--format", ",".join(FORMATS))
            assert done[name].exit_code == 0, done[name].output
        return (runs / name / f"report.{form}").read_bytes().decode()

    return read


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", JOURNALS)
def test_a_stored_journal_gives_the_same_report(name, form, written, golden):
    """`mcp-perf report` makes the same report of an old journal as before."""
    text = written(name, form)
    golden(stored_at(name, form), rounded(text) if form == "json" else text)


def test_every_stored_report_is_of_a_journal(names):
    """Nothing is stored that no test looks at."""
    assert names("journals") == {f"{name}.jsonl" for name in JOURNALS} | {"baseline.json"}
    stored = {stored_at(name, form) for name in JOURNALS for form in FORMATS}
    kept = {f"reports/{name}" for name in names("reports")}
    examples = {f"../../reports/examples/{name}" for name in names("../../reports/examples")}
    assert kept | examples == stored


def test_a_comparison_of_runs_says_the_same(runs, cli, golden):
    """`mcp-perf compare` shows and writes the same about two runs as before."""
    shown = cli("compare", "baseline.json", "baseline-levels", "--out", "compared")
    golden("several/compare.txt", shown.output)
    for form in FORMATS:
        text = (runs / "compared" / f"compare.{form}").read_bytes().decode()
        golden(f"several/compare.{form}", rounded(text) if form == "json" else text)


def test_a_baseline_is_saved_and_shown_the_same(runs, cli, golden):
    """`mcp-perf baseline` keeps the same data of a run as before."""
    assert cli("baseline", "save", "pass-two-arms", "-o", "saved.json").exit_code == 0
    golden("several/baseline.json", rounded((runs / "saved.json").read_text("utf-8")))
    golden("several/baseline.txt", cli("baseline", "show", "baseline.json").output)


def test_a_trend_is_shown_the_same(runs, cli, golden, remember, journal):
    """`mcp-perf trend` shows and draws six runs, the last one slow, in the same way as before."""
    records = journal("pass-two-arms")
    history = f"sqlite:///{runs / 'history.sqlite'}"
    for day, factor in DAYS.items():
        remember(history, _of_day(runs, records, day, factor))
    metrics = ("--metric", "control.throughput", "--metric", "mcp.throughput")
    shown = cli("trend", "--store", history, *metrics, "--html", "trend.html")
    assert shown.exit_code == 0, shown.output
    golden("several/trend.txt", shown.output)
    golden("several/trend.html", (runs / "trend.html").read_bytes().decode())


def test_every_page_of_several_runs_is_looked_at(names):
    """Nothing is stored that no test looks at."""
    pages = {f"compare.{form}" for form in (*FORMATS, "txt")}
    assert names("several") == pages | {"baseline.json", "baseline.txt", "trend.html", "trend.txt"}


def _of_day(runs: Path, records: list[dict], day: int, factor: float) -> Path:
    """Write the journal of a run as if it were of another day; return its folder."""
    folder = runs / f"day-{day}"
    folder.mkdir()
    first = {"run_id": f"twilio-tasks-202611{day}", "started": f"2026-11-{day}T10:00:00Z"}
    lines = [records[0] | first]
    for record in records[1:]:
        longer = {"busy_s": record["busy_s"] * factor} if "busy_s" in record else {}
        lines.append(record | longer)
    (folder / "journal.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder
