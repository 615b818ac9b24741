"""The report in a real browser: common screens, light and dark, and paper."""

import shutil
from importlib import resources

import pytest
from playwright.sync_api import sync_playwright

from mcp_perf.results.render.files.write import write_all
from mcp_perf.results.report.build import build
from tests.support import virtual_search as search

pytestmark = pytest.mark.browser

AXE = (resources.files("axe_core_python") / "axe.min.js").read_text("utf-8")

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HEIGHTS = {1280: 800, 390: 844}
ANSWERS = ("h1", ".reason", ".targets", ".load", ".answer > :first-child")
"""What the first screen shows completely: verdict, reason, targets, load and chart."""
INSIDE = """selectors => selectors.filter(selector => {
  const box = document.querySelector(selector)?.getBoundingClientRect();
  return !box || box.height === 0 || box.top < 0 || box.bottom > innerHeight
    || box.left < 0 || box.right > innerWidth;
})"""
EVERY_SCREEN = ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark"))
SOME_SCREENS = ((1280, "dark"), (390, "light"))
VISITS = [
    *((report, *screen) for report in ("usual", "hostile") for screen in EVERY_SCREEN),
    *(
        (report, *screen)
        for report in ("six arms", "empty", "two hours", "search")
        for screen in SOME_SCREENS
    ),
]
OPEN = {"model": "open", "shape": "constant", "rate_per_s": 400, "rounds": 8, "round_s": 5}
LOW_CONTRAST = """() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = channels(getComputedStyle(e).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *:not(style)")) {
    const texts = [...element.childNodes].filter(n => n.nodeType === 3 && n.data.trim());
    if (!texts.length || element.closest("title, desc, .away")) continue;
    const style = getComputedStyle(element);
    const colour = element instanceof SVGElement ? style.fill : style.color;
    const both = [luminance(channels(colour)), luminance(ground(element))].sort((a, b) => b - a);
    const contrast = (both[0] + 0.05) / (both[1] + 0.05);
    if (contrast < 4.5) low.push([contrast, element.tagName, texts[0].data.trim().slice(0, 40)]);
  }
  return low;
}"""
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.fixture(scope="module")
def browser():
    """Start Chromium once for all screens."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("no chromium on the PATH: install it (apt-get install chromium)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def addresses(example, tmp_path_factory):
    """Write the reports to look at; return their file: addresses."""
    names = ("control", "x" * 120, "an arm with a long name of many words", "d", "e", "f")
    servers = {"control": search.Server(0.02), "an-arm": search.Server(0.04)}
    reports = {
        "usual": example.report(),
        "hostile": example.hostile(),
        "six arms": example.report(names=names, rounds=3, verdict="INCONCLUSIVE"),
        "empty": example.empty(title="A title of far too many words. " * 100),
        "two hours": example.long_run(),
        "search": build(search.search(servers, ["an-arm.p95 < 60ms"], rate="1k/s")),
        "one arm": example.report(names=("mcp",)),
        "open": example.report(environment=example.ENVIRONMENT | {"load": OPEN}),
    }
    found = {}
    for name, report in reports.items():
        folder = tmp_path_factory.mktemp("report")
        (path,) = write_all(report, [], folder, ["html"])
        found[name] = path.as_uri()
    return found


@pytest.fixture
def visit(browser):
    """Open an address on a screen; keep the page's complaints and requests."""
    contexts = []

    def open_page(address, width, scheme, *, unfold=True, **options):
        viewport = {"width": width, "height": HEIGHTS[width]}
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(address)
        if unfold:
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("report", "width", "scheme"), VISITS)
def test_every_report_on_every_screen(visit, addresses, report, width, scheme):
    """No complaint, no request except for the file, no sideways scrolling, a visible verdict."""
    page = visit(addresses[report], width, scheme)
    assert page.complaints == []
    assert page.requests == [addresses[report]]
    scroll_width, client_width = page.evaluate(WIDTHS)
    assert scroll_width <= client_width
    verdict = page.locator("h1").bounding_box()
    assert 0 <= verdict["y"] < verdict["y"] + verdict["height"] <= HEIGHTS[width]
    assert 0 <= verdict["x"] < verdict["x"] + verdict["width"] <= width


@pytest.mark.parametrize("report", ["usual", "six arms", "search"])
@pytest.mark.parametrize(("width", "scheme"), SOME_SCREENS)
def test_text_is_readable(visit, addresses, report, width, scheme):
    """All text on the page has a contrast of at least 4.5 with its background."""
    assert visit(addresses[report], width, scheme).evaluate(LOW_CONTRAST) == []


def test_dark_is_dark(visit, addresses):
    """The page follows the reader's colour scheme."""
    grounds = [
        visit(addresses["usual"], 1280, scheme).evaluate(
            "getComputedStyle(document.documentElement).backgroundColor"
        )
        for scheme in ("light", "dark")
    ]
    assert grounds == ["rgb(252, 252, 250)", "rgb(20, 23, 26)"]


def test_hostile_text_runs_nothing(visit, addresses):
    """The hostile report keeps its title: no script ran, and no image was requested."""
    page = visit(addresses["hostile"], 1280, "light")
    assert page.title().startswith("FAIL: <script>")
    assert page.evaluate("document.querySelectorAll('script, img').length") == 1  # our script


