"""The door in the browser: Locust's page, started as a user starts it, and looked at."""

import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
REPORTS = {"journal.jsonl", "report.json", "report.html", "report.md", "junit.xml", "samples.csv"}
QUICK = "load: {users: 3, rounds: 2, round: 200ms, warmup: 100ms}"
CODED = f"""
name: coded
title: Code of this machine
arms:
  code: {{python: coded_of_test}}
journeys:
  j: {{code: [{{run: note}}]}}
{QUICK}
"""
ENDLESS = "load: {users: 3, rounds: 2, round: 600s, warmup: 0s, spawn_rate: 50}"
PERCENTILE_50 = 5
"""Its column in the table of statistics, after type, name, requests, fails and median."""
BROWSER = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Page:
    """A running `locust -f locustfiles` with its page."""

    def __init__(self, folder, *arguments):
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "locust.log"
        command = [
            sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles"),
            "--web-port", self.url.rpartition(":")[2], *arguments,
        ]  # fmt: skip
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        self.until(self.answers)

    def answers(self):
        """Tell whether the page is there."""
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError):
            return self.get("/")
        return None

    def get(self, path):
        """Return what stands at an address."""
        with DIRECT.open(self.url + path, timeout=30) as reply:
            return reply.read().decode()

    def post(self, path, **form):
        """Post a form; return the JSON of the answer."""
        body = urllib.parse.urlencode(form).encode()
        with DIRECT.open(self.url + path, body, timeout=60) as reply:
            return json.load(reply)

    def start(self, scenario, **form):
        """Press Start, as the page does: with every field."""
        form = {"user_count": 3, "spawn_rate": 3, "host": "", "target": "", "run_time": "", **form}
        return self.post("/swarm", scenario=scenario, **form)

    def state(self):
        """Return what Locust is doing."""
        return json.loads(self.get("/stats/requests"))["state"]

    def until(self, condition):
        """Wait until something is so; return it."""
        end_s = time.monotonic() + 30
        while time.monotonic() < end_s:
            if found := condition():
                return found
            time.sleep(0.05)
        return pytest.fail(f"it did not come to that\n{self.log.read_text()[-3000:]}")

    def runs(self):
        """Return the folders of the runs so far, the last one at the end."""
        folders = (self.folder / "reports" / "out").glob("*")
        return sorted(folders, key=lambda folder: folder.stat().st_mtime_ns)

    def wait_for_run(self, before):
        """Wait for the end of a run that was started with so many before it; return its report."""
        self.until(lambda: len(self.runs()) > before and self.state() == "stopped")
        run = next(folder for folder in self.runs() if folder not in self.seen)
        self.until((run / "report.html").exists)
        return run, json.loads((run / "report.json").read_text())

    @contextlib.contextmanager
    def expecting_a_run(self):
        """Collect the run that is started within."""
        self.seen = self.runs()
        yield
        self.found = self.wait_for_run(len(self.seen))

    def close(self):
        """Press Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def free_port():
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def opened(folder):
    """Start the page in a folder, beside two scenarios of its user's own."""
    (folder / "scenarios").mkdir()
    echo = (ROOT / "scenarios" / "echo.yaml").read_text()
    for name, load in (("quick", QUICK), ("endless", ENDLESS)):
        text = re.sub(r"^load: .*$", load, echo, flags=re.MULTILINE)
        own = folder / "scenarios" / f"{name}.yaml"
        own.write_text(text.replace("name: echo", f"name: {name}"))
    for place in ("scenarios", "."):
        (folder / place / "coded.yaml").write_text(CODED)
    code = "def note(): open('noted', 'w').close()\n"
    (folder / "scenarios" / "coded_of_test.py").write_text(code)
    page = Page(folder, "--scenario", "quick")
    try:
        yield page
    finally:
        page.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Start one page for all tests that need not see it new."""
    with opened(tmp_path_factory.mktemp("web")) as page:
        yield page


def template(page):
    """Return what Locust's page was given."""
    return json.loads(re.search(r"window\.templateArgs = (\{.*\})", page.get("/"))[1])


def test_the_page_is_for_this_machine_only(page):
    """It listens on loopback, and on nothing else."""
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(page.process.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


def test_the_form_is_filled_in_with_the_scenarios_own_load(page):
    """Start is all there is to press."""
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
    ],
)
def test_what_cannot_run_is_refused_in_the_form(page, form, said):
    """The reason is a message of the form; nothing starts, and no run folder is left."""
    before = len(page.runs())
    answer = page.start(**{"scenario": "quick", **form})
    assert answer["success"] is False
    assert said in answer["message"]
    assert page.state() in ("ready", "stopped")
    assert [run for run in page.runs()[before:] if (run / "journal.jsonl").exists()] == []


