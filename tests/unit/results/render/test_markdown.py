import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from mcp_perf.results.render.files import markdown

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
FOLD = r"<details>\n<summary>[A-Z][a-z ]+</summary>|</details>"


def tokens(text):
    """Parse as GitHub does, in effect; give block and inline tokens in one list."""
    found = []
    for token in PARSER.parse(text):
        found += [token, *(token.children or [])]
    return found


def plain(text):
    """Give the text that a reader sees."""
    return "".join(token.content for token in tokens(text) if token.type == "text")


def titles(text):
    """Give the titles of the sections, open and folded."""
    return re.findall(r"^(?:### |<summary>)([^<\n]*)", text, re.MULTILINE)


def test_the_verdict_stands_first(example):
    """The first line is the verdict, then what it means, then the reasons."""
    lines = markdown.render(example.report()).splitlines()
    assert lines[0] == (
        "## \u274c FAIL: Three Twilio tasks, by REST (control) and through MCP tools (mcp)"
    )
    assert lines[4] == "**The target did not meet a requirement.**"
    assert lines[6].startswith("- mcp.error_rate is 0.692 %")


def test_the_order_is_that_of_the_html(example):
    """Sections follow the report: gates first, notes last."""
    assert titles(markdown.render(example.report())) == [
        "Gates",
        "Steps",
        "Journeys",
        "Comparison",
        "Round by round",
        "Arms",
        "Failures",
        "Replies",
        "Load generator",
        "Environment",
        "Notes",
    ]


def test_what_has_no_content_is_left_out(example):
    """An arm without comparisons, failures and notes makes no empty tables."""
    text = markdown.render(example.empty(gates=[], comparisons=[]))
    assert titles(text) == [
        "Steps",
        "Journeys",
        "Arms",
        "Load generator",
    ]
    assert "(INCOMPLETE)" in text.splitlines()[0]


def test_simulated_parts_are_named_before_any_number(example):
    """A reader learns what was simulated before reading a table."""
    text = markdown.render(example.report())
    assert text.index("**Simulated:** Twilio's API") < text.index("### Gates")


def test_hostile_text_formats_nothing(example):
    """In a report of hostile strings there is no HTML, link, image, mention or broken table."""
    text = markdown.render(example.hostile())
    found = {token.type for token in tokens(text)}
    assert not found & {"link_open", "image", "s_open", "em_open"}
    blocks = {token.content.strip() for token in tokens(text) if token.type == "html_block"}
    assert all(re.fullmatch(FOLD, block) for block in blocks)
    tags = {token.content for token in tokens(text) if token.type == "html_inline"}
    assert tags <= {"<code>", "</code>"}
    assert not re.search(r"(?<!\\)[@#]\w", re.sub(r"`[^`]*`|&#124;", "", text))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


@pytest.mark.parametrize("build", ["report", "hostile", "empty"])
def test_every_row_has_as_many_cells_as_its_table_has_columns(example, build):
    """No name can add a cell to a row, end it early or break its line."""
    blocks = markdown.render(getattr(example, build)()).split("\n\n")
    tables = [block.splitlines() for block in blocks if block.startswith("| ")]
    assert len(tables) >= 4
    for table in tables:
        assert {line.count("|") for line in table} == {table[1].count("---") + 1}


class Page(HTMLParser):
    """Reads a rendered page: which tags are open when something begins."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(PARSER.render(text))

    def handle_starttag(self, tag, _attrs):
        """Note a tag, and whether it is folded."""
        self.seen.append((tag, "details" in self.open))
        if tag not in {"br", "hr"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Close the tag that was opened last, and no other."""
        assert self.open.pop() == tag


@pytest.mark.parametrize("build", ["report", "hostile"])
def test_details_are_folded_and_everything_that_opens_is_closed(example, build):
    """Rendered, gates and failures are in view, details within their fold, and no tag is left."""
    text = markdown.render(getattr(example, build)())
    page = Page(text)
    assert page.open == []
    within = [folded for tag, folded in page.seen if tag == "table"]
    assert within.count(True) == 5  # steps, journeys, rounds, replies, environment
    assert within.count(False) >= 4  # gates, comparison, arms, failures
    assert not any(folded for tag, folded in page.seen if tag in {"details", "h2", "h3"})
    written = [block for block in re.split(r"\n\n", text) if block.startswith("| ")]
    assert len(written) == len(within)


@pytest.mark.parametrize(
    "name",
    [
        "a|b",
        "a`b",
        "``",
        "`",
        "a\\|b",
        "\\",
        "*x*",
        "_x_",
        "<b>",
        "&amp;",
        "[a](b)",
        "#1 @me",
        "$x$",
    ],
)
def test_a_name_is_shown_as_it_is(name):
    """Whatever a name is made of, a reader of the rendered page sees exactly that."""
    row = next(
        token
        for token in PARSER.parse(f"| x |\n| --- |\n| {markdown.code(name)} |\n")
        if token.type == "inline" and token.map == [2, 3]
    )
    shown = "".join(
        child.content for child in row.children if child.type in {"text", "code_inline"}
    )
    assert shown.replace("\u200b", "") == name


@pytest.mark.parametrize(
    "text", ["# x", "- x", "+ x", "1. x", "12) x", "= x", "a*b*c", "_a_", "~~a~~", "a_b", "x\\"]
)
def test_free_text_is_shown_as_it_is(text):
    """A reason that looks like Markdown is read as the reason it is."""
    source = markdown.text(text)
    assert PARSER.parse(source)[0].type == "paragraph_open"
    assert plain(source) == text


def test_an_underscore_inside_a_word_is_left_alone():
    """Raw text in a log stays readable where no escape is needed."""
    assert markdown.text("tool_error at 3.4x") == "tool_error at 3.4x"


def test_a_huge_report_still_fits_a_comment(example):
    """GitHub refuses comments above 65 536 characters; a large run stays below, and says so."""
    names = tuple(f"arm-{i}-{'x' * 60}" for i in range(6))
    big = example.report(
        names=names,
        rounds=200,
        reasons=example.because("y" * 10_000) * 3,
        failures=example.failures() * 200,
        notes=["note"] * 500,
    )
    text = markdown.render(big)
    assert len(text) < 65_536
    assert "more rows are in report.html." in text


def test_each_round_shows_its_errors_next_to_its_rate(example):
    """A rate of a round whose calls failed is not read as one that held."""
    written = markdown.render(example.report())
    head, _, first = written.partition("Round by round")[2].strip().splitlines()[2:5]
    assert head == "| Arm | Round | Journeys | Errors | p50 | p95 | Calls |"
    arm, phase, rate, errors = first.strip("| ").split(" | ")[:4]
    assert (arm, phase) == ("`control`", "warm-up")
    assert (rate[-2:], errors[-1:]) == ("/s", "%")
