"""The charts of the live page: the last minutes of a run in progress."""

import re

import pytest

from mcp_perf.results.document.document import TimelinePoint
from mcp_perf.results.render.charts.recent import draw


def point(at_s, arm, rate=100.0, p95_ms=5.0):
    """Give one second of an arm."""
    return TimelinePoint.model_construct(
        at_s=at_s,
        seconds=1.0,
        arm=arm,
        phase="round",
        calls_per_s=rate,
        errors_per_s=0.0,
        p50_ms=1.0,
        p95_ms=p95_ms,
    )


def lines(chart):
    """Return the look of each line and its number of points."""
    found = re.findall(r'<path class="([^"]+)" d="([^"]+)"', chart)
    return [(css, path.count("L") + 1) for css, path in found]


def test_a_line_ends_where_its_arm_pauses():
    """Between two turns of an arm nothing is drawn."""
    turns = [("a", 0), ("a", 1), ("b", 2), ("b", 3), ("a", 4), ("a", 5)]
    rates = draw(["a", "b"], [point(float(at), arm) for arm, at in turns])["rates"]
    assert lines(rates) == [("line arm-0", 2), ("line arm-0", 2), ("line arm-1", 2)]


def test_the_axis_begins_with_the_first_point():
    """Two minutes of a long run fill the whole chart."""
    points = [point(3600.0 + at, "a") for at in range(121)]
    [found] = re.findall(
        r'<path class="line arm-0" d="M([\d.]+) .*L([\d.]+) ', draw("a", points)["rates"]
    )
    assert found == ("0.0", "1000.0")
    assert "1\u202fh 00\u202fmin" in draw("a", points)["rates"]


def test_seconds_without_an_answer_have_no_p95():
    """The line goes on after them."""
    points = [point(0.0, "a"), point(1.0, "a", p95_ms=None), point(2.0, "a")]
    assert lines(draw("a", points)["p95"]) == [("line arm-0", 2)]


@pytest.mark.parametrize("points", [[], [point(0.0, "a")]])
def test_nothing_is_drawn_of_less_than_two_points(points):
    """A single one has no time."""
    assert draw("a", points) == {}
