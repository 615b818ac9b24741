"""The capacity in every rendering: the rate that holds, its interval, and the charts."""

import io
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from mcp_perf.results.document.document import Capacity, Latency, RateLevel
from mcp_perf.results.render.charts import capacity
from mcp_perf.results.render.charts.bounds import GateBound
from mcp_perf.results.render.console import terminal
from mcp_perf.results.render.files import html, markdown
from mcp_perf.results.report.build import build
from tests.support.virtual_search import Server, search


@pytest.fixture(scope="module")
def report():
    """Search two servers, of about 200/s and 100/s."""
    servers = {"control": Server(0.02, 4), "mcp": Server(0.04, 4)}
    return build(search(servers, ["mcp.p95 < 60ms"], rate="1k/s"))


def plain(text):
    """Write narrow spaces as plain ones."""
    return text.replace("\u202f", " ")


def with_capacity(report, **changes):
    """Change what was found of `mcp`."""
    arm = report.arms["mcp"]
    found = arm.capacity.model_copy(update=changes)
    arms = {**report.arms, "mcp": arm.model_copy(update={"capacity": found})}
    return report.model_copy(update={"arms": arms})


def test_the_gates_of_a_search_are_not_denied(report):
    """They are conditions of each rate, so nothing says that the scenario sets none."""
    assert not report.gates
    for text in (html.render(report), markdown.render(report)):
        assert "sets no gates" not in text
    assert "A rate holds" in html.render(report)


def test_an_edge_is_explained_if_one_is_drawn():
    """A search whose every rate held has no band."""
    held = build(search({"mcp": Server(0.001, 4)}, ["mcp.p95 < 60ms"], rate="100/s"))
    assert "Each band is an edge" not in html.render(held)


def test_each_arm_has_its_line(report):
    """What it holds, between which rates, and what broke beyond."""
    control, mcp = capacity.found(report.arms)
    assert (control.arm, control.beyond) == ("control", "throughput")
    assert mcp.beyond.startswith("mcp.p95 < 60ms")
    low, high = re.fullmatch(r"(.+)/s to (.+)/s", mcp.interval).groups()
    assert mcp.rate == f"{low}/s"
    assert 90 < float(low) < float(high) < 115


@pytest.mark.parametrize(
    ("changes", "interval", "beyond"),
    [
        ({"interval": (90, None), "outcome": "generator"}, "at least 90.0/s", "the load generator"),
        ({"interval": (None, 5), "outcome": "lowest"}, "less than 5.00/s", "not even the lowest"),
        (
            {"interval": (None, None), "outcome": "unfinished"},
            "\u2013",
            "the search did not finish",
        ),
        ({"interval": (500, None), "outcome": "held"}, "at least 500/s", "held every rate"),
    ],
)
def test_other_outcomes_are_told_in_words(report, changes, interval, beyond):
    """An end that is not known is not written as a number."""
    found = capacity.found(with_capacity(report, **changes).arms)[1]
    assert found.interval == interval
    assert beyond in found.beyond


def test_the_charts_draw_every_rate_of_every_arm(report):
    """Three latencies and a rate per arm, the line of all done, and a band at each knee."""
    latency = ET.fromstring(capacity.latency(report.arms))
    achieved = ET.fromstring(capacity.achieved(report.arms))
    assert len(latency.findall(".//path")) == 6
    assert len(achieved.findall(".//path")) == 3
    for chart in (latency, achieved):
        bands = [rect for rect in chart.findall(".//rect") if "knee" in rect.get("class")]
        assert [rect.get("class") for rect in bands] == ["knee arm-0", "knee arm-1"]
        assert all(float(rect.get("width").rstrip("%")) >= 0.6 for rect in bands)
        assert bands[0].find("title").text.startswith("control: capacity 2")
    rates = {level.rate_per_s for arm in report.arms.values() for level in arm.capacity.levels}
    assert len(latency.findall(".//rect[@class='hit']")) == len(rates)


def test_what_a_pointer_reads_is_about_its_rate(report):
    """Each column names the rate and what every arm did there that was tried at it."""
    chart = ET.fromstring(capacity.achieved(report.arms))
    texts = [plain(rect.find("title").text) for rect in chart.findall(".//rect[@class='hit']")]
    [first, *_] = texts
    assert first.startswith("5.00/s offered\ncontrol: 5.00/s done, p50 20")
    assert "\nmcp: 5.00/s done" in first
    assert "held 1 of 1" in first
    assert all(text.count("\n") in (1, 2) for text in texts)


def test_a_rate_without_a_latency_has_no_point(report):
    """Nothing ended at it: the lines leave it out, the table has a dash."""
    nothing = RateLevel(
        rate_per_s=900, repeats=1, held=0, by_generator=1, broke_by=["drops"], achieved_per_s=0,
        latency_ms=Latency(), planned=9, dropped=9, error_rate=None,
    )  # fmt: skip
    changed = with_capacity(report, levels=[nothing])
    assert len(ET.fromstring(capacity.latency(changed.arms)).findall(".//path")) == 3
    page = plain(html.render(changed))
    assert "drops, the load generator was late" in page


