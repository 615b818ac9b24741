"""A conversation on one channel: whose answer is this? No thread, no socket, no clock."""

import json
import threading

import pytest

from mcp_perf.client.errors import ReadError
from mcp_perf.client.protocol.identity import RequestIds, Strays
from mcp_perf.client.protocol.multiplex import AnswersElsewhere, Conversation, Lines, silence


def encode(**message) -> bytes:
    """Encode a message."""
    return json.dumps({"jsonrpc": "2.0", **message}).encode()


@pytest.fixture
def asked():
    """Return what the server has asked."""
    return []


@pytest.fixture
def strays():
    """Return the strays: their kinds and messages."""
    return []


@pytest.fixture
def conversation(asked, strays):
    """Return a conversation that keeps the server's requests, and the strays."""
    told = Strays(RequestIds(), lambda *stray: strays.append(stray))
    return Conversation(lambda message: asked.append(message) or b"back", told)


def progress(token) -> bytes:
    """Encode progress with this token."""
    return encode(method="notifications/progress", params={"progressToken": token})


def test_answers_find_their_requests_in_any_order(conversation):
    """Each waiter gets the message with its id, and when it arrived."""
    first, second = conversation.expect(1), conversation.expect(2)
    for request_id, now_ns in ((2, 20), (1, 30)):
        assert conversation.receive(encode(id=request_id, result={"n": request_id}), now_ns) is None
    assert first.wait(0)
    assert second.wait(0)
    assert json.loads(first.message)["result"] == {"n": 1}
    assert (first.end_ns, second.end_ns) == (30, 20)


def test_promise_29_progress_is_counted_for_the_call_that_has_its_token(conversation, strays):
    """The token is the call's id. Anything else is a stray, even with only one call in flight."""
    first, second = conversation.expect(1), conversation.expect(2)
    for now_ns, token in ((3, 2), (5, 1), (9, 2), (9, "1"), (9, "tool-call-7"), (9, None)):
        assert conversation.receive(progress(token), now_ns) is None
    assert not first.wait(0)
    assert first.heard.counts == {"notifications/progress": 1}
    assert second.heard.counts == {"notifications/progress": 2}
    assert (second.heard.first_ns, second.heard.longest_gap_ns) == (3, 6)
    conversation.receive(encode(id=1, result={}), 10)
    conversation.receive(progress(1), 11)
    assert first.heard.counts == {"notifications/progress": 1}
    assert [kind for kind, _ in strays] == ["stray_progress"] * 4


def test_promise_29_a_log_message_is_no_calls(conversation, strays):
    """On a channel it does not name a call, and it is not a stray either: servers may log."""
    only = conversation.expect(1)
    conversation.receive(encode(method="notifications/message", params={"data": "x"}), 5)
    assert only.heard is None
    assert strays == []


def test_notifications_of_an_earlier_round_are_kept(conversation):
    """To the caller, all rounds are one call."""
    first = conversation.expect(1)
    conversation.receive(progress(1), 5)
    conversation.receive(encode(id=1, result={}), 6)
    second = conversation.expect(2, first.heard)
    conversation.receive(progress(2), 7)
    assert second.heard.counts == {"notifications/progress": 2}


@pytest.mark.parametrize("request_id", [1, "1", "ü"])
def test_a_request_of_the_server_is_handed_on_and_is_no_answer(conversation, asked, request_id):
    """Servers choose their own ids: a request with the id of our call does not end it."""
    pending = conversation.expect(1)
    message = encode(id=request_id, method="ping")
    assert conversation.receive(message, 1) == b"back"
    assert asked == [message]
    assert not pending.wait(0)


def test_promise_29_a_request_that_is_printed_back_ends_no_call(conversation, asked, strays):
    """A server that logs its input does this: the request is not answered either."""
    pending = conversation.expect(7)
    message = encode(id=7, method="tools/call")
    assert conversation.receive(message, 1) is None
    assert (asked, pending.wait(0)) == ([], False)
    assert strays == [("forbidden_request", message)]


def test_promise_29_an_answer_that_comes_too_late_is_skipped(conversation, strays):
    """A call that was given up does not take anything from the next one."""
    conversation.expect(1)
    conversation.forget(1)
    second = conversation.expect(2)
    conversation.receive(encode(id=1, result={"late": True}), 1)
    assert not second.wait(0)
    conversation.receive(encode(id=2, result={}), 2)
    assert second.wait(0)
    assert [kind for kind, _ in strays] == ["late_reply"]


PRETTY = b'{\n  "level": 30,\n  "msg": "call"\n}'.split(b"\n")


@pytest.mark.parametrize(
    "lines",
    [
        [b'{"level":30,"time":1,"msg":"call"}'],
        PRETTY,
        [b'[12:00] {"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "no"}}'],
        [b'{"id": 1, "msg": "x"}'],
        [b'{"level":30,"req":{"jsonrpc":"2.0","id":1,"method":"tools/call"}}'],
        [b'{"level":30,"cost":NaN,"req":{"jsonrpc":"2.0","id":1}}'],
        [b"{'jsonrpc': '2.0', 'id': 1, 'result': {}}"],
        [encode(id=None, error={"code": -32601, "message": "notifications/initialized"})],
        [encode(error={})],
        ["🚀 running".encode(), b"\xff\xfe", b"[1]", b"7", b'"x"', b'{"id": true}'],
    ],
)
def test_promise_29_lines_beside_the_protocol_end_no_call(conversation, strays, lines):
    """Even the only call in flight goes on: its own answer comes."""
    pending = conversation.expect(1)
    for line in lines:
        assert conversation.receive(line, 1) is None
    assert not pending.wait(0)
    assert [message for _, message in strays] == lines
    conversation.receive(encode(id=1, result={}), 2)
    assert (pending.wait(0), pending.end_ns) == (True, 2)


