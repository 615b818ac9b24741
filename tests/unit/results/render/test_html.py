import re
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from mcp_perf import numbers
from mcp_perf.results.render.files import html

PART = re.compile(r"<summary><h2>(.*?)</h2></summary>")
VOID = {"meta", "br"}


class Page(HTMLParser):
    """The elements, attributes and texts of a page, with what is open around each text."""

    def __init__(self, source):
        super().__init__()
        self.elements = []
        self.texts = []
        self.open = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        """Note an element and what is now open."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """Note an element that closes itself."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        """Check that the element that closes was the last to open."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Note a text and what is open around it."""
        self.texts.append((tuple(self.open), data))

    def text(self, *within):
        """Join the texts inside all of these elements."""
        return " ".join(
            " ".join(data for around, data in self.texts if set(within) <= set(around)).split()
        )

    def all(self, tag):
        """List the attributes of each element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(example):
    """Give the page of the example."""
    return Page(html.render(example.report()))


def test_the_page_is_well_formed(page):
    """Every element that opens is closed, in order."""
    assert page.open == []


def test_the_parts_stand_in_order(example):
    """Folded below the first screen: gates, steps, comparison, charts, arms, circumstances."""
    source = html.render(example.report())
    assert source.index("<h1>") < source.index("<h2")
    assert source.count('<details class="part">') == len(PART.findall(source))
    assert PART.findall(source) == [
        "Gates",
        "Steps",
        "Journeys",
        "Comparison",
        "Over the run",
        "Rounds",
        "Arms",
        "Failures",
        "Replies",
        "Load generator",
        "Environment",
        "Notes",
    ]


def test_the_first_screen_answers(page):
    """The one reason, each target with its server, the load, each tool, and what failed most."""
    head = page.text("header").replace(numbers.THIN, " ")
    assert "mcp.error_rate is 0.692 %" in head
    assert "http://127.0.0.1:43121/mcp twilio-mcp 1.4.0 , MCP 2026-07-28 (no handshake)" in head
    assert "Load: 20 users, closed, 8 rounds of 5 s" in head
    assert "Latency by percentile" in page.text("header", "figure")
    assert "tools/call TwilioApiV2010--CreateMessage" in page.text("header", "table")
    assert f"31 {numbers.TIMES} tool_error" in page.text("header", "ol")


def test_the_first_table_begins_with_what_is_worst(example):
    """All arms first, then steps: equal names together, what failed most before all."""
    head = html.render(example.report(names=("control", "mcp", "other"))).partition("</header>")[0]
    names = re.findall(r"<bdi[^>]*>([^<]*)</bdi>", head.partition("<table")[2])
    arms = [name for name in names if name in ("control", "mcp", "other")]
    assert arms[:5] == ["control", "mcp", "control", "other", "control"]  # with what they are by
    steps = [name.rpartition("--")[2] for name in names if name.startswith("tools/call")]
    assert steps[:2] == ["CreateIncomingPhoneNumber"] * 2


def test_the_contents_link_to_every_part(page):
    """Each link leads into a folded part, so that a browser opens it."""
    links = [attributes["href"] for attributes in page.all("a")]
    assert links == [f"#{attributes['id']}" for attributes in page.all("section")]
    assert not any("open" in attributes for attributes in page.all("details"))


def test_a_warning_of_many_comparisons_is_said_once(example):
    """As a footnote, to which each row refers."""
    few = "7 rounds are too few for p-values of 11 comparisons."
    rows = [
        one.model_copy(update={"warnings": [*one.warnings, few]})
        for one in example.report().comparisons
    ]
    source = html.render(example.report(comparisons=rows))
    assert source.count(few) == 1
    assert source.count("<sup>1</sup>") == len(rows)
    assert source.count("<sup>2</sup>") == 1


def test_failures_that_say_the_same_are_one_line(example):
    """Whatever numbers they name, in whatever step; a status of HTTP keeps them apart."""
    one = example.failures()[1]
    said = ("503 in 12 ms", "503 in 9 ms", "502 in 9 ms")
    failures = [
        one.model_copy(update={"example": text, "step": f"step {i}"}) for i, text in enumerate(said)
    ]
    source = html.render(example.report(failures=failures)).partition("</header>")[0]
    assert re.findall(r"(\d+) \S</span> <code>http_error</code> <bdi>(\d+)", source) == [
        ("14", "503"),
        ("7", "502"),
    ]


@pytest.mark.parametrize("verdict", ["PASS", "FAIL", "INCONCLUSIVE", "INVALID"])
def test_each_verdict_has_its_own_look(example, verdict):
    """The verdict is the heading, with its icon and colour."""
    page = Page(html.render(example.report(verdict=verdict)))
    assert page.text("h1") == verdict
    assert page.all("html")[0]["class"] == verdict.lower()
    icons = {attributes["id"] for attributes in page.all("symbol")}
    assert {use["href"][1:] for use in page.all("use")} <= icons


def test_nothing_is_fetched_and_nothing_foreign_runs(page):
    """One file: no link but within it, no image, one script, and a policy that says so."""
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"link", "img", "iframe", "object", "embed", "base", "form"}
    for _, attributes in page.elements:
        assert not {name for name in attributes if name.startswith("on") or name == "src"}
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in page.text("style")
    assert "@import" not in page.text("style")
    [policy] = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'")
    [script] = [data for around, data in page.texts if "script" in around]
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert policy.endswith(f"script-src 'sha256-{digest}'")
    assert len(script.splitlines()) <= 150


def census(page):
    """Count the elements and the names of their attributes."""
    return Counter((tag, *sorted(attributes)) for tag, attributes in page.elements)


def test_promise_24_hostile_text_adds_no_element_and_no_attribute(example):
    """In every field, hostile strings are text: the page has the elements of a harmless one."""
    harmless = example.hostile(text="harmless")
    hostile = Page(html.render(example.hostile()))
    assert census(hostile) == census(Page(html.render(harmless)))
    assert hostile.open == []


def test_hostile_text_is_shown(example):
    """What was refused as markup can still be read, control and direction characters too."""
    source = html.render(example.hostile())
    page = Page(source)
    assert "<script>document.title='owned'</script>" in page.text("ul")
    assert "\\x1b[31m" in page.text("pre")
    assert "\\u202egnp.exe" in page.text("pre")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", source)
    assert "{{ 7*7 }}" in page.text("pre")


def test_accessible_names(page):
    """Every table has a caption, every header a scope, every section and chart a name."""
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("caption")) == len(page.all("table")) >= 8
    assert all("scope" in header for header in page.all("th"))
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    named_by = [a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a]
    assert {name for names in named_by for name in names.split()} <= ids
    regions = [a for _, a in page.elements if a.get("role") == "region"]
    assert all(region["aria-label"] and region["tabindex"] == "0" for region in regions)
    assert all(
        "aria-labelledby" in s or "aria-label" in s or "aria-hidden" in s or s.get("id")
        for s in page.all("svg")
        if s.get("role") == "img"
    )


def test_ids_are_unique(page):
    """No two elements share an id."""
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_simulated_parts_are_named_near_the_verdict(page):
    """What was simulated stands in the first part of the page, and in the environment."""
    assert "Simulated: 2 parts." in page.text("header", "summary")
    assert "Twilio's API" in page.text("header", "li")
    assert "Twilio's API" in page.text("main", "table")


def test_a_run_that_was_cut_off_says_so(example):
    """An incomplete run is marked next to its verdict; a complete one is not."""
    assert "Incomplete." in Page(html.render(example.report(complete=False))).text("header")
    assert "Incomplete." not in Page(html.render(example.report())).text("header")


def test_a_run_without_numbers_renders(example):
    """Nulls everywhere are dashes; parts without content are left out."""
    page = Page(html.render(example.empty()))
    assert page.open == []
    assert numbers.NONE in page.text("td")
    assert not {"None", "nan", "null"} & set(page.text("main").split())
    assert PART.findall(html.render(example.empty())) == [
        "Gates",
        "Comparison",
        "Arms",
        "Load generator",
    ]


@pytest.mark.parametrize("arms", [1, 2, 6])
@pytest.mark.parametrize("rounds", [1, 20])
def test_any_number_of_arms_and_rounds(example, arms, rounds):
    """One to six arms, of any name, each have a letter and a colour."""
    names = ("a", "b" * 300, "<c>", "d d", "\u05e9", "f\u202e")[:arms]
    page = Page(html.render(example.report(names=names, rounds=rounds)))
    swatches = {a["class"] for a in page.all("b") if "swatch" in a["class"]}
    assert {f"swatch arm-{i}" for i in range(arms)} <= swatches
    turns = [a for a in page.all("li") if "round" in a.get("title", "")]
    assert len(turns) == (arms * rounds if arms > 1 else 0)  # one arm has no order


def test_more_arms_than_looks_still_render(example):
    """A seventh arm starts again with the first colour, under its own letter."""
    page = Page(html.render(example.report(names=tuple("tuvwxyz"), rounds=1)))
    assert "G" in page.text("b").split()


def test_a_number_in_a_sentence_is_not_broken():
    """Neither before its thousands and its unit, nor after its sign."""
    said = "0 of 1 506 calls failed: < 0.2 % (95 %); 12 s of 900 s, >= 3 times, HTTP 502."
    assert html.unbroken(said) == (
        "0 of 1\u202f506 calls failed: <\u00a00.2\u202f% (95\u202f%); 12 s of 900 s, "
        ">=\u00a03 times, HTTP 502."
    )


def test_a_run_without_an_ok_call_has_no_empty_chart_of_latency(example):
    """There is nothing to draw, so there is no figure for it."""
    report = example.report()
    nothing = {"p50_ms": None, "p95_ms": None}
    points = [point.model_copy(update=nothing) for point in report.timeline]
    assert "Latency over the run" in html.render(report)
    assert "Latency over the run" not in html.render(report.model_copy(update={"timeline": points}))


def test_without_gates_the_page_says_so(example):
    """A scenario without gates is not mistaken for one whose gates all held."""
    page = Page(html.render(example.report(gates=[], verdict="PASS", reasons=[])))
    assert "This scenario sets no gates." in page.text("main")
    assert "the scenario sets no gates" in page.text("header")


def test_comparisons_keep_the_order_of_the_document(example):
    """Pairs of arms stand as the document lists them, not sorted by name."""
    report = example.report(names=("control", "zebra", "ape"), rounds=1)
    source = html.render(report)
    table = source[source.index('id="comparison"') :]
    assert table.index("zebra") < table.index("ape")


def test_numbers_stand_where_they_belong(page):
    """A gate's measured value and a comparison's ratio reach the page."""
    text = page.text("main").replace(numbers.THIN, " ")
    assert "51.62 ms" in text
    assert "2.07\u00d7 to 2.17\u00d7 less" in text
    assert "8 rounds are few for p99: 20 would do" in text
    assert "31 tool_error" in text


def test_a_huge_example_is_cut_and_says_so(example):
    """A reply of a megabyte does not become a page of a megabyte."""
    failure = example.failures()[0].model_copy(update={"example": "x" * 1_000_000})
    source = html.render(example.report(failures=[failure]))
    assert len(source) < 200_000
    assert "(996000 more characters)" in source


def test_sizes(example):
    """A normal run stays far below 1.5 MB, and so does one of two hours."""
    assert len(html.render(example.report()).encode()) < 170_000
    assert len(html.render(example.long_run()).encode()) < 1_500_000


def test_a_thinned_timeline_says_so(example):
    """The page says what a point stands for once points were merged, and only then."""
    assert "each point stands for 12.0" in html.render(example.long_run())
    assert "each point stands for" not in html.render(example.report())


def test_an_unknown_arm_in_a_comparison_renders(example):
    """A comparison may name an arm that never ran; it is shown without a look."""
    page = Page(html.render(example.empty()))
    assert "swatch arm-none" in {a.get("class") for a in page.all("b")}
