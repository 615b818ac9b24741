import json
import re
from xml.etree import ElementTree as ET

import pytest

from mcp_perf.results.document.document import GateResult
from mcp_perf.results.document.text import visible
from mcp_perf.results.render.files import junit


def suite(report):
    """Render, read back, and give the test suite."""
    return ET.fromstring(junit.render(report).encode()).find("testsuite")


def outcomes(report):
    """Give each testcase's name and how it ended."""
    ended = {}
    for case in suite(report):
        if case.tag == "testcase":
            children = [child.tag for child in case if child.tag != "system-out"]
            ended[case.get("name")] = children[0] if children else "passed"
    return ended


def gate(verdict):
    """Give a gate with this verdict."""
    return GateResult(gate=f"mcp.{verdict}", measured=1.0, unit="ms", verdict=verdict, reason="so")


@pytest.mark.parametrize(
    ("verdict", "ended"),
    [
        ("PASS", "passed"),
        ("FAIL", "failure"),
        ("INVALID", "error"),
        ("INCONCLUSIVE", "skipped"),
    ],
)
def test_each_gate_is_a_testcase(example, verdict, ended):
    """A gate fails, errs, is skipped or passes as it was judged."""
    assert outcomes(example.report(gates=[gate(verdict)]))[f"mcp.{verdict}"] == ended


@pytest.mark.parametrize(
    ("changes", "ended"),
    [
        ({"verdict": "PASS", "exit_code": 0}, "passed"),
        ({"verdict": "FAIL", "exit_code": 99}, "failure"),
        # A skipped testcase is success to CI: what is not known must not pass.
        ({"verdict": "INCONCLUSIVE", "exit_code": 90}, "failure"),
        ({"verdict": "INVALID", "exit_code": 91}, "error"),
        ({"verdict": "PASS", "exit_code": 0, "complete": False}, "error"),
        ({"verdict": "PASS", "exit_code": 105}, "failure"),
    ],
)
def test_the_verdict_is_a_testcase_that_passes_only_a_pass(example, changes, ended):
    """Nothing passes by absence: without gates there is still the verdict, and it fails."""
    assert outcomes(example.report(gates=[], **changes)) == {"verdict": ended}


def test_totals_add_up(example):
    """The suite's counts are the counts of its testcases."""
    gates = [gate(verdict) for verdict in ("PASS", "FAIL", "FAIL", "INVALID", "INCONCLUSIVE")]
    found = suite(example.report(gates=gates))
    totals = {name: found.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert totals == {"tests": "6", "failures": "3", "errors": "1", "skipped": "1"}
    assert found.get("timestamp") == "2026-11-21T09:30:00"


def test_a_failure_says_why_and_what_was_measured(example):
    """The message has the reason and the measured number, because CI shows only that."""
    failure = suite(example.report(gates=[gate("FAIL")])).find("testcase/failure")
    assert failure.get("message") == "so (measured 1.000 ms)"
    assert failure.get("type") == "FAIL"


def test_promise_24_hostile_text_cannot_break_the_xml(example):
    """Control characters are gone, markup is text, and the file is well-formed XML."""
    text = junit.render(example.hostile())
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", text)
    names = [case.get("name") for case in suite(example.hostile()).iter("testcase")]
    assert "<script>document.title='owned'</script>" in names[0]
    assert "<script" not in text


@pytest.mark.parametrize(
    "character", ["\x00", "\x0b", "\x1b", "\x7f", "\x9f", "\ud800", "\u202e", "\ufffe"]
)
def test_promise_24_a_control_character_is_shown_in_every_file(example, character):
    """The document has none, so no file made of it has: neither as it is nor as JSON writes it."""
    report = example.report(reasons=example.because(f"a{character}b"), gates=[])
    said = f"a{visible(character)}b"
    assert suite(report).find("testcase/failure").get("message") == f"{said} (gate_failed)"
    assert json.loads(report.as_json())["reasons"][0]["text"] == said
