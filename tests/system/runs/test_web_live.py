"""The live page: started, watched and stopped by a user, and over plain HTTP."""

import json
import re
import urllib.error
import urllib.request

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.support.web_page import DIRECT, chromium, opened

pytestmark = pytest.mark.load

PASSWORD = "correct-horse-battery"
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
SIZES = ({"width": 1280, "height": 800}, {"width": 390, "height": 844})
ONE_ARM = """
name: one-arm
arms: {mcp: {mcp: "http://127.0.0.1:9/mcp"}}
journeys: {echo: {mcp: [{call: echo, arguments: {message: hello}}]}}
load: {users: 1, rounds: 2, round: 200ms, warmup: 0s}
"""


def stage(page):
    """Return the stage that the live page shows."""
    return re.search(r'data-stage="(\w+)"', page.get("/live/now"))[1]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Start one page for all tests that do not need a new one."""
    folder = tmp_path_factory.mktemp("live")
    with opened(folder) as page:
        (folder / "scenarios" / "one_arm.yaml").write_text(ONE_ARM)
        yield page


def test_the_printed_address_opens_the_live_page(page):
    """It is the second printed address, and contains the key."""
    address = re.findall(r"http://\S+\?key=\S+", page.log.read_text())[1]
    assert address.startswith(f"{page.url}/live?key=")
    with urllib.request.build_opener(DIRECT, urllib.request.HTTPCookieProcessor()).open(
        address, timeout=60
    ) as reply:
        assert reply.url == f"{page.url}/live"


def test_a_scenario_shows_its_arms_and_targets(page):
    """So does one that Locust was not started with; an unknown one is refused with a message."""
    shown = page.get("/live/arms?scenario=echo")
    assert "system:echo/rest" in shown
    assert "system:echo/mcp" in shown
    assert "4 users, closed, 6 rounds of 2\u202fs" in shown
    assert "there is no scenario" in page.get("/live/arms?scenario=nonsense")
    assert "there is no scenario" in page.get("/live/arms?scenario=./scenarios/quick.yaml")


def test_locusts_page_leads_to_it_and_shows_a_host_to_one_arm_alone(page):
    """The style sheet lists the scenarios that have a host."""
    locusts = page.get("/")
    assert 'href="/live"' in locusts
    assert '[value="one-arm"]' in locusts
    assert '[value="echo"]' not in locusts


def test_the_host_is_the_target_of_the_only_arm(page, systems):
    """The run calls it instead of the scenario's address, at which nothing listens."""
    host = systems.face("echo/mcp").url
    with page.expecting_a_run():
        assert page.start("one-arm", host=host)["success"] is True
    _, report = page.found
    assert report["arms"]["mcp"]["target"] == host
    assert report["arms"]["mcp"]["classes"]["ok"] > 0
    assert stage(page) == "over"
    assert report["verdict"] in page.get("/live/now")


def test_it_works_with_workers_a_login_and_a_base_path(tmp_path):
    """Without the password it shows nothing; the records of two workers reach it."""
    arguments = ("--web-login", "--web-base-path", "/perf", "--processes", "2")
    with opened(tmp_path, *arguments, MCP_PERF_WEB_PASSWORD=PASSWORD) as page:
        assert f"{page.url}/live" in page.log.read_text()
        for path in ("/live", "/live/now", "/live/arms?scenario=echo"):
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.build_opener(DIRECT).open(page.url + path, timeout=60)
        assert "/perf/live/now" in page.get("/live")
        page.until(lambda: json.loads(page.get("/stats/requests"))["workers"][1:])
        with page.expecting_a_run():
            assert page.start("endless")["success"] is True
            page.until(lambda: "Calls " in page.get("/live/now"))
            page.post("/stop")
        page.until(lambda: stage(page) == "over")
        _, report = page.found
        assert report["generator"]["processes"] == 2
        assert report["verdict"] in page.get("/live/now")


@pytest.fixture
def window(page):
    """Open the live page in Chromium; keep its complaints and requests."""
    with chromium() as browser:
        window = browser.new_page(viewport=SIZES[0])
        window.complaints, window.asked = [], []
        window.on("console", lambda said: window.complaints.append(said.text))
        window.on("pageerror", lambda error: window.complaints.append(str(error)))
        window.on("request", lambda request: window.asked.append(request.url))
        window.goto(page.address.replace("/?", "/live?"))
        yield window


def look(window, sizes=SIZES):
    """Check these widths: nothing scrolls sideways, and axe finds no serious fault."""
    for size in sizes:
        window.set_viewport_size(size)
        scrolled, width = window.evaluate(WIDTHS)
        assert scrolled <= width
        faults = Axe().run(window)["violations"]
        serious = [f for f in faults if f["impact"] in ("serious", "critical")]
        assert serious == [], [(f["id"], [n["html"] for n in f["nodes"]]) for f in serious]


@pytest.mark.browser
def test_a_user_starts_watches_and_stops_a_run(page, window, systems):
    """They choose a scenario, change a target, start, see values change, stop, read the verdict."""
    look(window, SIZES[1:])
    window.get_by_label("Scenario").select_option("endless")
    rest = window.get_by_label("rest")
    expect(rest).to_have_value("system:echo/rest")
    rest.fill("stdio:touch")
    window.get_by_role("button", name="Start").click()
    expect(window.get_by_role("alert")).to_contain_text("address")
    rest.fill("http://127.0.0.1:9/a, b")
    window.get_by_role("button", name="Start").click()
    expect(window.get_by_role("alert")).to_contain_text("127.0.0.1:9/a%2C%20b")
    status = window.get_by_role("status").element_handle()
    target = systems.face("echo/rest").url
    rest.fill(target)
    with page.expecting_a_run():
        window.get_by_role("button", name="Start").press("Enter")
        expect(window.get_by_role("button", name="Stop")).to_be_focused(timeout=60_000)
        expect(window.locator("#stage")).to_contain_text("Calls ", timeout=60_000)
        expect(window.get_by_label("Scenario")).to_be_hidden()
        row = window.locator("#side-by-side").get_by_role("row").filter(has_text="rest").first
        expect(row).to_be_visible(timeout=20_000)
        before = row.inner_text()
        expect(row).not_to_have_text(before, timeout=20_000)
        window.locator(".live").first.focus()
        look(window)
        expect(window.locator(".live").first).to_be_focused()
        window.get_by_role("button", name="Stop").click()
    _, report = page.found
    assert report["arms"]["rest"]["target"] == target
    expect(window.locator("#verdict")).to_contain_text(report["verdict"], timeout=20_000)
    expect(window.locator("#verdict")).to_contain_text(report["reasons"][0]["text"])
    expect(window.get_by_role("button", name="Start")).to_be_enabled()
    assert status.evaluate("status => status.isConnected && status.innerText.includes('over')")
    expect(window.locator("#stage")).to_contain_text(report["title"])
    look(window, SIZES[:1])
    assert window.complaints == []
    assert all(url.startswith((page.url, "data:")) for url in window.asked)
    window.get_by_role("link", name="The report").click()
    expect(window).to_have_title(re.compile(report["verdict"]))
