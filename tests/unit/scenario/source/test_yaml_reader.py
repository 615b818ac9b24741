"""Hardened YAML: what plain words mean, where values are, and that hostile files cost nothing."""

import contextlib
import json
import string
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.scenario.source.yaml_reader import (
    MOST_BYTES,
    MOST_DEPTH,
    MOST_NODES,
    UnreadableError,
    decode,
    read,
)

PLAIN = [
    ("text", "text"),
    ("5", 5),
    ("-5", -5),
    ("0", 0),
    ("0.5", 0.5),
    ("-12.25", -12.25),
    ("true", True),
    ("FALSE", False),
    ("~", None),
    ("", None),
    ("null", None),
    ("2026-07-28", "2026-07-28"),
    ("2026-07-28T10:00:00Z", "2026-07-28T10:00:00Z"),
    ("1.2.3", "1.2.3"),
    ("127.0.0.1", "127.0.0.1"),
    ("500ms", "500ms"),
    ("90%", "90%"),
    ("-", "-"),
    ("416-555-0100", "416-555-0100"),
    ('"no"', "no"),
    ("'010'", "010"),
    ("nothing", "nothing"),
    ("Ünïcode ☕", "Ünïcode ☕"),
    ("5 is where it begins" + " and so on" * 9, "5 is where it begins" + " and so on" * 9),
]


@pytest.mark.parametrize(("text", "value"), PLAIN)
def test_plain_words_are_json_types_or_texts(text, value):
    """Dates, versions and durations are texts; quotes make anything a text."""
    found = read(f"a: {text}" if text != "-" else "a: '-'").tree["a"]
    assert found == value
    assert type(found) is type(value)


def test_off_switches_off_only_what_can_be_switched_off():
    """It does so for `load.abort`; an argument of that name may have been meant as a text."""
    assert read("load: {abort: off}").tree == {"load": {"abort": False}}
    for text in ("abort: off", "steps: [{call: a, arguments: {abort: off}}]"):
        [mistake] = read(text).mistakes
        assert "is a boolean to some YAML readers" in mistake.message


def test_blocks_are_texts():
    """Folded and literal blocks are read as YAML says, whatever they look like."""
    assert read("a: |\n  no\n  1:30\nb: >-\n  5\n  6\n").tree == {"a": "no\n1:30\n", "b": "5 6"}


def test_every_value_has_its_line():
    """It is the line of the key, or of the item of a list, counted from 1."""
    text = "a: 1\nb:\n  - x\n  - c: |\n      long\n    d: [1,\n      2]\n"
    lines = read(text).lines
    assert lines[("a",)] == 1
    assert lines[("b",)] == 2
    assert lines[("b", 0)] == 3
    assert lines[("b", 1, "c")] == 4
    assert lines[("b", 1, "d", 1)] == 7


def test_the_first_of_two_equal_keys_is_kept_and_both_are_checked():
    """The second value is read for its own mistakes, and not kept."""
    reading = read("a: 1\nb: 2\na: {x: no}\n")
    assert reading.tree == {"a": 1, "b": 2}
    assert [mistake.line for mistake in reading.mistakes] == [3, 3]
    assert reading.lines[("a",)] == 1


def test_an_alias_as_a_key_is_refused():
    """An alias is refused wherever it stands, and reading goes on."""
    reading = read("a: &x b\n*x : no\n")
    assert [mistake.line for mistake in reading.mistakes] == [1, 2, 2]


def test_anchors_and_tags_at_keys_are_refused():
    """A key is a plain word."""
    assert "at a key" in read("&x a: 1").mistakes[0].message
    assert "at a key" in read("!!str a: 1").mistakes[0].message


