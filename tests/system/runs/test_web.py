"""The entry by browser: Locust's page, started as a user starts it, and inspected."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from playwright.sync_api import expect

from tests.support import web_page as web
from tests.support.web_page import opened

pytestmark = pytest.mark.load

REPORTS = {"journal.jsonl", "report.json", "report.html", "report.md", "junit.xml", "samples.csv"}
PERCENTILE_50 = 5
"""Its column in the statistics table, after type, name, requests, fails and median."""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Start one page for all tests that do not need a new one."""
    with opened(tmp_path_factory.mktemp("web")) as page:
        yield page


def template(page):
    """Return the data that Locust's page was given."""
    return json.loads(re.search(r"window\.templateArgs = (\{.*\})", page.get("/"))[1])


def test_the_form_is_filled_in_with_the_scenarios_own_load(page):
    """The user only has to press Start."""
    given = template(page)
    assert (given["num_users"], given["spawn_rate"]) == (3, 3)
    scenario = given["extra_options"]["scenario"]
    assert scenario["default_value"] == "quick"
    assert {"echo", "quick", "twilio-tasks"} <= set(scenario["choices"])
    assert sorted(given["extra_options"]) == ["scenario", "target"]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"scenario": "nonsense"}, "there is no scenario 'nonsense'"),
        ({"scenario": "echoo"}, "echo"),
        ({"user_count": "many"}, "the number of users is 'many'; write a whole number above 0"),
        ({"user_count": "1.5"}, "write a whole number above 0"),
        ({"user_count": "0"}, "write a number above 0"),
        ({"user_count": "-3"}, "write a number above 0"),
        ({"spawn_rate": "nan"}, "write a number above 0"),
        ({"spawn_rate": "x"}, "the spawn rate is 'x'"),
        ({"run_time": "soon"}, "Valid formats: 20, 20s"),
        ({"run_time": "0"}, "the run time is 0"),
        ({"target": "mcp"}, "write ARM=URL"),
        ({"target": "nobody=http://127.0.0.1:9"}, "no arm 'nobody'"),
        ({"target": "rest=http://127.0.0.1:9"}, "cannot reach http://127.0.0.1:9"),
        ({"target": "mcp=stdio:touch"}, "'stdio:touch' is not an address"),
        ({"scenario": "./scenarios/quick.yaml"}, "put a file of yours into ./scenarios"),
    ],
)
def test_what_cannot_run_is_refused_in_the_form(page, form, said):
    """The reason is a message in the form; nothing starts, and no run folder is left."""
    before = len(page.runs())
    answer = page.start(**{"scenario": "quick", **form})
    assert answer["success"] is False
    assert said in answer["message"]
    assert page.state() in ("ready", "stopped")
    assert [run for run in page.runs()[before:] if (run / "journal.jsonl").exists()] == []


def test_two_runs_after_each_other_both_write_their_reports(page):
    """The same page starts one run after the other, each with its own folder and verdict."""
    found = []
    for _ in range(2):
        with page.expecting_a_run():
            assert page.start("quick")["success"] is True
        found.append(page.found)
    (first, one), (second, two) = found
    assert first != second
    for run, report in found:
        assert {path.name for path in run.iterdir()} >= REPORTS
        assert report["complete"] is True
        assert len(report["arms"]["mcp"]["rounds"]) == 3
        assert report["arms"]["mcp"]["classes"]["ok"] > 0
        assert report["environment"]["load"]["users"] == 3
    assert one["run_id"] != two["run_id"]


def test_the_forms_load_replaces_the_files(page):
    """Users and time come from the form."""
    with page.expecting_a_run():
        answer = page.start("quick", user_count=2, run_time="1s")
        assert answer["success"] is True
    _, report = page.found
    load = report["environment"]["load"]
    assert (load["users"], load["rounds"]) == (2, 2)
    assert load["round_s"] == pytest.approx(0.25)


def test_a_run_that_is_stopped_has_all_its_reports(page):
    """Stop ends the turn, lets the calls in flight finish, and writes all reports."""
    with page.expecting_a_run():
        assert page.start("endless")["success"] is True
        page.until(lambda: "/echo" in page.get("/stats/requests"))
        assert page.post("/stop")["success"] is True
    run, report = page.found
    assert {path.name for path in run.iterdir()} >= REPORTS
    assert report["complete"] is False
    assert report["verdict"] != "PASS"
    assert any("stop" in reason["text"].lower() for reason in report["reasons"])
    arm = report["arms"]["rest"]
    assert arm["classes"]["interrupted"] == 0
    assert arm["classes"]["ok"] == arm["calls"] > 0


def test_a_run_that_is_stopped_while_users_are_spawned_says_so(page):
    """It measured nothing, and does not claim to be complete."""
    with page.expecting_a_run():
        assert page.start("endless", user_count=50, spawn_rate=1)["success"] is True
        page.until(lambda: page.state() == "spawning")
        assert page.post("/stop")["success"] is True
    _, report = page.found
    assert report["complete"] is False
    assert report["verdict"] != "PASS"


def test_nothing_of_a_run_is_left_behind(page):
    """The systems of finished runs are stopped."""
    page.until(lambda: not psutil.Process(page.process.pid).children(recursive=True))


def test_only_one_of_several_starts_begins_a_run(page):
    """The others are refused with a message, at once or later, and do not change the run."""
    with page.expecting_a_run(), ThreadPoolExecutor(6) as pool:
        before = len(page.runs())
        answers = [*pool.map(lambda _: page.start("endless"), range(6)), page.start("quick")]
        assert [answer["success"] for answer in answers].count(True) == 1
        refused = {answer["message"] for answer in answers if not answer["success"]}
        assert refused == {"a run is in progress: wait until it ends, or stop it"}
        page.until(lambda: page.state() == "running")
        assert len(page.runs()) == before + 1
        page.post("/stop")
    _, report = page.found
    assert report["scenario"] == "endless"
    assert not any("users were changed" in note for note in report["notes"])


@pytest.fixture
def browser():
    """Start Chromium."""
    with web.chromium() as running:
        yield running


@pytest.mark.browser
def test_a_user_starts_watches_and_stops_a_run_in_the_browser(browser, tmp_path):
    """They choose a scenario, press Start, see true percentiles, and press Stop."""
    with opened(tmp_path) as page:
        window = browser.new_page(viewport={"width": 1280, "height": 900})
        window.goto(page.address)
        expect(window.get_by_label("Number of users")).to_have_value("3")
        window.get_by_text("Custom parameters").click()
        window.get_by_label("Scenario").select_option("endless")
        window.screenshot(path=tmp_path / "form.png")
        with page.expecting_a_run():
            window.get_by_role("button", name="Start").click()
            row = window.get_by_role("row").filter(has_text="/echo").first
            percentile = row.get_by_role("cell").nth(PERCENTILE_50)
            no_whole_milliseconds = re.compile(r"^\d+\.\d+$")
            expect(percentile).to_have_text(no_whole_milliseconds, timeout=20_000)
            window.screenshot(path=tmp_path / "running.png")
            window.get_by_role("button", name="Stop").click()
        expect(window.get_by_role("button", name="New")).to_be_visible(timeout=20_000)
        window.screenshot(path=tmp_path / "stopped.png")
        _, report = page.found
        assert report["scenario"] == "endless"
        assert report["arms"]["rest"]["calls"] > 0
