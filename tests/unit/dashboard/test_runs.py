"""The list of runs and the page of one run: what they show, find, and give to programs."""

import csv
import io
import re

import pytest

from mcp_perf.dashboard.report_tables import TABLES


def listed(answer):
    """Return the ids in a list, in its order."""
    return re.findall(r'href="/runs/([^"]+)"><bdi>', answer.text)


@pytest.fixture
def three(remember):
    """Store three runs of two scenarios."""
    remember("one", started="2026-01-01T10:00:00Z", verdict="PASS")
    remember("two", started="2026-02-01T10:00:00Z", verdict="FAIL")
    remember("three", started="2026-03-01T10:00:00Z", verdict="PASS", scenario="echo")


def test_an_empty_store_says_how_runs_get_into_it(ask):
    """The page names the store and the command; its file has only the head."""
    page = ask("/runs")
    assert page.status_code == 200
    assert "There is no run yet" in page.text
    assert "mcp-perf run" in page.text
    assert ask("/runs.json").json() == []
    assert ask("/runs.csv").text.startswith("run_id,verdict,scenario")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["three", "two", "one"]),
        ("?verdict=PASS&scenario=&since=&until=&text=", ["three", "one"]),
        ("?scenario=echo", ["three"]),
        ("?since=2026-01-02&until=2026-02-01", ["two"]),
        ("?text=TWO", ["two"]),
        ("?text=nothing", []),
    ],
)
@pytest.mark.usefixtures("three")
def test_runs_are_filtered_by_the_address_alone(ask, query, found):
    """The newest first; empty fields of a form filter nothing, and the last day counts."""
    assert listed(ask(f"/runs{query}")) == found
    assert [row["run_id"] for row in ask(f"/runs.json{query}").json()] == found


@pytest.mark.usefixtures("three")
def test_the_form_shows_what_is_filtered_by(ask):
    """So a link to the address shows somebody else the same."""
    text = ask("/runs?verdict=FAIL&text=two&since=2026-01-05").text
    assert '<option value="FAIL" selected>' in text
    assert 'name="text" value="two"' in text
    assert 'value="2026-01-05"' in text
    assert 'href="/runs.csv?verdict=FAIL&amp;text=two&amp;since=2026-01-05"' in text


def test_a_long_list_has_pages(ask, remember, example):
    """Each has fifty runs, and the filter stays from page to page."""
    report = example.report(rounds=1)
    for number in range(51):
        remember(f"r{number:02}", report=report, started=f"2026-01-01T10:00:{number:02}Z")
    first, second = ask("/runs?verdict=FAIL"), ask("/runs?verdict=FAIL&page=2")
    assert len(listed(first)) == 50
    assert 'href="/runs?verdict=FAIL&amp;page=2"' in first.text
    assert listed(second) == ["r00"]
    assert len(ask("/runs.csv").text.splitlines()) == 52


@pytest.mark.parametrize("query", ["verdict=GOOD", "since=monday", "page=0"])
def test_a_filter_that_cannot_be_is_refused(ask, query):
    """The answer names the wrong field."""
    answer = ask(f"/runs?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.text


@pytest.mark.usefixtures("three")
def test_a_run_is_shown_from_the_store_alone(ask):
    """It has the whole report, within the frame, with a link to the run before it."""
    page = ask("/runs/two")
    assert page.status_code == 200
    for part in (
        "FAIL",
        "Each tool or step, arm by arm",
        'aria-label="Dashboard"',
        'href="/runs/two.json"',
    ):
        assert part in page.text
    assert 'href="/compare?run=one&amp;run=two"' in page.text
    assert "Content-Security-Policy" not in page.text  # a file's is stricter than ours
    assert ask("/runs/two.json").json()["run_id"] == "two"


@pytest.mark.usefixtures("three")
def test_each_table_of_a_run_is_a_file(ask):
    """A file has as many rows as the report, and each column has an arm or a number."""
    report = ask("/runs/two.json").json()
    rows = list(csv.DictReader(io.StringIO(ask("/runs/two/steps.csv").text)))
    assert {row["arm"] for row in rows} == set(report["arms"])
    [first] = [row for row in rows if row["arm"] == "mcp"][:1]
    p95 = report["arms"]["mcp"]["steps"][first["step"]]["latency_ms"]["p95"]
    assert float(first["latency_ms.p95"]) == p95
    for name in TABLES:
        assert ask(f"/runs/two/{name}.json").status_code == 200


def test_two_remarks_are_no_interval(ask, remember, example):
    """In a table, a list has columns only if it is a pair of numbers: its low and its high."""
    report = example.report(rounds=1)
    [one, *_] = report.comparisons
    remarked = one.model_copy(update={"warnings": ["few rounds", "short rounds"]})
    remember("one", report=report.model_copy(update={"comparisons": [remarked]}))
    [row] = ask("/runs/one/comparisons.json").json()
    assert not [key for key in row if key.startswith("warnings")]
    assert row["ci95.low"] == one.ci95[0]


@pytest.mark.usefixtures("three")
def test_a_run_is_a_pdf_too(ask, printed):
    """It has the report, without the frame of the dashboard."""
    answer = ask("/runs/two.pdf")
    assert answer.content == b"%PDF-1.7"
    assert answer.headers["content-disposition"].endswith("two.pdf")
    [page] = printed
    assert "Each tool or step, arm by arm" in page
    assert 'aria-label="Dashboard"' not in page


@pytest.mark.usefixtures("three")
def test_without_typst_the_pdf_is_refused_with_how_to_get_it(ask, monkeypatch):
    """The page itself is shown."""
    monkeypatch.setattr("mcp_perf.results.render.files.pdf.find_spec", lambda _name: None)
    answer = ask("/runs/two.pdf")
    assert answer.status_code == 503
    assert "pip install" in answer.text


@pytest.mark.parametrize("path", ["/runs/no", "/runs/no.pdf", "/runs/no.json", "/runs/no/arms.csv"])
@pytest.mark.usefixtures("three")
def test_a_run_that_is_not_there_is_a_404(ask, path):
    """The sentence names it."""
    answer = ask(path)
    assert answer.status_code == 404
    assert "no report of a run no" in answer.text
    assert ask("/runs/one/tables.csv").status_code == 404


def test_hostile_names_are_read_and_nothing_else(ask, remember, example):
    """They are text in the list and in the report, and not a formula in a file."""
    remember("=1+1<script>", report=example.hostile(), started="2026-01-01T10:00:00Z")
    for page in (ask("/runs"), ask("/runs/%3D1%2B1%3Cscript%3E")):
        assert page.status_code == 200
        assert "<script>" not in page.text
        assert "<img" not in page.text
    assert "\n'=1+1<script>," in ask("/runs.csv").text.replace("\r", "")


@pytest.mark.parametrize(
    "store", ["sqlite:////proc/no/history.sqlite", "postgresql+psycopg://me:secret@127.0.0.1:1/db"]
)
def test_a_store_that_cannot_be_reached_is_said(ask, store):
    """People and programs are both informed, without the store's password."""
    page = ask("/runs", at=store)
    assert page.status_code == 503
    assert "cannot be used" in page.text
    assert "secret" not in page.text
    assert ask("/runs.json", "*/*", at=store).json()["error"]["code"] == "STORE_UNAVAILABLE"