def test_quoted_merge_keys_are_words():
    """Only the plain << would merge."""
    reading = read('"<<": 1')
    assert reading.tree == {"<<": 1}
    assert not reading.mistakes


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(string.printable),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(string.ascii_letters, max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(_JSON)
def test_json_is_read_as_json(value):
    """YAML's flow style is JSON: whatever is written as JSON comes back."""
    text = json.dumps({"a": value})
    reading = read(text)
    assert reading.tree == {"a": value}
    assert not reading.mistakes


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text):
    """Whatever the text, it is read or refused; there is no other error."""
    with contextlib.suppress(UnreadableError):
        assert () in read(text).lines


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"a: 1\nb: \xff\xfe\n", 2, "not UTF-8"),
        ("a: ü\n".encode("latin-1"), 1, "not UTF-8"),
        ("a: 1\n".encode("utf-16"), 1, "not UTF-8"),
        (b"x" * (MOST_BYTES + 1), 0, "larger than 1 MiB"),
    ],
)
def test_what_is_not_utf8_is_refused_with_its_line(content, line, said):
    """The message shows where bytes are not text."""
    with pytest.raises(UnreadableError, match=said) as caught:
        decode(content)
    assert caught.value.line == line


def test_a_byte_order_mark_is_no_part_of_the_text():
    """Editors that write one do no harm."""
    assert decode(b"\xef\xbb\xbfa: 1") == "a: 1"


BOUND_S = 0.1 if sys.gettrace() is None else 1.0
"""Coverage's tracing makes Python several times slower."""

MIB = 1024 * 1024
LAUGHS = "a: &a [x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)
HOSTILE = {
    "billion laughs": LAUGHS,
    "quadratic blow-up": f"a: &a {'x' * 9000}\nb: [{'*a, ' * 9000}]",
    "an alias to itself": "a: &a [*a]",
    "deep sequences": "[" * 100_000,
    "deep and closed": "[" * 5000 + "]" * 5000,
    "deep mappings": "{a: " * 100_000,
    "deep blocks": "- " * 100_000,
    "deep indentation": "".join(f"{' ' * n}a:\n" for n in range(1000)),
    "deep keys": "? " * 100_000,
    "many values": "[" + "a," * 500_000 + "]",
    "many lines": "- a\n" * 250_000,
    "many keys": "".join(f"k{n}: 1\n" for n in range(80_000)),
    "the same key": "a: 1\n" * 150_000,
    "a long key": "k" * (MIB - 10) + ": 1",
    "a key of 5 KiB": "? " + "k" * 5000 + "\n: 1",
    "a long quoted key": '"' + "k" * 5000 + '": 1',
    "a long number": "a: " + "9" * (MIB - 10),
    "a long sexagesimal": "a: " + "1:1" * 300_000,
    "a long plus": "a: +" + "1_" * 500_000,
    "a long exponent": "a: 1e" + "9" * 900_000,
    "a large file": "#" * (MIB + 1),
    "blank lines": "\n" * MIB,
    "a python object": "!!python/object/apply:os.system [id]",
    "a python name": "a: !!python/name:os.system",
    "a python module": "a: !!python/module:os",
    "a timestamp tag": "a: !!timestamp 2026-07-28",
    "a binary tag": "a: !!binary aGk=",
    "a local tag": "a: !include /etc/passwd",
    "a long tag": "a: !<" + "%41" * 300_000 + "> x",
    "a tag directive": "%TAG ! tag:x,2000:\n---\na: !b c",
    "a merge key": "a: {<<: {b: 1}}",
    "many documents": "--- a\n" * 150_000,
    "an unclosed quote": "a: '" + "x\n" * 400_000,
    "a NUL byte": "a: \0",
    "an escape code": "a: \x1b[2J",
    "a bell in the middle": "a: " + "x" * 500_000 + "\x07",
    "an unpaired surrogate": 'a: "\\ud800"',
    "many aliases": "a: &a x\nb: [" + "*a, " * 18_000 + "]",
    "many booleans": "a: [" + "yes, " * 18_000 + "]",
    "many anchors": "".join(f"- &a{n} x\n" for n in range(60_000)),
    "many lookups": "name: '" + "${a}" * 200_000 + "'",
    "many open lookups": "name: '" + "${" * 400_000 + "'",
    "many wrong keys": "".join(f"usres{n}: 1\n" for n in range(9000)),
    "many wrong steps": "name: x\ntitle: x\narms: {a: {mcp: http://a}}\njourneys:\n  j:\n    a:\n"
    + "      - {cal: x}\n" * 4000,
    "many wrong gates": "gates:\n" + "  - mcp.p59 < 5ms\n" * 15_000,
    "many wrong saves": "name: x\ntitle: x\narms: {a: {mcp: http://a}}\njourneys:\n  j:\n    a:\n"
    "      - call: x\n        save:\n" + "".join(f"          s{n}: 'a['\n" for n in range(9000)),
    "wrong saves within the caps": "name: x\ntitle: x\narms: {a: {mcp: http://a}}\njourneys:\n"
    "  j:\n    a:\n      - call: x\n        save:\n"
    + "".join(f"          s{n}: 'a.b[0].c{n}'\n" for n in range(900))
    + "          z: 'a['\n",
    "wrong generators": "name: x\ntitle: x\narms: {a: {mcp: http://a}}\njourneys:\n  j:\n"
    "    steps: [{wait: 1s}]\n    with:\n"
    + "".join(f"      g{n}: {{one_fo: 1}}\n" for n in range(4000)),
    "unknown names": "name: x\ntitle: x\narms: {a: {mcp: http://a}}\njourneys:\n  j:\n"
    "    a:\n      - call: x\n        arguments:\n"
    + "".join(f"          a{n}: ${{b{n}}}\n" for n in range(1900)),
    "a long variable": "env: [A]\nvars: {a: '${env:" + "x" * 1_000_000 + "}'}",
    "a long path": "name: x\ntitle: x\narms: {a: {http: http://a}}\njourneys:\n  j:\n    a:\n"
    "      - get: " + "x" * 1_000_000,
    "long keys": "".join(f"? {'k' * 4000}{n}\n: {{x: 1}}\n" for n in range(250)),
    "a deep expression": "name: x\ntitle: x\narms: {a: {mcp: http://a}}\njourneys:\n  j:\n    a:\n"
    "      - {call: x, save: {y: '" + "(" * 1000 + "'}}",
}


