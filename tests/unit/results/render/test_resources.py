"""How it is shown what the targets used: on the axis of the other charts, or why not."""

import re
from xml.etree import ElementTree as ET

import pytest

from mcp_perf import numbers
from mcp_perf.results.document.document import ResourcePoint
from mcp_perf.results.document.target_numbers import ResourceNumbers
from mcp_perf.results.render.charts import charts, resource_charts
from mcp_perf.results.render.charts.thinning import thin
from mcp_perf.results.render.files import html, markdown


def drawn(report):
    """Draw the charts of a report, as trees by their titles."""
    series = thin(report.resources, 600)
    last_s = thin(report.timeline, 600).last_s
    return {
        title: ET.fromstring(chart)
        for title, chart in resource_charts.draw(report.arms, series, last_s).items()
    }


def ticks(chart):
    """Give the labels and places of the time axis."""
    return [(t.text, t.get("x")) for t in chart.iter("text") if t.get("class") == "x"]


def bands(chart):
    """Give the places of the shaded turns."""
    shaded = [r for r in chart.iter("rect") if "band" in r.get("class")]
    return [(rect.get("x"), rect.get("width")) for rect in shaded]


def test_both_charts_stand_on_the_time_axis_of_the_latencies(example):
    """The same ticks and the same turns at the same places."""
    report = example.report()
    latency = ET.fromstring(charts.latencies(report.arms, thin(report.timeline, 600)))
    found = drawn(report)
    assert list(found) == ["CPU", "Resident memory"]
    for chart in found.values():
        assert ticks(chart) == ticks(latency)
        assert bands(chart) == bands(latency)
        assert bands(chart)


def test_each_arm_keeps_its_colour_and_its_own_turns(example):
    """Lines of both arms, cut where the other ran; a point explains itself."""
    chart = drawn(example.report())["CPU"]
    css = {path.get("class") for path in chart.iter("path")}
    assert {"line arm-0", "line arm-1"} <= css
    for path in chart.iter("path"):
        look = path.get("class").split()[1]
        own = [r for r in chart.iter("rect") if {"band", look} <= set(r.get("class").split())]
        spans = [(float(r.get("x")[:-1]), float(r.get("width")[:-1])) for r in own]
        for x in re.findall(r"[ML]([\d.]+) ", path.get("d")):
            assert any(left - 0.1 <= float(x) / 10 <= left + width + 0.1 for left, width in spans)
    titles = [title.text for title in chart.iter("title")]
    assert any(re.match(r"mcp at [\d.]+\u202fs\nCPU 1\d\d\u202f%, \d+\u202fMB", t) for t in titles)


@pytest.mark.parametrize(("field", "left"), [("cpu", ["Resident memory"]), ("rss_bytes", ["CPU"])])
def test_what_nobody_knows_is_not_drawn(example, field, left):
    """A chart without any number is left out."""
    report = example.report()
    points = [point.model_copy(update={field: None}) for point in report.resources]
    assert list(drawn(report.model_copy(update={"resources": points}))) == left


def test_nothing_sampled_draws_nothing(example):
    """A report without points does not have the chart, nor an empty figure."""
    page = html.render(example.report(resources=[]))
    assert "CPU of the target" not in page
    assert "CPU of the target" in html.render(example.report())


def test_thinning_keeps_peaks_and_the_mean_cpu():
    """The most memory of a stretch; CPU weighed by the time of its points."""
    points = [
        ResourcePoint(
            at_s=i,
            seconds=3 if i % 2 else 1,
            arm="mcp",
            phase="round",
            cpu=None if i == 0 else 0.5 if i % 2 else 0.1,
            rss_bytes=999 if i == 77 else 10,
            threads=None,
            fds=i,
        )
        for i in range(100)
    ]
    thinned = thin(points, 2).points
    assert len(thinned) == 2
    assert max(point.rss_bytes for point in thinned) == 999
    assert thinned[1].cpu == pytest.approx((0.5 * 3 + 0.1) / 4)
    assert (thinned[1].threads, thinned[1].fds) == (None, 99)


def test_the_tables_say_what_was_used_and_why_it_is_not_known(example):
    """Sources, numbers and reasons stand in HTML and Markdown alike."""
    report = example.report(names=("control", "mcp", "old"))
    for text in (html.render(report), markdown.render(report)):
        assert "twilio-mcp, twilio-upstream" in text
        assert "not sampled: 10.0.0.7 is not this machine." in text.replace("was not", "not")
        assert "4.44\u202fms" in text
        assert "143\u202fMB" in text
    rows = markdown.render(report).partition("**What the target used**")[2].splitlines()
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows[2:6]] == [10] * 4
    assert "-1.20 to 7.40\u202f%" in rows[4]


def test_a_slope_without_an_interval_is_not_shown(example):
    """The growth of a short run, extrapolated to an hour, would only frighten."""
    text = markdown.render(example.report())
    assert "140" not in text.partition("`mcp` twilio-mcp")[2].partition("\n")[0]


def test_without_any_word_on_resources_there_is_no_table(example):
    """The report of an older run does not have the table."""
    report = example.report()
    arms = {
        name: arm.model_copy(update={"resources": ResourceNumbers()})
        for name, arm in report.arms.items()
    }
    bare = report.model_copy(update={"arms": arms, "resources": []})
    assert "What the target used" not in markdown.render(bare)
    assert "resources of" not in html.render(bare)


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0.0123, "fraction/h", "1.23\u202f%/h"),
        (-0.5, "fraction/h", "-50.0\u202f%/h"),
        (1.5, "fraction", "150\u202f%"),
        (142_300_000.0, "B", "142.3\u202fMB"),
        (None, "B", numbers.NONE),
        (None, "fraction/h", numbers.NONE),
    ],
)
def test_what_gates_measured_is_written_in_its_unit(value, unit, written):
    """Growth per hour, CPU above one core, memory."""
    assert numbers.measured(value, unit) == written
