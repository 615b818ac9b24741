"""What a refusal says about the session: the table of spellings, and repetition."""

import pytest

from mcp_perf.client.protocol.session_loss import (
    EVICTED,
    FORGOT,
    PATIENCE,
    RESTARTED,
    Doubt,
    Standing,
    is_full,
    loss,
    loss_in,
    plain,
)
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import HTTP_ERROR, RATE_LIMITED, RPC_ERROR, TOOL_ERROR

SAID = [
    (404, b"", 0, FORGOT),
    (404, b"<html>not here</html>", 0, FORGOT),
    (404, b"Method not found", -32601, ""),
    (404, b"Method not found", -32600, FORGOT),
    (400, b"Mcp-Session-Id header is required", 0, FORGOT),
    (400, b"Bad Request: Mcp-Session-Id header is missing", 0, FORGOT),
    (400, b'{"error": "invalid_session"}', 0, FORGOT),
    (400, b"sessionExpired", 0, FORGOT),
    (400, b"Could not find session 3f6c-11", 0, FORGOT),
    (403, b"Session terminated", 0, FORGOT),
    (422, b"The session 0a1b2c3d4e5f does not exist", 0, FORGOT),
    (422, b"Mcp-Session-Id does not match any active session", 0, FORGOT),
    (500, b"KeyError: 3f6c-11 not in sessions", 0, FORGOT),
    (400, b"session idle for too long", 0, FORGOT),
    (200, b"Internal error: session lookup failed", -32603, FORGOT),
    (503, b"No active SSE connection for session 8a7b", 0, FORGOT),
    (400, b"Please start a new session", 0, FORGOT),
    (400, b"Server has not been initialized", 0, RESTARTED),
    (400, b"Handshake required", 0, RESTARTED),
    (200, b"Client must send an initialize request first", -32600, RESTARTED),
    (0, b"Please re-initialize", -32000, RESTARTED),
    (409, b"session limit reached", 0, EVICTED),
    (404, b"superseded: another session was opened", 0, EVICTED),
    (500, b"Internal Server Error", 0, ""),
    (503, b"browser session not found", 0, ""),
    (200, b"chat session expired", -32000, ""),
    (200, b"Invalid params: session_id is required", -32602, ""),
    (401, b"Unauthorized", 0, ""),
]


@pytest.mark.parametrize(("status", "body", "code", "kind"), SAID)
def test_promise_30_status_code_and_wording_say_what_became_of_a_session(status, body, code, kind):
    """The first spelling in the table that fits decides; if none fits, nothing is known."""
    assert loss(status, body, code) == kind


def test_only_refusals_say_that_a_session_is_lost():
    """What a tool says is about the tool; a limit on the rate is about the rate."""
    reply = Reply(0)
    reply.status, reply.body = 404, b"session not found"
    for outcome, kind in ((HTTP_ERROR, FORGOT), (TOOL_ERROR, ""), (RATE_LIMITED, "")):
        assert loss_in(reply.fail(outcome, "no")) == kind
    reply.body = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}'
    assert loss_in(reply.fail(RPC_ERROR, "no")) == ""


def test_words_are_read_however_they_are_joined():
    """They may be a key, the name of a class, or on several lines."""
    assert plain("SessionNotFound\n session_not-found") == "session not found session not found"


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("Maximum number of sessions reached", True),
        ("Too many sessions", True),
        ("Session limit exceeded", True),
        ("server at capacity", True),
        ("no free session slots", True),
        ("all sessions are in use", True),
        ("cannot create more sessions", True),
        ("Too many requests", False),
        ("HTTP 500: Internal Server Error", False),
    ],
)
def test_a_server_that_has_as_many_sessions_as_it_takes_says_so(text, full):
    """Any of these words say it."""
    assert is_full(text) is full


def refusal(detail, outcome=HTTP_ERROR):
    """Give a call that was refused."""
    return Reply(0).fail(outcome, detail)


def fallen(doubt, standing, *details):
    """Tell for each refusal whether the session is given up; "" means an answer that was ok."""
    found = []
    for detail in details:
        if detail:
            found.append(doubt.falls_on(standing, refusal(detail)))
        else:
            standing.works = True
    return found


def test_promise_30_the_same_refusal_of_every_call_gives_a_session_up():
    """Calls must have been ok in it before; ids and times in the refusal do not matter."""
    assert fallen(Doubt(), Standing(), "", "E 1", "E 22", "E 3f9") == [False, False, True]
    assert fallen(Doubt(), Standing(), *["E 1"] * 9) == [False] * 9
    assert fallen(Doubt(), Standing(), "", *["E", "F"] * 9) == [False] * 18
    assert fallen(Doubt(), Standing(), "", *["E", "E", ""] * 9) == [False] * 18


def test_a_refusal_that_a_session_survived_or_that_the_next_one_has_too_is_acquitted():
    """It is not about sessions, and never makes another one suspect."""
    doubt = Doubt()
    assert not any(fallen(doubt, Standing(), "", "E", "", *["E"] * PATIENCE))
    assert doubt.acquitted == {"e"}
    doubt = Doubt()
    assert fallen(doubt, Standing(), "", *["E"] * PATIENCE)[-1]
    assert not any(fallen(doubt, Standing(), "E", "", *["E"] * PATIENCE))


def test_what_also_keeps_a_session_from_opening_is_not_about_the_session():
    """The failure of the opening is searched for the message."""
    doubt = Doubt()
    assert not doubt.acquits("initialize failed: HTTP 500")
    fallen(doubt, Standing(), "", *["HTTP 500"] * PATIENCE)
    assert not doubt.acquits("initialize failed: full")
    assert doubt.acquits("initialize failed: HTTP 500")
    assert not any(fallen(doubt, Standing(), "", *["HTTP 500"] * PATIENCE))


def test_refusals_that_are_about_the_call_raise_no_doubt():
    """A tool's own error, a wrong argument or an unknown name may come any number of times."""
    doubt, standing = Doubt(), Standing(works=True)
    wrong = refusal("-32602 no object", RPC_ERROR)
    wrong.body = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no object"}}'
    for own in (refusal("no object", TOOL_ERROR), wrong):
        assert not any(doubt.falls_on(standing, own) for _ in range(9))
    assert standing.works


def test_calls_that_were_not_refused_raise_no_doubt():
    """Silence and cut connections do not count as refusals."""
    doubt, standing = Doubt(), Standing(works=True)
    for outcome in ("timeout", "transport_error"):
        assert not any(doubt.falls_on(standing, refusal("x", outcome)) for _ in range(9))
    assert standing.works


def test_promise_30_a_response_without_an_answer_is_a_refusal_too():
    """An example is 200 with an empty body."""
    doubt, standing = Doubt(), Standing(works=True)
    empty = refusal("the reply is empty", "transport_error")
    empty.status = 200
    assert [doubt.falls_on(standing, empty) for _ in "123"] == [False, False, True]
