"""Trends on the dashboard: what the address chooses, and where a new level begins."""

import pytest

from tests.unit.dashboard.test_comparison import charts

STEP = 8


@pytest.fixture
def slowing(remember, example):
    """Store runs of a scenario that is slower by a third from `STEP` on."""
    report = example.report(rounds=2)
    for number in range(2 * STEP):
        slower = (1 + number % 3 / 100) * (4 / 3 if number >= STEP else 1)
        day = f"2026-01-{1 + number:02}T10:00:00Z"
        remember(f"r{number:02}", slower, report, started=day, verdict="PASS")
    return report


@pytest.mark.usefixtures("slowing")
def test_a_new_level_is_marked_in_the_chart_and_in_the_table(ask):
    """The mark is at the run with which it begins; the page names the method."""
    page = ask("/trends?scenario=twilio-tasks&arm=mcp&metric=p95")
    assert page.status_code == 200
    [spec] = charts(page).values()
    assert spec["verticals"] == [STEP]
    assert "Scott and Knott, 1974" in page.text
    rows = ask("/trends.json?scenario=twilio-tasks&arm=mcp&metric=p95").json()
    marked = [row["run_id"] for row in rows if row["remark"].startswith("new level")]
    assert marked == [f"r{STEP:02}"]
    assert f'<a href="/runs/r{STEP:02}">' in page.text


@pytest.mark.usefixtures("slowing")
def test_without_a_choice_it_is_p95_of_every_arm_of_the_newest_scenario(ask, remember):
    """The form shows this choice."""
    remember("young", started="2026-05-01", scenario="young")
    page = ask("/trends").text
    assert '<option value="young" selected>' in page
    assert '<option value="p95" selected>' in page
    assert {row["arm"] for row in ask("/trends.json").json()} == {"control", "mcp"}


def test_a_tool_has_a_trend_too(ask, slowing):
    """It comes from the report's numbers about the tool's calls."""
    label = next(iter(slowing.arms["mcp"].steps))
    tool = f"tool[{label.removeprefix('tools/call ')}]"
    page = ask("/trends?arm=mcp").text
    assert f'<option value="{tool}">' in page
    rows = ask(f"/trends.json?arm=mcp&metric=p95&tool={tool}").json()
    assert len(rows) == 2 * STEP
    assert rows[0]["metric"] == f"{tool}.p95"
    assert rows[0]["value"] == slowing.arms["mcp"].steps[label].latency_ms.p95


@pytest.mark.usefixtures("slowing")
def test_another_load_is_another_line(ask, remember):
    """Runs that cannot be compared have separate lines, the newest first."""
    for number in range(3):
        remember(f"more{number}", started=f"2026-04-0{number + 1}", users=40)
    specs = list(charts(ask("/trends?scenario=twilio-tasks&arm=mcp")).values())
    assert [len(spec["lines"][0]["x"]) for spec in specs] == [3, 2 * STEP]


def test_a_store_without_runs_says_so(ask):
    """A metric that no run has says so, too."""
    assert "No sound run of this is in the store yet" in ask("/trends").text
    assert ask("/trends.json?scenario=none&metric=p51").json() == []