@pytest.mark.parametrize(
    "form",
    [
        {"scenario": "coded.yaml"},
        {"scenario": "./scenarios/coded.yaml"},
        {"scenario": "quick", "target": "mcp=stdio:touch"},
        {"scenario": "quick", "target": "mcp=python:coded_of_test"},
    ],
)
def test_the_form_starts_no_code_that_is_typed_into_it(page, form):
    """A path or a command in the form is somebody's who can reach the page, and not the user's."""
    answer = page.start(**form)
    assert answer["success"] is False
    assert "runs code of this machine" in answer["message"]
    assert not (page.folder / "noted").exists()


def test_the_form_starts_code_of_a_scenario_that_goes_by_a_name(page):
    """What the user has put into ./scenarios is his own choice."""
    with page.expecting_a_run():
        assert page.start("coded")["success"] is True
    assert page.found[1]["arms"]["code"]["calls"] > 0
    assert (page.folder / "noted").exists()


def test_two_runs_after_each_other_both_write_their_reports(page):
    """The same page starts one run after the other; each has a folder and a verdict of its own."""
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
    """Users and time are the form's; an arm may be pointed at another server."""
    with page.expecting_a_run():
        answer = page.start("quick", user_count=2, run_time="1s", target="rest=system:echo/rest")
        assert answer["success"] is True
    _, report = page.found
    load = report["environment"]["load"]
    assert (load["users"], load["rounds"]) == (2, 2)
    assert load["round_s"] == pytest.approx(0.25)


def test_a_run_that_is_stopped_has_all_its_reports(page):
    """Stop ends the turn, lets the calls in flight end, and writes what there is."""
    with page.expecting_a_run():
        assert page.start("endless")["success"] is True
        page.until(lambda: "/echo" in page.get("/stats/requests"))
        assert page.post("/stop")["success"] is True
    run, report = page.found
    assert {path.name for path in run.iterdir()} >= REPORTS
    assert report["complete"] is False
    assert report["verdict"] != "PASS"
    assert any("stop" in reason.lower() for reason in report["reasons"])
    arm = report["arms"]["rest"]
    assert arm["classes"]["interrupted"] == 0
    assert arm["classes"]["ok"] == arm["calls"] > 0


def test_a_run_that_is_stopped_while_users_are_spawned_says_so(page):
    """It measured nothing, and does not claim to have finished."""
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


def test_a_second_start_does_not_disturb_the_run(page):
    """While a run goes on, the form changes neither its scenario nor its folder."""
    with page.expecting_a_run():
        assert page.start("endless")["success"] is True
        page.until(lambda: page.state() == "running")
        page.start("quick")
        assert page.state() in ("running", "spawning")
        page.post("/stop")
    run, report = page.found
    assert report["scenario"] == "endless"
    assert page.runs()[-1] == run


@pytest.fixture
def browser():
    """Start Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("no chromium on the PATH: install it (apt-get install chromium)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=BROWSER)
        yield running
        running.close()


def test_a_user_starts_watches_and_stops_a_run_in_the_browser(browser, tmp_path):
    """Choose a scenario, press start, see percentiles below a millisecond, press stop."""
    with opened(tmp_path) as page:
        window = browser.new_page(viewport={"width": 1280, "height": 900})
        window.goto(page.url)
        expect(window.get_by_label("Number of users")).to_have_value("3")
        window.get_by_text("Custom parameters").click()
        window.get_by_label("Scenario").select_option("endless")
        window.screenshot(path=tmp_path / "form.png")
        with page.expecting_a_run():
            window.get_by_role("button", name="Start").click()
            row = window.get_by_role("row").filter(has_text="/echo").first
            percentile = row.get_by_role("cell").nth(PERCENTILE_50)
            below_a_millisecond = re.compile(r"^0\.\d{2,3}$")
            expect(percentile).to_have_text(below_a_millisecond, timeout=20_000)
            window.screenshot(path=tmp_path / "running.png")
            window.get_by_role("button", name="Stop").click()
        expect(window.get_by_role("button", name="New")).to_be_visible(timeout=20_000)
        window.screenshot(path=tmp_path / "stopped.png")
        _, report = page.found
        assert report["scenario"] == "endless"
        assert report["arms"]["rest"]["calls"] > 0
