"""Answers that claim to be ok, and what a run says about them."""

import re

import pytest

pytestmark = pytest.mark.load

CASE = """
name: odd
title: Wrong answers
arms: {mcp: {mcp: "URL", protocol: 2025-11-25}}
journeys:
  ask:
    steps: [{call: TOOL, arguments: {q: "question ${seq}"}EXPECT}]
load: {users: 2, rounds: 2, round: 1s, warmup: 0s}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
gates: [mcp.error_rate < 20%]
"""


@pytest.fixture(scope="module")
def odd(start):
    """Start the server."""
    return start("odd_app.py")


@pytest.fixture
def ask(odd, tmp_path, run_cli, report):
    """Run the case with one tool; return the output and the report."""

    def run(tool, expect=""):
        path = tmp_path / "case.yaml"
        text = CASE.replace("URL", odd.url).replace("TOOL", tool)
        path.write_text(text.replace("EXPECT", f", expect: {expect}" if expect else ""))
        ended = run_cli("run", path, "--out", tmp_path / "run")
        assert "Traceback" not in ended.output
        return ended, report(tmp_path / "run")

    return run


@pytest.mark.parametrize("tool", ["broken", "large"])
def test_a_tool_whose_every_result_breaks_its_schema_fails(tool, ask):
    """Whether all results or a sample were checked, the rate is over the checked ones."""
    ended, document = ask(tool)
    assert (ended.code, document["verdict"]) == (99, "FAIL"), ended.output
    arm = document["arms"]["mcp"]
    [step] = arm["steps"].values()
    assert arm["error_rate"] == step["schema_violation_rate"] == 1
    assert step["schema_checked"] + step["schema_unchecked"] == arm["calls"]
    if tool == "broken":
        assert arm["classes"]["ok"] == 0
    assert "structuredContent: n: null" in ended.output


def test_errors_in_disguise_are_noted_with_their_share(ask):
    """Three of ten: the run passes, and says what it checked."""
    ended, document = ask("disguised")
    assert ended.code == 0, ended.output
    [step] = document["replies"]
    assert step["like_errors"] / step["looked"] == pytest.approx(0.3, abs=0.12)
    assert "look like errors" in " ".join(document["notes"])
    assert "Error: fetch failed" in ended.output.replace("\n", " ")
    assert step["first"]["ok"].startswith('{"content"')


def test_one_answer_for_all_questions_is_noted(ask):
    """The server seems to ignore the question."""
    ended, document = ask("same")
    assert ended.code == 0, ended.output
    [note] = [note for note in document["notes"] if "different arguments" in note]
    assert note.startswith("100 % of the ok answers of mcp, tools/call same, are the same")
    assert "There is one answer." in note


def test_a_failed_expectation_shows_the_answer_and_its_paths(ask):
    """The next expectation can be written without looking elsewhere."""
    ended, document = ask("same", "{equals: {structuredContent.number: 1}}")
    said = " ".join(ended.output.split())
    assert "found null, expected 1; the reply has content[0].type, content[0].text" in said
    assert "the reply: {" in said
    assert document["arms"]["mcp"]["classes"]["check_failed"] > 0


def test_the_line_that_closes_a_round_is_that_of_the_report(ask):
    """It has the round's rate and errors, whatever the last second was like."""
    ended, document = ask("disguised")
    rounds = document["arms"]["mcp"]["rounds"]
    found = re.findall(
        r"^round \d of 2  mcp: ([\d\s.]+) calls/s, p95 .*? in ([\d\s]+) calls",
        ended.stderr,
        re.MULTILINE,
    )
    found = [[float(re.sub(r"\s", "", number)) for number in pair] for pair in found]
    assert [calls for _, calls in found] == [one["calls"] for one in rounds]
    assert [rate for rate, _ in found] == [
        pytest.approx(one["calls_per_s"], abs=1) for one in rounds
    ]
