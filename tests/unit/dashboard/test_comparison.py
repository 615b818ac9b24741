"""Runs compared on the dashboard as `mcp-perf compare` does, with the curves of all runs."""

import json
import re

import pytest

from mcp_perf.results.compare.baseline import of_report
from mcp_perf.results.compare.report import compare_all


def charts(answer):
    """Return the charts of a page by their ids."""
    found = re.findall(r'data-chart="([\w-]+)">(.*?)</script>', answer.text)
    return {name: json.loads(spec) for name, spec in found}


@pytest.fixture
def three(remember):
    """Store three runs, the last of them much slower; return their reports."""
    days = (("one", 1, 1), ("two", 1.02, 2), ("slow", 1.6, 3))
    return [remember(name, slower, started=f"2026-01-0{day}") for name, slower, day in days]


def test_the_numbers_are_those_of_the_command(ask, three):
    """Every metric of every arm has the same verdict and interval; the oldest is the base."""
    rows = ask("/compare.json?run=slow&run=one&run=two").json()
    base, *others = map(of_report, three)
    expected = compare_all([base], others, 0.1)
    judged = [(run.run_id, one) for run in expected.runs for one in run.regressions]
    assert [(row["run_id"], row["arm"], row["metric"], row["verdict"]) for row in rows] == [
        (run_id, one.arm, one.metric, one.verdict) for run_id, one in judged
    ]
    first = next(one for _, one in judged if one.ci95)
    shown = next(row for row in rows if row["low"] is not None)
    assert (shown["low"], shown["high"]) == first.ci95
    assert "run_id,arm,versus,metric" in ask("/compare.csv?run=one&run=slow").text


def test_the_page_shows_each_run_against_the_base_and_the_curves_of_all(ask, three):
    """There is a chart for each arm with a line for each run, and a table with its numbers."""
    page = ask("/compare?run=one&run=two&run=slow")
    assert page.status_code == 200
    assert page.text.count("Against the base: the verdict on each metric</caption>") == 2
    found = charts(page)
    assert [spec["title"] for spec in found.values()] == [
        f"{arm}: latency by percentile" for arm in three[0].arms
    ]
    lines = found["curve-1"]["lines"]
    assert [line["name"] for line in lines] == ["one", "two", "slow"]
    assert all(at > 0 for line in lines for at in line["x"][1:])  # nothing is below the median
    assert "Latency by percentile</caption>" in page.text
    rows = ask("/compare/percentiles.json?run=one&run=slow").json()
    assert [row["run_id"] for row in rows] == ["one", "one", "slow", "slow"]
    assert rows[0]["p95"] == three[0].arms[rows[0]["arm"]].latency_ms.p95


@pytest.mark.usefixtures("three")
def test_another_base_and_tolerance_can_be_chosen(ask):
    """Both are in the address."""
    page = ask("/compare?run=one&run=two&base=two&tolerance=90%25").text
    assert 'Base: <a href="/runs/two"><bdi>two</bdi></a>' in page
    assert 'name="tolerance" value="90%"' in page
    rows = ask("/compare.json?run=one&run=slow&tolerance=90%25").json()
    assert "FAIL" not in [row["verdict"] for row in rows]


@pytest.mark.usefixtures("three")
def test_what_cannot_be_compared_is_said_and_its_curve_shown_all_the_same(ask, remember):
    """Another load is another question, so nothing is judged."""
    remember("other", started="2026-02-01", users=400)
    page = ask("/compare?run=one&run=other")
    assert "load.users: 4 in the base, 400 now" in page.text
    assert ask("/compare.json?run=one&run=other").json() == []
    assert len(charts(page)["curve-1"]["lines"]) == 2
    assert len(ask("/compare.json?run=one&run=other&run=two").json()) > 0


@pytest.mark.usefixtures("three")
def test_a_comparison_is_a_pdf_too(ask, remember, printed):
    """It is as the command writes it; runs that cannot be compared have none."""
    assert ask("/compare.pdf?run=one&run=slow").content == b"%PDF-1.7"
    assert "one" in printed[0]
    assert "slow" in printed[0]
    assert printed[0].count(": latency by percentile</h2>") == 2
    remember("other", started="2026-02-01", users=400)
    assert ask("/compare.pdf?run=one&run=other").status_code == 422
    assert ".pdf" not in ask("/compare?run=one&run=other").text


@pytest.mark.parametrize("query", ["", "?run=one"])
def test_fewer_than_two_runs_are_no_comparison(ask, query):
    """The page says where to choose them, and a file says what to ask for."""
    if query:
        assert ask(f"/compare{query}").status_code == 404
        return
    assert "Tick two runs or more" in ask("/compare").text
    assert ask("/compare.csv").status_code == 422


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("run=one&run=no", 404, "no report of a run no"),
        ("run=one&run=two&tolerance=much", 422, "tolerance"),
        ("&".join(f"run={number}" for number in range(9)), 422, "run"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(ask, query, status, said):
    """The answer has the reason."""
    answer = ask(f"/compare?{query}")
    assert answer.status_code == status
    assert said in answer.text


def test_hostile_names_stay_text_in_charts_too(ask, remember, example):
    """Their tags do not end the element that holds the numbers."""
    for name in ("a", "b"):
        remember(name, report=example.hostile(), started=f"2026-01-01{name}")
    page = ask("/compare?run=a&run=b")
    assert page.status_code == 200
    assert "<script>document" not in page.text
    assert charts(page)
