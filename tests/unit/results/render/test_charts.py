import math
import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.document.document import TimelinePoint
from mcp_perf.results.render.charts import bounds, charts, percentiles, scales
from mcp_perf.results.render.charts.thinning import thin


def point(at_s, arm="mcp", p95=20.0, calls=100.0, errors=0.0):
    """Give a point of a timeline."""
    return TimelinePoint(
        at_s=at_s,
        seconds=1.0,
        arm=arm,
        phase="round",
        calls_per_s=calls,
        errors_per_s=errors,
        p50_ms=10.0,
        p95_ms=p95,
    )


def comparison(ratio=2.0, ci95=(1.8, 2.2), needed=1.1):
    """Give a comparison."""
    return Comparison(
        metric="p95",
        arm="mcp",
        versus="control",
        ratio=ratio,
        ci95=ci95,
        p_value=0.01,
        effect_needed=needed,
    )


def labels(scale):
    """Give the labels of an axis, narrow spaces as plain ones."""
    return [label.replace("\u202f", " ") for _, label in scale.ticks]


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (9.8, ["0", "2", "4", "6", "8", "10"]),
        (320, ["0", "100", "200", "300", "400"]),
        (1_200, ["0", "500", "1 000", "1 500"]),
        (0.03, ["0", "0.01", "0.02", "0.03"]),
    ],
)
def test_a_linear_axis_has_round_ticks(most, ticks):
    """A linear axis starts at zero and ends at a round number that holds the largest value."""
    scale = scales.linear(most)
    assert labels(scale) == ticks
    assert scale.at(0) == 0
    assert 0.5 < scale.at(most) <= 1


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([8, 250], ["5", "10", "20", "50", "100", "200", "500"]),
        ([0.001, 3_600_000], ["0.001", "0.1", "10", "1 000", "100 000"]),
        ([10, 1_000], ["10", "20", "50", "100", "200", "500", "1 000"]),
    ],
)
def test_values_far_apart_get_a_logarithmic_axis(values, ticks):
    """From a spread of twenty an axis is logarithmic, from 1 µs to 1 h if need be."""
    scale = scales.of_values(values)
    assert scale.logarithmic
    assert labels(scale) == ticks
    assert 0 <= scale.at(values[0]) < scale.at(values[1]) <= 1
    assert scale.at(0) == 0


def test_values_close_together_get_a_linear_axis():
    """A difference between 20 and 25 ms is shown from zero, not blown up."""
    assert not scales.of_values([20, 25, math.nan, 0]).logarithmic
    assert labels(scales.of_values([])) == labels(scales.linear(1))


def test_the_percentile_axis_gives_each_nine_the_same_width():
    """From 90 to 99 is as wide as from 99 to 99.9, as in HdrHistogram's plots; 1 is the end."""
    scale = scales.of_fractions([0.0, 0.5, 0.9999, 1.0])
    assert labels(scale) == ["p50", "p90", "p99", "p99.9", "p99.99"]
    nines = [scale.at(1 - 10**-nine) for nine in range(1, 5)]
    assert [b - a for a, b in pairwise(nines)] == pytest.approx([nines[1] - nines[0]] * 3)
    assert scale.at(0.0) == scale.at(0.5) == 0.0
    assert scale.at(1.0) == 1.0
    assert scale.at(0.9999) < 1.0


@pytest.mark.parametrize(
    ("end_s", "ticks"),
    [
        (0.5, ["0 s", "1 s"]),
        (97, ["0 s", "30 s", "60 s", "90 s"]),
        (600, ["0 min", "2 min", "4 min", "6 min", "8 min", "10 min"]),
        (7_200, ["0 min", "30 min", "60 min", "90 min", "120 min"]),
        (86_400, ["0 h", "4 h", "8 h", "12 h", "16 h", "20 h", "24 h"]),
    ],
)
def test_the_time_axis_is_labelled_in_fitting_units(end_s, ticks):
    """A run of seconds is labelled in seconds, one of hours in hours, at most seven times."""
    assert labels(scales.of_time(end_s)) == ticks


def test_ratios_stand_symmetrically_around_one():
    """Twice as fast is as far from the middle as half as fast, and no row is cut off."""
    scale = scales.of_ratios([comparison(ratio=2.0), comparison(ratio=0.47, ci95=(0.4, 0.5))])
    assert labels(scale) == ["0.33\u00d7", "1\u00d7", "3\u00d7"]
    assert scale.at(1) == 0.5
    assert scale.at(2) - 0.5 == pytest.approx(0.5 - scale.at(0.5))


@pytest.mark.parametrize("ratio", [0.0, -1.0, math.nan, math.inf, 1e9])
def test_a_ratio_beyond_the_axis_sticks_to_its_end(ratio):
    """A zero, a NaN or an absurd ratio is drawn at an end, and nothing breaks."""
    scale = scales.of_ratios([comparison(ratio=ratio, ci95=None)])
    assert scale.at(ratio) in {0.0, 1.0}