def test_every_trial_is_drawn_in_its_order(report):
    """A dot each, and what a pointer reads says at which rate it was, and what broke."""
    chart = ET.fromstring(capacity.search(report.arms))
    dots = [circle.get("class") for circle in chart.iter("circle")]
    assert len(dots) == sum(len(arm.capacity.trials) for arm in report.arms.values())
    assert {"mark held arm-0", "mark broke arm-0", "mark held arm-1", "mark broke arm-1"} == {*dots}
    texts = [plain(rect.find("title").text) for rect in chart.findall(".//rect[@class='hit']")]
    assert texts[0] == "trial 1\ncontrol: 5.00/s held\nmcp: 5.00/s held"
    assert any("broke: throughput" in text for text in texts)


def test_a_search_says_what_contradicts_itself(report):
    """A rate that held and broke, and one that broke below a rate that always held."""
    levels = [
        report.arms["mcp"]
        .capacity.levels[0]
        .model_copy(update={"rate_per_s": rate, "repeats": 3, "held": held})
        for rate, held in ((10.0, 3), (20.0, 0), (30.0, 2), (40.0, 3), (50.0, 1), (60.0, 0))
    ]
    found = with_capacity(report, levels=levels).arms["mcp"].capacity
    assert [plain(text) for text in capacity.contradictions(found)] == [
        "20.0/s held in 0 of 3 trials, although 40.0/s held every time",
        "30.0/s held in 2 of 3 trials, although 40.0/s held every time",
        "50.0/s held in 1 of 3 trials",
    ]


def test_the_capacity_that_a_gate_asks_for_is_drawn(report):
    """As a vertical line at that rate."""
    asked = [GateBound("mcp", "capacity", "capacity >= 10/s", 10.0)]
    chart = ET.fromstring(capacity.latency(report.arms, asked))
    [upright] = [line for line in chart.iter("line") if line.get("class") == "limit"]
    assert upright.get("x1") == upright.get("x2")


def test_no_band_without_both_ends(report):
    """A knee that was not found is not drawn."""
    chart = capacity.latency(with_capacity(report, interval=(100, None)).arms)
    assert chart.count('class="knee') == 1


def test_a_search_that_tried_nothing_draws_nothing(report):
    """Cut off before the first trial ended: no chart, but the section says so."""
    arms = {"mcp": report.arms["mcp"]}
    bare = with_capacity(report.model_copy(update={"arms": arms}), levels=[], rate_per_s=None)
    assert (capacity.latency(bare.arms), capacity.achieved(bare.arms)) == ("", "")
    assert 'id="capacity"' in html.render(bare)


def test_the_page_has_the_section_only_after_a_search(report, example):
    """Headline, conditions and every rate; nothing of it in other runs."""
    page = plain(html.render(report))
    assert '<section id="capacity"' in page
    assert "mcp.p95 &lt; 60ms; throughput at least 95 % of the offered rate" in page
    assert 'id="capacity"' not in html.render(example.report())


def test_markdown_and_terminal_have_the_capacity(report, example):
    """The same line per arm in each."""
    text = plain(markdown.render(report))
    assert "### Capacity" in text
    assert re.search(r"\| `mcp` \| \*\*\d+(\.\d)?/s\*\* \| \S+ to \S+/s \| mcp.p95 &lt; 60ms", text)
    assert "| `mcp` 5.00/s | 1 of 1 | 5.00/s |" in text
    console = Console(file=io.StringIO(), width=80)
    terminal.summary(report, Path("out"), console)
    shown = plain(console.file.getvalue())
    assert re.search(r"^control +2\d\d/s +2\d\d/s to 2\d\d/s +throughput", shown, re.MULTILINE)
    assert "Capacity" not in markdown.render(example.report())


def test_the_document_comes_back_as_it_went(report):
    """An end that is not known is null in report.json."""
    changed = with_capacity(report, interval=(100, None))
    found = type(report).model_validate_json(changed.as_json())
    assert isinstance(found.arms["mcp"].capacity, Capacity)
    assert found.arms["mcp"].capacity.interval == (100, None)


def test_the_head_of_a_search_is_what_it_found(report):
    """Rates and times of all trials together describe no load: they do not come first."""
    console = Console(file=io.StringIO(), width=80)
    terminal.summary(report, Path("out"), console)
    text = console.file.getvalue()
    assert text.split()[:2] == ["capacity", "of"]
    assert "journeys/s" not in text
    head = html.render(report).partition("<main>")[0]
    assert "What the search found" in head
    assert "The arms at a glance" not in head
