"""The dashboard in a real browser: large and small, light and dark, by mouse and by keyboard."""

import csv
from pathlib import Path

import pytest

from tests.support.dashboard import faults, is_quiet, press, remember, served, visiting
from tests.support.web_page import chromium

pytestmark = pytest.mark.browser

STEP = 8
ODD = ("<b>odd", "<a href=odd.example>odd")
SCREENS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
AXE = (SCREENS[0], SCREENS[3])
"""Two screens differ in all of these; each page takes a second."""
COMPARED = f"/compare?run=r00&run=r{STEP:02}&tolerance=10%25"
PAGES = ("/runs", "/runs/r00", COMPARED, "/trends?scenario=twilio-tasks&arm=mcp", "/docs")
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.fixture(scope="module")
def opened(tmp_path_factory, example):
    """Serve sixteen runs, half of them slower by a third, and one with odd names."""
    store = f"sqlite:///{tmp_path_factory.mktemp('store')}/history.sqlite"
    report = example.report(rounds=4)
    for number in range(2 * STEP):
        slower = (1 + number % 3 / 100) * (4 / 3 if number >= STEP else 1)
        day = f"2026-01-{1 + number:02}T10:00:00Z"
        verdict = "FAIL" if number >= STEP else "PASS"
        remember(store, report, f"r{number:02}", slower, started=day, verdict=verdict)
    for name in ODD:
        remember(store, example.hostile(), name, started="2026-02-01T10:00:00Z")
    with served(store) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    """Start Chromium once."""
    with chromium() as running:
        yield running


@pytest.fixture
def visit(browser, opened):
    """Open a path on a screen."""
    with visiting(browser, opened) as open_page:
        yield open_page


def rows(page):
    """Return the ids of the runs in the list."""
    return page.locator("tbody th a").all_inner_texts()


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_every_page_on_every_screen(visit, width, scheme):
    """No complaint, no request to another host, no sideways scrolling, no serious fault of axe."""
    page = visit("/runs", width, scheme)
    found = {}
    for path in PAGES:
        page.goto(page.home + path)
        scroll_width, client_width = page.evaluate(WIDTHS)
        assert scroll_width <= client_width, path
        found[path] = faults(page) if (width, scheme) in AXE else {}
    assert not any(found.values()), found
    assert is_quiet(page)


def test_runs_are_filtered_and_the_address_holds_the_filter(visit):
    """With the form; the address shows the same to everybody."""
    page = visit("/runs")
    page.get_by_label("Text").fill("r0")
    page.get_by_label("Verdict").select_option("FAIL")
    press(page, "button", "Filter")
    assert rows(page) == ["r09", "r08"]
    assert rows(visit(page.url.removeprefix(page.home))) == ["r09", "r08"]


def test_the_list_is_used_by_keyboard_alone(visit):
    """The first key skips the navigation, and Enter filters."""
    page = visit("/runs")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("r15")
    page.keyboard.press("Enter")
    page.wait_for_url("**text=r15**")
    assert rows(page) == ["r15"]


def test_ticked_runs_are_compared_and_their_curves_drawn(visit):
    """The older run is the base, and each arm has a chart with both."""
    page = visit("/runs?text=r0")
    for run in ("r09", "r00"):
        page.get_by_label(f"Compare {run}", exact=True).check()
    press(page, "button", "Compare")
    assert "Base: r00" in page.locator("main .lead").first.inner_text()
    curves = page.locator(".plot .scatterlayer .js-line")
    curves.first.wait_for()
    assert curves.count() == 4
    assert page.locator(".plot .legendtext").all_text_contents()[:2] == ["r00", "r09"]


def test_a_trend_is_chosen_and_has_its_mark(visit):
    """In the chart and in the table, at the first run of the new level."""
    page = visit("/trends")
    page.get_by_label("Scenario").select_option("twilio-tasks")
    press(page, "button", "Show")
    page.locator("select[name=arm]").select_option("mcp")
    page.get_by_label("Metric").select_option("p50")
    press(page, "button", "Show")
    page.locator(".plot .shapelayer path").wait_for(state="attached")
    marked = page.locator("tr", has_text="new level").all_inner_texts()
    assert len(marked) == 1
    assert marked[0].startswith(f"r{STEP:02}")


def test_tables_are_downloaded(visit):
    """As CSV with all filtered rows, not only the rows of the page."""
    page = visit("/runs?verdict=PASS")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    text = Path(download.value.path()).read_text("utf-8")
    assert len(list(csv.DictReader(text.splitlines()))) == STEP
    assert download.value.suggested_filename == "runs.csv"


@pytest.mark.parametrize(("path", "name"), [("/runs/r00", "r00.pdf"), (COMPARED, "comparison.pdf")])
def test_reports_are_downloaded_as_pdf(visit, path, name):
    """A run, and a comparison."""
    page = visit(path)
    with page.expect_download() as download:
        page.get_by_role("link", name="PDF").click()
    assert download.value.suggested_filename == name
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")


def test_charts_follow_the_colours_of_the_reader(visit):
    """Also if they change while the page is open."""
    page = visit(COMPARED)
    label = page.locator(".plot .xtick text").first
    label.wait_for()
    light = label.evaluate("one => getComputedStyle(one).fill")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "fill => getComputedStyle(document.querySelector('.plot .xtick text')).fill !== fill",
        arg=light,
    )


def test_without_javascript_every_table_is_there(visit):
    """There is nothing in the place of a chart."""
    page = visit("/runs", java_script_enabled=False)
    for path in PAGES:
        page.goto(page.home + path)
        assert page.locator("table").first.is_visible() or path == "/docs", path
        assert not page.locator(".plot:visible").count(), path


def test_odd_names_run_nothing(visit):
    """They are shown as text, in lists and in charts."""
    page = visit("/runs?text=odd")
    assert sorted(rows(page)) == sorted(ODD)
    for box in page.locator("tbody input").all():
        box.check()
    press(page, "button", "Compare")
    page.locator(".plot .legendtext").first.wait_for()
    assert set(page.locator(".plot .legendtext").all_text_contents()) == set(ODD)
    assert page.locator(".plot a, .plot img, .plot b").count() == 0
    page.goto(page.home + "/runs/%3Cb%3Eodd")
    assert page.title() != "owned"
    assert page.complaints == []