@pytest.mark.parametrize("width", [1280, 390])
def test_charts_keep_their_text_at_its_size(visit, addresses, width):
    """On a phone the plot is narrower, but its labels are as large as on a desktop."""
    page = visit(addresses["usual"], width, "light")
    sizes = page.evaluate(
        "[...document.querySelectorAll('.chart .x')].map(t => t.getBoundingClientRect().height)"
    )
    assert sizes
    assert min(sizes) > 10
    plots = page.evaluate(
        "[...document.querySelectorAll('.chart')].map(c => c.getBoundingClientRect().right)"
    )
    assert max(plots) <= width


def test_wide_tables_scroll_in_their_own_box(visit, addresses):
    """On a phone the table of steps is wider than its box, which scrolls and takes the focus."""
    page = visit(addresses["usual"], 390, "light")
    box = page.locator("#steps .scroll")
    assert box.evaluate("b => b.scrollWidth > b.clientWidth && b.tabIndex === 0")


def test_the_name_of_a_round_stays_on_its_line(visit, addresses):
    """On a phone, the table of rounds scrolls rather than to break words such as warm-up."""
    page = visit(addresses["search"], 390, "light")
    row = page.locator(".rounds tbody tr", has_text="warm-up").first
    lines = """cell => {
      const range = document.createRange();
      range.selectNodeContents(cell);
      return range.getClientRects().length;
    }"""
    assert row.locator("td").nth(1).evaluate(lines) == 1


def test_gates_stack_on_a_phone(visit, addresses):
    """On a phone, a gate is below its verdict and its number, at full width."""
    page = visit(addresses["usual"], 390, "light")
    box = page.locator(".scroll.gates")
    assert box.evaluate("b => b.scrollWidth <= b.clientWidth")
    cells = box.locator("tbody tr").first.locator("td, th")
    verdict, gate, measured = (cells.nth(i).bounding_box() for i in range(3))
    assert verdict["y"] == measured["y"] < gate["y"]
    assert gate["width"] > 340


def test_two_arms_fit_a_phone(visit, addresses):
    """The most common report has two arms, and shows both side by side on a phone."""
    page = visit(addresses["usual"], 390, "light")
    for table in (".glance", ".dense"):
        assert page.locator(table).evaluate("b => b.scrollWidth <= b.clientWidth")


def test_paper_is_white_and_complete(visit, addresses):
    """Printed from a dark screen, the report is black on white, and folded parts are unfolded."""
    page = visit(addresses["usual"], 1280, "dark")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = false)")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    assert page.evaluate(LOW_CONTRAST) == []
    tables = page.locator("details table")
    assert tables.evaluate_all("all => all.every(t => t.checkVisibility())")
    assert tables.first.bounding_box()["height"] > 100


@pytest.mark.parametrize("report", ["usual", "one arm", "search", "open"])
@pytest.mark.parametrize("width", HEIGHTS)
def test_the_first_screen_answers(visit, addresses, report, width):
    """Verdict, reason, targets, load and key chart are completely in it; the rest is folded."""
    page = visit(addresses[report], width, "light", unfold=False)
    assert page.evaluate(INSIDE, ANSWERS) == []
    assert page.locator("main details[open]").count() == 0


@pytest.mark.parametrize("scripts", [True, False])
def test_a_link_of_the_contents_opens_its_part(visit, addresses, scripts):
    """With or without a script, by a click or by the address."""
    options = {"unfold": False, "java_script_enabled": scripts}
    page = visit(addresses["usual"], 1280, "light", **options)
    part = page.locator("#environment")
    assert not part.is_visible()
    page.get_by_role("link", name="Environment").click()
    assert part.is_visible()
    assert (
        visit(f"{addresses['usual']}#notes", 1280, "light", **options)
        .locator("#notes")
        .is_visible()
    )


def test_values_are_read_at_the_pointer_and_by_keyboard(visit, addresses):
    """The nearest column's values are in a box within the page; Escape closes it."""
    page = visit(addresses["usual"], 390, "light", unfold=False)
    chart, tip = page.locator("header .chart"), page.locator("header .tip")
    assert not tip.is_visible()
    box = chart.bounding_box()
    chart.hover(position={"x": box["width"] - 2, "y": 50})
    assert tip.inner_text().startswith("longest\ncontrol: ")
    place = tip.bounding_box()
    assert 0 <= place["x"] < place["x"] + place["width"] <= 390
    chart.focus()
    chart.press("Home")
    assert tip.inner_text().startswith("p50\n")
    chart.press("Escape")
    assert not tip.is_visible()


def test_a_series_is_switched_off_by_keyboard(visit, addresses):
    """The button of an arm hides its lines in one figure, and shows them again."""
    page = visit(addresses["usual"], 1280, "light")
    button = page.locator("header .legend button").last
    own, other = (page.locator(f"{part} .chart .line.arm-1").first for part in ("header", "main"))
    for pressed in ("false", "true"):
        button.press("Enter")
        assert button.get_attribute("aria-pressed") == pressed
        assert own.is_visible() == (pressed == "true")
        assert other.is_visible()


@pytest.mark.parametrize("report", ["usual", "search"])
def test_axe_finds_no_serious_fault(visit, addresses, report):
    """Neither critical nor serious, with all parts unfolded."""
    page = visit(addresses[report], 1280, "light", bypass_csp=True)
    page.evaluate(AXE)
    found = page.evaluate("axe.run().then(found => found.violations)")
    grave = [
        (fault["id"], [node["html"][:200] for node in fault["nodes"]])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    assert grave == []
