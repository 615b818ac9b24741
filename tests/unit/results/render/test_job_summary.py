import pytest

from mcp_perf.results.render.console import job_summary
from mcp_perf.results.render.files import markdown


def test_a_report_that_fits_is_shown_whole(example):
    """There is only the report, and a blank line before what follows."""
    report = example.report()
    text = job_summary.fit(markdown.sections(report), job_summary.LIMIT_BYTES)
    assert text == markdown.render(report) + "\n"


PARTS = ["# head", "ä" * 100, "tail " * 1000]


@pytest.mark.parametrize(
    ("room", "kept"), [(5212, 3), (5211, 2), (318, 2), (317, 1), (116, 1), (115, 0), (108, 0)]
)
def test_whole_parts_are_left_out_from_the_end_and_counted(room, kept):
    """What is cut never exceeds the room, counted in bytes, and says how much is missing."""
    text = job_summary.fit(PARTS, room)
    assert len(text.encode()) <= room
    assert text.startswith("\n\n".join(PARTS[:kept]))
    assert ("left out" in text) == (kept < 3)
    assert kept == 3 or f"{3 - kept} of 3 parts" in text


def test_without_room_nothing_is_written():
    """Half a sentence would say nothing."""
    assert job_summary.fit(PARTS, 107) == ""
    assert job_summary.fit(PARTS, -5) == ""


def test_a_refusal_is_a_list_of_what_was_wrong():
    """The lines of a refusal are text, whatever they look like."""
    text = job_summary.refusal(104, ["a: <b> is wrong", "# c"])
    assert text.splitlines()[0] == "## \u26a0 No report (exit code 104)"
    assert "- a: &lt;b&gt; is wrong\n- \\# c\n" in text
