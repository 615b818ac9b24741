"""The layers in every rendering: their own costs, as a waterfall and as a table."""

import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from mcp_perf.results.document.comparison import Layer
from mcp_perf.results.document.document import Report
from mcp_perf.results.render.charts import charts, layers
from mcp_perf.results.render.console import terminal
from mcp_perf.results.render.files import html, markdown
from mcp_perf.results.report.build import build
from tests.support import virtual_run as virtual

TIMES = {"function": 1.0, "memory": 4.0, "http": 3.0, "proxy": 3.0}


@pytest.fixture(scope="module")
def report():
    """Four layers: one costs 3 ms, one saves 1 ms, and one does not differ from the one below."""
    arms = {name: virtual.noisy(ms, 8, seed=i) for i, (name, ms) in enumerate(TIMES.items())}
    return build(virtual.journal(arms, layers=list(TIMES)))


def plain(text):
    """Write narrow spaces as plain ones."""
    return text.replace("\u202f", " ")


def drawn(report):
    """Give the drawing of each rung."""
    rungs, _ = layers.waterfall(report.layers, charts.looks(report.arms))
    return {rung.arm: ET.fromstring(chart) for rung, chart in rungs}


def extent(chart):
    """Give the ends of a bar, in percent of the plot."""
    [bar] = [rect for rect in chart.findall("rect") if "step" in rect.get("class")]
    left, width = (float(bar.get(name).rstrip("%")) for name in ("x", "width"))
    return left, left + width


def test_each_bar_begins_where_the_one_below_ends(report):
    """The lowest at 0; one that is faster goes back, and looks it."""
    bars = {name: extent(chart) for name, chart in drawn(report).items()}
    assert bars["function"][0] == 0
    assert bars["memory"][0] == pytest.approx(bars["function"][1], abs=0.02)
    assert bars["http"][1] == pytest.approx(bars["memory"][1], abs=0.02)
    assert bars["memory"][1] == pytest.approx(4 * bars["function"][1], rel=0.05)
    falls = [name for name, chart in drawn(report).items() if "step fall" in html_of(chart)]
    assert falls[0] == "http"


def html_of(chart):
    """Write a drawing."""
    return ET.tostring(chart, "unicode")


def test_the_whisker_is_the_interval_laid_at_the_layer_below(report):
    """If the whisker reaches below the start of the step, the interval includes 0."""
    chart = drawn(report)["memory"]
    [line, *_] = [one for one in chart.findall("line") if one.get("class") == "whisker"]
    low, high = (float(line.get(name).rstrip("%")) for name in ("x1", "x2"))
    assert low < extent(chart)[1] < high
    assert [
        one for one in drawn(report)["function"].findall("line") if one.get("x2") != one.get("x1")
    ] == []


def test_a_step_that_proves_nothing_says_so(report):
    """A faster one says than which it is faster; a plain cost needs no words."""
    remarks = {rung.arm: rung.remark for rung in layers.rungs(report.layers)}
    assert remarks == {
        "function": "",
        "memory": "",
        "http": "faster than memory",
        "proxy": "no evidence of a difference to http: the interval includes 0",
    }


def test_costs_carry_their_sign(report):
    """The lowest layer costs its whole time; the others add or save."""
    costs = [plain(rung.cost) for rung in layers.rungs(report.layers)]
    assert re.fullmatch(r"0\.9\d+ ms|1\.0\d ms", costs[0])
    assert [cost[0] for cost in costs[1:3]] == ["+", "-"]


def test_an_unknown_cost_is_a_dash_and_draws_no_bar(report):
    """What could not be measured is not zero; the reason is next to it."""
    unknown = Layer(
        from_="function", to="memory", from_ms=1.0, to_ms=None, cost_ms=None, ci95=None,
        warnings=["No journey of memory was ok in 1 of 8 rounds."],
    )  # fmt: skip
    changed = report.model_copy(update={"layers": [unknown]})
    rung = layers.rungs(changed.layers)[1]
    assert (rung.cost, rung.interval, rung.remark) == ("\u2013", "", unknown.warnings[0])
    assert drawn(changed)["memory"].findall("rect") == []
    assert unknown.warnings[0] in html.render(changed)
    assert unknown.warnings[0] in plain(terminal_of(changed))


def terminal_of(report):
    """Print a report."""
    console = Console(file=io.StringIO(), width=80)
    terminal.summary(report, Path("out"), console)
    return console.file.getvalue()


def test_the_page_has_the_section_only_where_arms_are_layers(report, example):
    """A picture, its axis, and what a step means."""
    page = plain(html.render(report))
    assert page.count('class="rung"') == 4
    assert page.index("Cost of each layer") < page.index("</header>")
    assert "It includes all in which the two differ" in page
    assert "Cost of each layer" not in html.render(example.report())


def test_a_remark_on_several_layers_is_made_once(report):
    """Too few rounds are too few for each of them."""
    few = "3 rounds of each arm cannot show a difference."
    layers = [one.model_copy(update={"ci95": None, "warnings": [few]}) for one in report.layers]
    assert html.render(report.model_copy(update={"layers": layers})).count(few) == 1


def test_markdown_and_terminal_have_a_table(report, example):
    """The same words and numbers in each."""
    text, shown = plain(markdown.render(report)), plain(terminal_of(report))
    assert re.search(
        r"\| `memory` \| [\d.]+ ms \| \*\*\+[\d.]+ ms\*\* \| \S+ ms to \S+ ms \|", text
    )
    assert re.search(r"^memory +[\d.]+ ms +\+[\d.]+ ms +\S+ ms to \S+ ms", shown, re.MULTILINE)
    assert "proxy: no evidence of a difference to http" in shown
    assert "### Layers" not in markdown.render(example.report())
    assert "own cost" not in terminal_of(example.report())


def test_the_document_has_the_steps_by_the_names_from_and_to(report):
    """As other programs read it, and as it is read back."""
    written = json.loads(report.as_json())["layers"]
    assert [(one["from"], one["to"]) for one in written] == [
        ("function", "memory"), ("memory", "http"), ("http", "proxy")
    ]  # fmt: skip
    assert Report.model_validate_json(report.as_json()) == report
