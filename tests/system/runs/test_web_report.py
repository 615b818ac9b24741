"""What our page adds to Locust's: the report, and a note about a load that somebody changed."""

import json
import re
import urllib.error

import pytest

from tests.support.web_page import opened

pytestmark = pytest.mark.load


def test_the_page_leads_to_the_report_and_leaves_quietly(tmp_path) -> None:
    """The link is under Download Data; before the first run it says that there is no report yet.

    Ctrl-C on the idle page ends it with the code of the last run and without a traceback.
    """
    with opened(tmp_path) as page:
        link = json.loads(
            re.search(r'"extended_csv_files": (\[.*?\])', page.get("/").replace("\\", ""))[1]
        )
        assert link[0]["href"] == "/mcp-perf/report"
        with pytest.raises(urllib.error.HTTPError, match="404") as missing:
            page.get(link[0]["href"])
        missing.value.close()
        with page.expecting_a_run():
            page.start("quick")
        _, report = page.found
        assert report["run_id"] in page.get(link[0]["href"])
        assert page.close() == report["exit_code"]
        assert "Traceback" not in page.log.read_text()


def test_a_load_that_was_changed_during_the_run_is_noted(tmp_path) -> None:
    """Edit on the page changes the users of the run; the report says so."""
    with opened(tmp_path) as page:
        with page.expecting_a_run():
            page.start("endless")
            page.until(lambda: page.state() == "running")
            page.post("/swarm", user_count=5, spawn_rate=50, scenario="endless", target="")
            page.until(lambda: "users_changed" in (page.runs()[-1] / "journal.jsonl").read_text())
            page.post("/stop")
        _, report = page.found
        assert any("users were changed to 5" in note for note in report["notes"])