OF_THE_WHOLE_FILE = {
    "the file is larger than 1 MiB",
    "the file is empty",
    "there are more problems",
}
"""Said without a line."""


@pytest.mark.parametrize("name", HOSTILE)
def test_promise_25_a_hostile_file_is_refused_at_once(name, refuse):
    """No file is accepted or costs more than 100 ms of CPU; problems name file and line."""
    best_s = float("inf")
    for _ in range(3):
        start_s = time.process_time()
        problems = refuse(HOSTILE[name])
        best_s = min(best_s, time.process_time() - start_s)
    assert problems
    assert all(str(problem).startswith("demo.yaml:") for problem in problems)
    assert {problem.message for problem in problems if not problem.line} <= OF_THE_WHOLE_FILE
    assert all(len(str(problem)) < 500 for problem in problems)
    assert best_s < BOUND_S


def test_promise_25_the_caps_are_where_they_are_said_to_be():
    """A file just within a cap is read; one more value, level or byte is refused."""
    assert len(read(f"[{','.join(['1'] * (MOST_NODES - 1))}]").tree) == MOST_NODES - 1
    with pytest.raises(UnreadableError, match="more than 20000 values"):
        read(f"[{','.join(['1'] * MOST_NODES)}]")
    read("[" * MOST_DEPTH + "]" * MOST_DEPTH)
    with pytest.raises(UnreadableError, match="nested more than 32"):
        read("[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1))
    assert read(f"? {'k' * 4096}\n: 1").tree
    with pytest.raises(UnreadableError, match="a key longer than 4 KiB"):
        read(f"? {'k' * 4097}\n: 1")
    assert read("#" * (MOST_BYTES - 2) + "\na").tree == "a"
    with pytest.raises(UnreadableError, match="larger than 1 MiB"):
        read("#" * MOST_BYTES + "\na")
