"""A conversation on one channel: whose answer is this? No thread, no socket, no clock."""

import json

import pytest

from mcp_perf.client.errors import ReadError
from mcp_perf.client.protocol.multiplex import Conversation, Lines


def encode(**message) -> bytes:
    """Encode a message."""
    return json.dumps({"jsonrpc": "2.0", **message}).encode()


@pytest.fixture
def asked():
    """Return what the server has asked."""
    return []


@pytest.fixture
def conversation(asked):
    """Return a conversation that keeps what it is asked."""
    return Conversation(lambda message: asked.append(message) or b"back")


def test_answers_find_their_requests_in_any_order(conversation):
    """Each waiter gets the message with its id, and when it arrived."""
    first, second = conversation.expect(1), conversation.expect(2)
    for request_id, now_ns in ((2, 20), (1, 30)):
        assert conversation.receive(encode(id=request_id, result={"n": request_id}), now_ns) is None
    assert first.wait(0)
    assert second.wait(0)
    assert json.loads(first.message)["result"] == {"n": 1}
    assert (first.end_ns, second.end_ns) == (30, 20)


def test_notifications_are_counted_for_the_only_call_in_flight(conversation):
    """They end no call; of two calls, whose they are cannot be told."""
    first = conversation.expect(1)
    for now_ns in (5, 9):
        note = encode(method="notifications/progress", params={})
        assert conversation.receive(note, now_ns) is None
    second = conversation.expect(2)
    conversation.receive(encode(method="notifications/message"), 20)
    assert not first.wait(0)
    assert first.heard.counts == {"notifications/progress": 2}
    assert (first.heard.first_ns, first.heard.longest_gap_ns) == (5, 4)
    assert second.heard is None
    assert conversation.stray == ""


def test_of_several_calls_progress_is_counted_for_the_one_that_has_its_token(conversation):
    """A log message names no call, so it is counted for none of several; nor is a foreign token."""
    progress = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%b}}'
    first, second = conversation.expect(1), conversation.expect(2)
    conversation.name(first, "t-1")
    conversation.name(second, "t-2")
    for token in (b'"t-2"', b'"t-1"', b'"t-2"', b'"else"', b"null"):
        conversation.receive(progress % token, 5)
    conversation.receive(b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}', 6)
    assert first.heard.counts == {"notifications/progress": 1}
    assert second.heard.counts == {"notifications/progress": 2}


def test_notifications_of_an_earlier_round_are_kept(conversation):
    """All rounds of a call are one call to the one who waits."""
    first = conversation.expect(1)
    conversation.receive(encode(method="notifications/progress"), 5)
    conversation.receive(encode(id=1, result={}), 6)
    second = conversation.expect(2, first.heard)
    conversation.receive(encode(method="notifications/progress"), 7)
    assert second.heard.counts == {"notifications/progress": 2}


@pytest.mark.parametrize("request_id", [1, "1", "ü"])
def test_a_request_of_the_server_is_handed_on_and_is_no_answer(conversation, asked, request_id):
    """The server's ids are its own: a request with the id of ours does not end our call."""
    pending = conversation.expect(1)
    message = encode(id=request_id, method="ping")
    assert conversation.receive(message, 1) == b"back"
    assert asked == [message]
    assert not pending.wait(0)


def test_an_answer_that_comes_too_late_is_skipped(conversation):
    """A call that was given up takes nothing away from the next one."""
    conversation.expect(1)
    conversation.forget(1)
    second = conversation.expect(2)
    conversation.receive(encode(id=1, result={"late": True}), 1)
    assert not second.wait(0)
    conversation.receive(encode(id=2, result={}), 2)
    assert second.wait(0)


@pytest.mark.parametrize("message", [encode(id=None, error={}), encode(error={})])
def test_an_answer_without_an_id_goes_to_the_only_call(conversation, message):
    """It can be for nothing else, and the judge says what is wrong with it."""
    pending = conversation.expect(1)
    conversation.receive(message, 1)
    assert pending.wait(0)
    assert pending.message == message


def test_an_answer_without_an_id_ends_none_of_two_calls(conversation):
    """Whose it is cannot be told."""
    both = [conversation.expect(1), conversation.expect(2)]
    conversation.receive(encode(id=None, error={}), 1)
    assert [pending.wait(0) for pending in both] == [False, False]


@pytest.mark.parametrize("stray", [b'{"level":"info","msg":"refreshed"}', b'{"level":"in'])
def test_a_stray_line_costs_one_call_and_not_the_next(conversation, stray):
    """The real answer of the call that it ended is skipped, as one that came too late."""
    conversation.expect(1)
    conversation.receive(stray, 1)
    second = conversation.expect(2)
    conversation.receive(encode(id=1, result={}), 2)
    assert not second.wait(0)
    conversation.receive(encode(id=2, result={}), 3)
    assert json.loads(second.message)["id"] == 2


def test_an_answer_with_a_foreign_id_ends_no_call_and_is_kept(conversation):
    """It may be anybody's; who waits in vain is shown it."""
    pending = conversation.expect(1)
    conversation.receive(foreign := encode(id="1", result={}), 1)
    assert not pending.wait(0)
    assert conversation.stray == foreign.decode()


def test_the_last_answer_of_a_subscription_that_was_called_off_is_skipped(conversation):
    """It is no stray: it was awaited once."""
    conversation.expect("listen-1")
    meta = {"io.modelcontextprotocol/subscriptionId": "listen-1"}
    begun = "notifications/subscriptions/acknowledged"
    conversation.receive(encode(method=begun, params={"_meta": meta}), 1)
    conversation.forget("listen-1")
    conversation.receive(encode(id="listen-1", result={}), 2)
    assert conversation.stray == ""


@pytest.mark.parametrize("line", [b"Listening on stdio", b"\xff\xfe", b"[1]", b"7", b'"x"'])
def test_what_is_printed_beside_the_protocol_is_kept_and_ends_no_call(conversation, line):
    """Servers print banners, and clients are used to it."""
    pending = conversation.expect(1)
    assert conversation.receive(line, 1) is None
    assert not pending.wait(0)
    assert conversation.stray == line.decode("utf-8", "replace")


@pytest.mark.parametrize("line", [b'{"jsonrpc":"2.0","id":1,"resu', b'{"id": {}}', b'{"id": true}'])
def test_a_broken_answer_ends_the_only_call_at_once(conversation, line):
    """It is marked as what it is, so that the call need not wait for its timeout."""
    pending = conversation.expect(1)
    conversation.receive(line, 5)
    assert pending.wait(0)
    assert pending.fault.startswith("the answer is not JSON-RPC: ")
    assert pending.end_ns == 5


def test_the_end_fails_all_calls_and_the_next(conversation):
    """Every waiter is told why, and nobody waits for a channel that is gone."""
    both = [conversation.expect(1), conversation.expect(2)]
    conversation.end("the server died")
    conversation.end("something else")
    for pending in both:
        with pytest.raises(ReadError, match="the server died"):
            pending.wait(0)
    with pytest.raises(ReadError, match="the server died"):
        conversation.expect(3)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_the_same_in_pieces_of_any_size(size):
    """A line is whole when its end has come; empty ones are none."""
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
