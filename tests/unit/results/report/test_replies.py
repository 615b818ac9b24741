"""What was replied first, and which ok replies are odd, added up over nodes and turns."""

import pytest

from mcp_perf.results.journal.records import LookedReplies, SampleRecord
from mcp_perf.results.report.build import build
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round

STEP = "tools/call echo"


def said(cls, reply, step=STEP):
    """Give the record of a call that was kept whole."""
    return SampleRecord(
        turn=0, at_s=0, arm="mcp", journey="say", step=step, cls=cls, latency_ns=1, service_ns=1,
        bytes_in=1, bytes_out=1, reply=reply,
    )  # fmt: skip


def looked(number, **seen):
    """Give the record of what one node saw."""
    return LookedReplies(turn=0, arm="mcp", step=STEP, looked=number, **seen)


def reported(*records):
    """Build the report of a run with these records."""
    return build(virtual.journal({"mcp": [Round()]}, extra=records))


def test_the_first_reply_of_each_class_is_in_the_report():
    """Of several nodes, the first that reported one counts; classes are in their usual order."""
    records = [said("timeout", ""), said("tool_error", "no"), said("ok", "yes"), said("ok", "YES")]
    [step] = reported(*records).replies
    assert (step.arm, step.step) == ("mcp", STEP)
    assert list(step.first.items()) == [("ok", "yes"), ("tool_error", "no")]


def test_a_run_without_replies_has_none():
    """Such as the journals of older versions."""
    report = reported()
    assert report.replies == []
    assert report.notes == []


def test_errors_in_disguise_are_noted_with_their_share_and_an_example():
    """278 of 278 answers were errors with isError: false, and the run passed without a word."""
    parts = [
        looked(200, like_errors=200, example="Error: fetch failed"),
        looked(78, like_errors=78),
    ]
    report = reported(said("ok", "Error"), *parts)
    [step] = report.replies
    assert (step.looked, step.like_errors) == (278, 278)
    [note] = report.notes
    assert note == step.remarks[0]
    assert note.startswith("100 % of the ok answers of mcp, tools/call echo, look like errors")
    assert "(278 of 278 that were looked at), such as: Error: fetch failed" in note


def test_empty_answers_are_noted():
    """Also if they are only some."""
    [note] = reported(looked(64, empty=16)).notes
    assert note == (
        "25 % of the ok answers of mcp, tools/call echo, are empty (16 of 64 that were looked at)."
    )


@pytest.mark.parametrize(
    ("alike", "varied", "noted"),
    [
        ({"a": 20}, ["a"], True),
        ({"a": 20}, [], False),  # always the same question
        ({"a": 9}, ["a"], False),  # too few
        ({"a": 10, "b": 9}, ["a"], True),
        ({"a": 10}, ["a", "gone"], True),
        ({}, ["gone"], False),
    ],
)
def test_the_same_answer_to_different_arguments_is_noted(alike, varied, noted):
    """If at least half of the answers are that one."""
    report = reported(said("ok", "x" * 300), looked(20, alike=alike, varied=varied))
    assert [("are the same for different arguments" in note) for note in report.notes] == (
        [True] if noted else []
    )
    if noted:
        assert report.notes[0].endswith(f"{'x' * 200}\u2026 (100 more characters)")


@pytest.mark.parametrize(
    ("seen", "shown"),
    [
        ({"alike": {"a": 19, "b": 1}}, True),
        ({"alike": {"b": 1, "a": 19}}, False),
        ({"alike": {"a": 19}, "empty": 1}, False),
        ({"alike": {"a": 19}, "like_errors": 1, "example": "Error"}, False),
    ],
)
def test_only_a_reply_that_is_the_commonest_is_shown_as_such(seen, shown):
    """The first reply is the only one whose text is kept: it may be another."""
    [step] = reported(said("ok", "the first"), looked(20, varied=["a"], **seen)).replies
    assert "are the same for different arguments" in step.remarks[-1]
    assert step.remarks[-1].endswith("such as: the first") is shown


def test_what_two_nodes_saw_is_added_up():
    """By the digest of a reply; less than half of all is nothing odd."""
    one, other = looked(20, alike={"a": 20}, varied=["a"]), looked(60, alike={"a": 15, "b": 2})
    [step] = reported(one, other).replies
    assert (step.looked, step.alike) == (80, 35)
    assert step.remarks == []
