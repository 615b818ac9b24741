"""Failed requests outside of rounds, grouped by their message."""

from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.refusals import MOST_WORDINGS, SessionNotes
from mcp_perf.outcomes import HTTP_ERROR, RPC_ERROR


def refused(detail, outcome=HTTP_ERROR, after_s=0.0):
    """Give a reply that failed."""
    reply = Reply(0).fail(outcome, detail)
    reply.retry_after_s = after_s
    return reply


def test_messages_that_differ_in_numbers_only_are_one_group():
    """The first message names the group, with how long the server asks to be left alone."""
    failures = SessionNotes()
    failures.failed("mcp", "initialize", refused("HTTP 429: 5 per minute", after_s=30))
    failures.failed("mcp", "initialize", refused("HTTP 429: 7 per minute", after_s=28))
    failures.failed("mcp", "DELETE session", refused("HTTP 500: oops"))
    notes = [(note.text, note.count) for note in failures.take("w1", 1.0)]
    assert notes == [
        (
            (
                "initialize of mcp failed outside of rounds (http_error): HTTP 429: 5 per minute "
                "(Retry-After: 30 s)"
            ),
            2,
        ),
        ("DELETE session of mcp failed outside of rounds (http_error): HTTP 500: oops", 1),
    ]
    assert failures.take("w1", 2.0) == []
    failures.failed("mcp", "initialize", refused("HTTP 429: 9 per minute", after_s=26))
    assert [note.text for note in failures.take("w1", 3.0)] == [notes[0][0]]


def test_sessions_that_a_full_server_refuses_are_told_apart():
    """The words in which servers say that they are full decide."""
    failures = SessionNotes()
    failures.failed("mcp", "initialize", refused("-32000 Too many sessions", RPC_ERROR))
    failures.failed("mcp", "tools/list", refused("-32000 Too many sessions", RPC_ERROR))
    assert [note.kind for note in failures.take("w1", 1.0)] == ["refused", ""]


def test_the_number_of_groups_is_bounded():
    """A server that says something else each time does not fill the memory."""
    failures = SessionNotes()
    for number in range(MOST_WORDINGS + 5):
        word = "x" * (number + 1)
        failures.failed("mcp", "initialize", refused(word))
    notes = failures.take("w1", 1.0)
    assert len(notes) == MOST_WORDINGS + 1
    assert notes[-1].text.endswith("other messages")
    assert notes[-1].count == 5