def test_promise_29_an_answer_is_given_once(conversation, strays):
    """The second one is a stray, and does not spoil a later call."""
    first = conversation.expect(1)
    for now_ns in (1, 2):
        conversation.receive(encode(id=1, result={}), now_ns)
    second = conversation.expect(2)
    assert (first.end_ns, second.wait(0)) == (1, False)
    assert [kind for kind, _ in strays] == ["unmatched_reply"]


def test_promise_29_answers_to_another_user_are_told_as_such(conversation, strays):
    """A gateway that sends each answer to all sessions is found by the ids."""
    pending = conversation.expect(1)
    conversation.receive(encode(id=next(RequestIds()), result={}), 1)
    assert not pending.wait(0)
    assert [kind for kind, _ in strays] == ["crossed_reply"]


def test_an_id_as_a_text_ends_its_call_as_a_fault(conversation, strays):
    """It is the call's own id, so waiting for the timeout makes no sense."""
    pending = conversation.expect(1)
    conversation.receive(encode(id="x", result={}), 1)
    conversation.receive(wrong := encode(id="1", result={}), 2)
    assert pending.wait(0)
    assert pending.message == wrong
    assert [kind for kind, _ in strays] == ["unmatched_reply"]


def test_the_last_answer_of_a_subscription_that_was_called_off_is_skipped(conversation, strays):
    """It is not a stray, because it was awaited once."""
    conversation.expect("listen-1")
    meta = {"io.modelcontextprotocol/subscriptionId": "listen-1"}
    begun = "notifications/subscriptions/acknowledged"
    conversation.receive(encode(method=begun, params={"_meta": meta}), 1)
    conversation.forget("listen-1")
    conversation.receive(encode(id="listen-1", result={}), 2)
    assert strays == []


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":1,"resu',
        b'{"jsonrpc":"2.0","id":1,"result":{"value":NaN}}',
        b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"result":{}}',
    ],
)
def test_a_broken_answer_that_tells_its_id_ends_its_call_at_once(conversation, strays, line):
    """So the call need not wait for its timeout; other calls go on."""
    pending, other = conversation.expect(1), conversation.expect(2)
    conversation.receive(line, 5)
    assert pending.wait(0)
    assert not other.wait(0)
    assert (pending.message, pending.end_ns, strays) == (line, 5, [])


def test_the_end_fails_all_calls_and_the_next(conversation):
    """Every waiter gets the reason, and nobody waits for a channel that is gone."""
    both = [conversation.expect(1), conversation.expect(2)]
    conversation.end("the server died")
    conversation.end("something else")
    for pending in both:
        with pytest.raises(ReadError, match="the server died"):
            pending.wait(0)
    with pytest.raises(ReadError, match="the server died"):
        conversation.expect(3)


def test_an_answer_on_the_sessions_stream_is_matched_by_its_id(strays):
    """It may come while its call waits, or before, if the call is known to be in flight."""
    found = AnswersElsewhere(Strays(RequestIds(), lambda kind, _: strays.append(kind)))
    found.take(1, b"one", 5, in_flight=True)
    early = found.wait(1, 0)
    assert (early.message, early.end_ns) == (b"one", 5)
    assert found.wait(1, 0) is None
    found.take(1, b"again", 6, in_flight=False)
    assert strays == ["unmatched_reply"]
    threading.Timer(0.01, lambda: found.take(2, b"two", 7, in_flight=False)).start()
    assert found.wait(2, 5).message == b"two"


def test_an_answer_on_the_sessions_stream_that_nobody_asks_for_is_a_stray(strays):
    """For example, the reply to its request may have had it as well."""
    found = AnswersElsewhere(Strays(RequestIds(), lambda kind, _: strays.append(kind)))
    for request_id in (1, 2):
        found.take(request_id, encode(id=request_id, result={}), 5, in_flight=True)
    assert strays == ["unmatched_reply"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_the_same_in_pieces_of_any_size(size):
    """A line is whole once its end has come; empty lines are skipped."""
    data = "eins\n\n \r\nzwei ü\r\ndrei\nrest".encode()
    lines = Lines(100)
    found = [line for at in range(0, len(data), size) for line in lines.feed(data[at : at + size])]
    assert [line.strip().decode() for line in found] == ["eins", "zwei ü", "drei"]


def test_a_line_without_end_is_refused():
    """It would otherwise fill the memory."""
    lines = Lines(10)
    assert lines.feed(b"0123456789\n0123456789") == [b"0123456789"]
    with pytest.raises(ReadError, match="more than 10 bytes"):
        lines.feed(b"0")


def test_a_forbidden_request_is_told_where_no_call_can_be_blamed(conversation, strays):
    """With several calls, none ends; each that waits in vain says what came instead."""
    first, second = conversation.expect(1), conversation.expect(2)
    conversation.accuse("ping", b"{}", 5)
    assert not first.wait(0)
    assert not second.wait(0)
    assert strays == [("forbidden_request", b"{}")]
    assert "sent a request (ping)" in silence(conversation.strays, 0)