def test_thinning_keeps_every_peak():
    """One slow second in two hours is still there when 7200 points become 600."""
    slow = 4_321
    points = [point(float(s), p95=9_000.0 if s == slow else 20.0) for s in range(7_200)]
    series = thin(points, 600)
    assert len(series.points) == 600
    assert max(point.p95_ms for point in series.points) == 9_000.0
    assert series.seconds == pytest.approx(12, rel=0.001)


def test_thinning_keeps_the_highest_errors_and_the_mean_rate():
    """A merged point has the worst error rate and the mean call rate of its time."""
    points = [point(float(s), calls=100.0 + s % 2, errors=float(s == 5)) for s in range(100)]
    (first, *_), seconds = (series := thin(points, 10)).points, series.seconds
    assert (first.calls_per_s, first.errors_per_s) == (100.5, 1.0)
    assert seconds == pytest.approx(9.9)


def test_thinning_keeps_the_arms_apart():
    """Points of different arms never merge."""
    points = [point(float(s), arm=arm) for s in range(1_000) for arm in ("control", "mcp")]
    assert {p.arm for p in thin(points, 10).points} == {"control", "mcp"}
    assert len(thin(points, 10).points) == 20


def test_few_points_are_drawn_as_they_are():
    """A short run is not thinned; its points are put in order."""
    series = thin([point(2.0), point(1.0)], 10)
    assert [p.at_s for p in series.points] == [1.0, 2.0]
    assert series.seconds is None


def test_points_without_a_time_between_them_are_thinned_too():
    """Points of one instant, more than fit, become one."""
    assert len(thin([point(1.0)] * 20, 10).points) == 1


def test_a_line_breaks_where_the_arm_paused():
    """No line is drawn across a turn of another arm."""
    seconds = [0.0, 1.0, 2.0, 7.0, 8.0, 9.0]
    series = thin([point(at_s) for at_s in seconds], 100)
    cut = [[p.at_s for p in part] for part in series.stretches("mcp")]
    assert cut == [[0.0, 1.0, 2.0], [7.0, 8.0, 9.0]]
    assert series.stretches("control") == []


def test_a_line_breaks_at_a_turn_of_another_arm_however_short():
    """Turns of a single point each stay apart: regular distances do not make a line."""
    points = [point(float(s), arm="mcp" if s % 2 else "control") for s in range(6)]
    assert [len(part) for part in thin(points, 100).stretches("mcp")] == [1, 1, 1]


def test_a_point_is_as_wide_as_its_time(example):
    """A turn of one second is a line of one second, so what did not run stays a gap."""
    report = example.report()
    svg = charts.latencies(report.arms, thin([point(9.72), point(19.44)], 100))
    widths = [re.findall(r"[ML]([\d.]+) ", e.get("d")) for e in shapes(svg, "line")]
    assert widths == [["100.3", "110.7"]] * 2 + [["200.7", "211.0"]] * 2


def test_a_line_breaks_where_the_only_arm_paused():
    """Between rounds of one arm, sessions are closed and opened: a line across would be false."""
    points = [point(at_s) for at_s in (0.0, 1.001, 2.05, 3.05)]
    cut = [[p.at_s for p in part] for part in thin(points, 100).stretches("mcp")]
    assert cut == [[0.0, 1.001], [2.05, 3.05]]


def test_a_merged_line_goes_on_through_short_turns():
    """If each point stands for turns of both arms, each arm's line goes on."""
    points = [point(float(s), arm="mcp" if s % 2 else "control") for s in range(1_000)]
    assert [len(part) for part in thin(points, 50).stretches("mcp")] == [50]


def shapes(svg, css):
    """Give the elements of a chart whose class contains a word."""
    return [e for e in ET.fromstring(svg).iter() if css in e.get("class", "").split()]


def test_the_percentile_chart(example):
    """Each arm has one line with its look; pointing at 99 % shows every arm's value."""
    report = example.report()
    svg = percentiles.draw(report.arms)
    assert [e.get("class") for e in shapes(svg, "line")] == [
        "line dashed arm-0",
        "line dashed arm-1",
    ]
    readings = [e.findtext("title") for e in shapes(svg, "hit")]
    assert "p99\ncontrol: 39.1\u202fms\nmcp: 83.2\u202fms" in readings
    assert percentiles.draw(example.empty().arms) == ""


def test_the_bounds_of_gates_are_drawn_where_they_hold(example):
    """A bound on a percentile at that percentile; `3x` of another arm at three times its value."""
    report = example.report()
    asked = bounds.gate_bounds(report)
    assert [(one.arm, one.metric) for one in asked] == [
        ("mcp", "error_rate"),
        ("mcp", "p95"),
        ("mcp", "p99"),
    ]
    assert asked[2].value == pytest.approx(1.2 * report.arms["control"].latency_ms.p99)
    svg = percentiles.draw(report.arms, asked)
    assert [e.text for e in shapes(svg, "limit") if e.text] == [
        "p95 < 200ms",
        "p99 <= 1.2x control",
    ]
    over_time = charts.latencies(report.arms, thin(report.timeline, 600), asked)
    line, text = shapes(over_time, "limit")
    assert (line.get("x1"), line.get("x2"), text.text) == ("0%", "100%", "p95 < 200ms")
    assert line.get("y1") == line.get("y2")


