"""Pages as PDF: what can be read in them, and what they survive."""

import io
import json
import subprocess

import pytest
from pypdf import PdfReader

from mcp_perf.results.document.document import Report
from mcp_perf.results.render.charts import drawings
from mcp_perf.results.render.files import html, pdf
from tests.support import ROOT

pytestmark = pytest.mark.process
MARKUP = '#panic("owned") *bold* _it_ $x^2$ @label `raw` \\u{41} [b] // <l> "q" </b>'
PAPER_WIDTH = 595.28


def read(page: str) -> PdfReader:
    """Make a PDF of a page, and open it."""
    return PdfReader(io.BytesIO(pdf.render(page)))


def text(document: PdfReader) -> str:
    """Return what is written in it, on one line."""
    return " ".join(" ".join(page.extract_text() for page in document.pages).split())


def page(body: str) -> str:
    """Give a page."""
    return (
        f'<!doctype html><html class="pass"><head><title>T</title></head><body>{body}</body></html>'
    )


@pytest.fixture(scope="module")
def document(example):
    """Give the PDF of the example."""
    return read(html.render(example.report()))


def test_what_the_page_says_can_be_read(example, document):
    """Verdict, reason, title, numbers, notes: as text that can be selected."""
    said = text(document)
    report = example.report()
    assert document.metadata.title == f"FAIL: {report.title}"
    assert report.title in said
    assert "FAIL" in said
    assert report.reasons[0].text in said
    assert "51.62 ms" in said.replace("\u202f", " ").replace("\xa0", " ")
    assert report.notes[0] in said


def test_one_pdf_is_made_at_a_time(monkeypatch):
    """Whoever asks for another one meanwhile has to wait."""
    held = []

    def compiling(command, **_given):
        held.append(pdf._ONE.locked())
        return subprocess.CompletedProcess(command, 0, b"%PDF")

    monkeypatch.setattr(pdf.subprocess, "run", compiling)
    assert pdf.render(page("<p>one</p>")) == b"%PDF"
    assert (held, pdf._ONE.locked()) == ([True], False)


def test_every_page_has_its_number(document):
    """And how many there are."""
    number = len(document.pages)
    assert number > 3
    for at, one in enumerate(document.pages, 1):
        assert one.extract_text().split("\n")[-1].endswith(f"{at} / {number}")


def test_charts_are_drawn_and_no_picture_of_points(document):
    """They can be enlarged, and their axes can be read."""
    kinds = [
        one.get_object()["/Subtype"]
        for page in document.pages
        for one in page["/Resources"].get("/XObject", {}).values()
    ]
    assert "/Image" not in kinds
    charted = next(one for one in document.pages if "Latency by percentile" in one.extract_text())
    assert "99.9" in charted.extract_text()


def test_the_same_page_is_the_same_file(example):
    """To the byte: no time and no chance is in it."""
    whole = html.render(example.empty())
    assert pdf.render(whole) == pdf.render(whole)


@pytest.mark.parametrize("name", ["breakpoint-search", "one-arm"])
def test_every_kind_of_report_is_written(name):
    """A search, a run of one arm: each section of the page is there."""
    path = ROOT / "tests" / "goldens" / "reports" / name
    report = Report.model_validate_json((path / "report.json").read_text("utf-8"))
    whole = html.render(report)
    said = text(read(whole))
    for part in whole.split("<h2")[1:]:
        assert " ".join(part.partition(">")[2].partition("</h2>")[0].split()) in said


def test_a_run_without_calls_is_written(example):
    """It has a verdict, and says why."""
    assert "INVALID" in text(read(html.render(example.empty())))


def test_no_text_is_markup(example):
    """Neither of Typst nor of HTML: names and replies are shown as they are."""
    document = read(html.render(example.hostile(MARKUP)))
    assert MARKUP in text(document)
    assert not any("/Annots" in one for one in document.pages)


def test_nothing_leaves_the_paper(example):
    """However long names are, and however many tools and arms there are."""
    long = "x" * 3_000
    many = {f"tools/call {long[:60]}{i}": example.step(9, 9.0, {"timeout": 3}) for i in range(40)}
    report = example.report(names=("control", "mcp", long))
    arms = {name: arm.model_copy(update={"steps": many}) for name, arm in report.arms.items()}
    document = read(html.render(report.model_copy(update={"arms": arms, "title": long})))
    places: list[float] = []

    def place(part, _user, matrix, _font, _size):
        if part.strip():
            places.append(matrix[4])

    for one in document.pages:
        one.extract_text(visitor_text=place)
    assert min(places) >= 0
    assert max(places) < PAPER_WIDTH - 20


def test_of_a_table_without_end_the_beginning_is_printed():
    """It also says how much is left out."""
    rows = "".join(f"<tr><th>row {i}</th><td>{i}</td></tr>" for i in range(400))
    said = text(read(page(f"<table><tbody>{rows}</tbody></table>")))
    assert "row 299" in said
    assert "row 300" not in said
    assert "The HTML page has 100 more rows." in said


def test_what_is_for_screens_alone_is_left_out():
    """Scripts, contents with links, text for screen readers."""
    body = '<nav>Contents</nav><script>run()</script><p>Seen<span class="away">Unseen</span></p>'
    said = text(read(page(body)))
    assert "Seen" in said
    assert not [word for word in ("Contents", "run()", "Unseen") if word in said]


def test_a_drawing_has_fixed_places_and_its_own_looks():
    """Percentages become pixels, stretched lines keep their width, what a pointer reads goes."""
    line = {
        "tag": "path",
        "css": ["line", "arm-1"],
        "attrs": {"d": "M0.0 1000.0L500.0 0.0h0"},
        "kids": [],
    }
    inner = {"tag": "svg", "css": [], "attrs": {}, "kids": [line]}
    title = {"tag": "title", "css": [], "attrs": {}, "kids": ["Calls"]}
    grid = {"tag": "line", "css": ["grid"], "attrs": {"x1": "50%", "y1": "25%"}, "kids": []}
    hit = {"tag": "rect", "css": ["hit"], "attrs": {"x": "0%"}, "kids": [title]}
    [drawing] = drawings.standalone(
        {"tag": "svg", "css": ["chart"], "attrs": {}, "kids": [title, grid, inner, hit]}
    )
    assert 'd="M0.00 160.00L318.00 0.00h0.01"' in drawing["svg"]
    assert 'x1="318.00" y1="40.00"' in drawing["svg"]
    assert "hit" not in drawing["svg"]
    assert drawing["words"] == "Calls"
    assert json.dumps(drawings.colours()["arm-1"]).strip('"') in drawing["svg"]
    assert drawings.standalone({"tag": "svg", "css": ["icon"], "attrs": {}, "kids": []}) == []


def test_without_its_extra_a_pdf_is_refused_by_name(monkeypatch):
    """And how to install it."""
    monkeypatch.setattr(pdf, "find_spec", lambda _name: None)
    with pytest.raises(pdf.PdfError, match=r"pip install 'mcp-perf\[pdf\]'"):
        pdf.render(page(""))


def test_a_page_that_typst_refuses_is_an_error_with_its_words(monkeypatch, tmp_path):
    """The fault is in the template."""
    (tmp_path / "page.typ").write_text('#panic("no")')
    monkeypatch.setattr(pdf.folders, "shipped", lambda _what: tmp_path)
    monkeypatch.setattr(pdf.drawings, "colours", dict)
    with pytest.raises(pdf.PdfError, match=r"please report it: .*no"):
        pdf.render(page(""))
