"""Running agents and runs, in a real browser: large and small, light and dark."""

import csv
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from mcp_perf.agent.records import TaskRecord
from mcp_perf.agent.sessions import ApiCall, Completion, NewSession
from mcp_perf.agent.store import AgentStore
from mcp_perf.results.journal.journal import JournalWriter
from tests.support import virtual_run as virtual
from tests.support.commands import QUICK
from tests.support.dashboard import faults, is_quiet, press, served, visiting
from tests.support.web_page import chromium

pytestmark = [pytest.mark.browser, pytest.mark.load]

DESK, PHONE = (1280, "light"), (390, "dark")
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
HOSTILE = "<img src=//elsewhere.example/x onerror=alert(1)>"
WATCH = """() => {
  window.changes = [];
  const keep = () => window.changes.push([performance.now(), document.body.innerText]);
  new MutationObserver(keep).observe(document.querySelector("[data-follow]"),
    { childList: true, subtree: true, characterData: true });
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of the dashboard, with its store and its runs."""
    return tmp_path_factory.mktemp("dashboard")


@pytest.fixture(scope="module")
def store(folder):
    """Fill a store with sessions of agents."""
    address = f"sqlite:///{folder}/history.sqlite"
    sessions = AgentStore(address)
    common = {"mcp_client": "cline", "duration": 60_000, "total_tokens": 2000, "cost": 0.25}
    runs = [
        TaskRecord(
            mode=mode,
            model=model,
            mcp_server="twilio" if mode == "mcp" else "",
            task_id=1 + number % 3,
            directory_id=number,
            success=number % 4 != 0,
            **common,
        )
        for mode in ("control", "mcp")
        for model in ("big", "small")
        for number in range(9)
    ]
    sessions.replace("a folder", runs)
    told = {"model": HOSTILE, "server": HOSTILE, "client": HOSTILE}
    session = sessions.make(1_700_000_000_000, NewSession(mode="mcp", taskNumber=2, **told)).id
    call = ApiCall(endpoint=HOSTILE, method="tools/call", success=True, details={"a": HOSTILE})
    sessions.make(1_700_000_001_000, call, session)
    sessions.make(1_700_000_002_000, Completion(success=True, notes=HOSTILE), session)
    return address, session


@pytest.fixture(scope="module")
def opened(folder, store):
    """Serve the store, a run that was cut off, and one that is running."""
    rounds = {"control": [virtual.Round(ms=10)] * 6, HOSTILE: [virtual.Round(ms=20, failed=9)] * 6}
    writers = []
    for name in ("goes-on", "was-cut-off"):
        (folder / "runs" / name).mkdir(parents=True)
        writers.append(JournalWriter(folder / "runs" / name / "journal.jsonl"))
        for record in virtual.journal(rounds, end=None, title=HOSTILE, gates=["control.p95 < 1s"]):
            writers[-1].write(record)
        writers[-1].flush()
    writers[1].close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MCP_PERF_OUT", str(folder / "runs"))
        with served(store[0]) as address:
            yield address
    writers[0].close()


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


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
)
def test_every_page_on_every_screen(visit, store, width, scheme):
    """No complaint, no request to another host, no sideways scrolling, no serious fault of axe."""
    page = visit("/agents", width, scheme)
    found = {}
    examined = ("/agents", f"/agents/sessions/{store[1]}", "/live/goes-on")
    for path in (*examined, "/agents/sessions", "/live", "/live/was-cut-off"):
        page.goto(page.home + path)
        scroll_width, client_width = page.evaluate(WIDTHS)
        assert scroll_width <= client_width, path
        if path in examined and (width, scheme) in (DESK, PHONE):
            found |= faults(page)
    assert found == {}
    assert is_quiet(page)


@pytest.mark.parametrize(("width", "scheme"), [DESK, PHONE])
def test_the_leaderboard_is_filtered_and_downloaded(visit, width, scheme):
    """Cards, charts and files show the chosen model; the address holds it."""
    page = visit("/agents", width, scheme)
    page.locator("select[name=model]").select_option("small")
    page.locator("select[name=mode]").select_option("mcp")
    press(page, "button", "Filter")
    assert "model=small" in page.url
    assert page.locator(".card h3").all_inner_texts() == ["small"]
    page.locator(".plot .bars").first.wait_for()
    with page.expect_download() as download:
        page.locator("#models ~ .files a", has_text="CSV").click()
    [row] = csv.DictReader(Path(download.value.path()).read_text("utf-8").splitlines())
    assert (row["model"], row["server"], row["sessions"]) == ("small", "twilio", "9")
    with page.expect_download() as download:
        page.get_by_role("link", name="PDF").click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")
    press(page, "link", "9 sessions")
    assert page.locator("tbody tr").count() == 9
    assert is_quiet(page)


def test_without_javascript_the_numbers_are_there(visit):
    """The agents' in tables, a run's as of the time the page was loaded."""
    page = visit("/agents", java_script_enabled=False)
    assert page.locator("#tasks ~ .scroll table").is_visible()
    assert page.locator(".plot").first.is_hidden()
    page.goto(page.home + "/live/goes-on")
    assert page.locator("#side-by-side table").is_visible()


def test_a_run_of_another_process_is_followed_to_its_verdict(visit, folder, store, environment):
    """It appears in the list, its numbers change, it ends with the verdict and its report."""
    desk, phone = visit("/runs", *DESK), visit("/live", *PHONE)
    known = {**environment, "MCP_PERF_OUT": str(folder / "runs"), "MCP_PERF_STORE": store[0]}
    command = ["mcp-perf", "run", "echo", *QUICK, "--set", "load.round=1s"]
    with subprocess.Popen(command, env=known, stdout=subprocess.DEVNULL) as run:
        for page in (desk, phone):
            page.locator("#going-on a", has_text="echo-").click(timeout=60_000)
            page.evaluate(WATCH)
        for page in (desk, phone):
            page.locator("#report").wait_for(timeout=60_000)
        run.wait()
    for page in (desk, phone):
        going_on = [at for at, text in page.evaluate("window.changes") if "The report" not in text]
        gaps = [after - before for before, after in pairwise(going_on)]
        assert gaps
        assert max(gaps) < 20_000  # ten times the maximum of two seconds
        assert is_quiet(page)
        verdict = page.locator("#verdict h2").inner_text()
        page.locator("#report").click()
        page.wait_for_url("**/runs/echo-*")
        assert page.title().startswith(verdict)
