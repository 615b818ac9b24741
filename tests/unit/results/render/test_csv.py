import csv
import io

import msgspec
import pytest

from mcp_perf.results.render.files import csv_samples


def rows(samples):
    """Render samples; give the rows as read back, and the text."""
    text = "".join(csv_samples.render(samples))
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True)), text


def changed(sample, **changes):
    """Copy a sample with other fields."""
    return msgspec.structs.replace(sample, **changes)


def test_a_line_per_sample(example):
    """Each kept call is a line: times in ms lose no nanosecond, sizes are bytes."""
    (ok, failed), text = rows(example.samples())
    assert text.splitlines()[0] == (
        "turn,at_s,arm,journey,step,class,latency_ms,service_ms,bytes_in,bytes_out,detail"
    )
    assert ok == {
        "turn": "3",
        "at_s": "16.25",
        "arm": "mcp",
        "journey": "buy-number",
        "step": "tools/call ListAvailablePhoneNumberLocal",
        "class": "ok",
        "latency_ms": "26.412007",
        "service_ms": "26.001",
        "bytes_in": "1834",
        "bytes_out": "412",
        "detail": "",
    }
    assert (failed["class"], failed["latency_ms"]) == ("tool_error", "61")


def test_without_samples_the_header_stands_alone():
    """A run that kept no call still has a readable file."""
    assert "".join(csv_samples.render([])).count("\n") == 1


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("a; @SUM(A1)", "a;' @SUM(A1)"),
        (" =1+1", "' =1+1"),
        ("a\t-1", "a\t'-1"),
        ("; ;+1", "; ;'+1"),
        ("a=b; c-d, -5", "a=b; c-d, -5"),
        ("x" * 5000, "x" * 4000 + "\u2026 (1000 more characters)"),
    ],
)
def test_promise_24_no_cell_of_another_country_is_a_formula(text, written):
    """If a semicolon or a tab ends a cell, more of them begin; and none is endless."""
    assert csv_samples.cell(text) == written


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\r\n="])
@pytest.mark.parametrize("field", ["arm", "journey", "step", "cls", "detail"])
def test_promise_24_no_cell_is_a_formula(example, start, field):
    """Text that a spreadsheet would run gets a leading apostrophe, in every column."""
    hostile = f'{start}HYPERLINK("http://evil.example","x")'
    (row,), _ = rows([changed(example.samples()[0], **{field: hostile})])
    assert row["class" if field == "cls" else field].startswith("'")


@pytest.mark.parametrize("detail", ["a = b", "5-3", "mail@example", "it's"])
def test_ordinary_text_is_not_quoted(example, detail):
    """Only the first character can make a formula; other text is left alone."""
    (row,), _ = rows([changed(example.samples()[0], detail=detail)])
    assert row["detail"] == detail


def test_a_record_is_one_line(example):
    """Line breaks and quotes in a reply break neither the row nor a tool that reads by line."""
    detail = 'first\r\nsecond\nthird\rfourth "quoted", \x00\x1b\u2028'
    (row,), text = rows([changed(example.samples()[0], detail=detail)])
    assert row["detail"] == 'first\\nsecond\\nthird\\nfourth "quoted", \\x00\\x1b\\u2028'
    assert len(text.splitlines()) == 2


def test_samples_are_read_one_at_a_time(example):
    """A file of millions of calls is never held in memory."""
    taken = []

    def endless():
        for number in range(1_000_000):
            taken.append(number)
            yield example.samples()[0]

    lines = csv_samples.render(endless())
    for _ in range(4):
        next(lines)
    assert len(taken) == 3