def test_axes_have_their_units(example):
    """Each label says what it counts."""
    report = example.report()
    series = thin(report.timeline, 600)
    for svg, unit in (
        (charts.rates(report.arms, series), "/s"),
        (charts.latencies(report.arms, series), "\u202fms"),
        (percentiles.draw(report.arms), "\u202fms"),
    ):
        assert all(e.text.endswith(unit) for e in shapes(svg, "y"))


def test_the_timeline_shades_every_turn(example):
    """A band per turn, in the order of the run, in the colour of its arm; warm-up differs."""
    report = example.report()
    svg = charts.rates(report.arms, thin(report.timeline, 600))
    bands = [e.get("class") for e in shapes(svg, "band")]
    assert bands[:4] == [
        "band warmup arm-0",
        "band warmup arm-1",
        "band round arm-0",
        "band round arm-1",
    ]
    assert len(bands) == 18
    assert "".join(e.text for e in shapes(svg, "key")) == "ABABBAABBAABBAABBA"


def test_turns_do_not_overlap(example):
    """A turn is drawn until the next begins, even if its users were busy for longer."""
    run = charts.turns(example.report(turn_s=5.0).arms)
    stretched = charts.turns(
        {
            name: arm.model_copy(
                update={"rounds": [r.model_copy(update={"seconds": 99.0}) for r in arm.rounds]}
            )
            for name, arm in example.report(turn_s=5.0).arms.items()
        }
    )
    assert [turn.start_s for turn in run] == [5.0 * number for number in range(18)]
    assert [turn.end_s for turn in stretched][:3] == [5.0, 10.0, 15.0]


def test_failures_are_drawn_tall_enough_to_be_seen():
    """One failure among a thousand calls has a bar; a second without failures has none."""
    points = [point(0.0, calls=1_000.0), point(1.0, calls=1_000.0, errors=1.0)]
    bars = shapes(charts.rates({}, thin(points, 10)), "failed")
    assert len(bars) == 1
    _, top = re.findall(r"[ML][\d.]+ ([\d.]+)", bars[0].get("d"))
    assert float(top) == pytest.approx(970)


def test_a_second_without_a_latency_has_no_point(example):
    """If no call ended there is nothing to draw, not even a zero."""
    gap = point(1.0).model_copy(update={"p50_ms": None, "p95_ms": None})
    series = thin([point(0.0), gap, point(2.0)], 10)
    strong, thin_line = shapes(charts.latencies(example.report().arms, series), "line")
    assert strong.get("d").count(" ") == thin_line.get("d").count(" ") == 4


@pytest.mark.parametrize(
    ("ci95", "look"),
    [((1.8, 2.2), "clear"), ((0.9, 2.2), "unclear"), ((1.0, 2.2), "unclear"), (None, "unclear")],
)
def test_an_interval_that_touches_one_looks_unclear(ci95, look):
    """The mark of a ratio is filled only when its whole interval lies on one side of 1."""
    one = comparison(ci95=ci95)
    svg = charts.interval(one, scales.of_ratios([one]))
    (mark,) = list(ET.fromstring(svg).iter("circle"))
    assert mark.get("class") == look


def test_an_interval_shows_what_could_not_have_been_seen():
    """The band of effects too small to be seen lies around 1; without it there is no band."""
    one = comparison(needed=1.1)
    (band,) = shapes(charts.interval(one, scales.of_ratios([one])), "unseen")
    assert float(band.get("x")[:-1]) + float(band.get("width")[:-1]) / 2 == pytest.approx(50, abs=1)
    unknown = comparison(ratio=None, ci95=None, needed=None)
    svg = charts.interval(unknown, scales.of_ratios([unknown]))
    assert not shapes(svg, "unseen")
    assert "<circle" not in svg


def test_every_chart_has_a_name_and_a_description(example):
    """A screen reader can say what a chart shows."""
    report = example.report()
    series = thin(report.timeline, 600)
    for svg in (
        percentiles.draw(report.arms),
        charts.rates(report.arms, series),
        charts.latencies(report.arms, series),
    ):
        root = ET.fromstring(svg)
        named = {root.find("title").get("id"), root.find("desc").get("id")}
        assert set(root.get("aria-labelledby").split()) == named
        assert root.findtext("title")
        assert root.get("role") == "img"


def test_a_long_run_is_drawn_with_few_shapes(example):
    """A run of two hours draws at most 600 columns and two lines an arm and stretch."""
    report = example.long_run()
    svg = charts.latencies(report.arms, thin(report.timeline, 600))
    assert len(shapes(svg, "hit")) <= 1_200
    assert len(svg) < 400_000
