"""Notifications: they are kept from arrival until awaited, and never taken for a call's."""

import json

import pytest

from mcp_perf.client.errors import CallTimeout, ReadError
from mcp_perf.client.protocol.identity import RequestIds, Strays
from mcp_perf.client.protocol.multiplex import Conversation
from mcp_perf.client.protocol.subscriptions import Inbox, Wanted, acknowledge, subscription_of
from mcp_perf.client.reply import Reply

UPDATED, TOOLS = "notifications/resources/updated", "notifications/tools/list_changed"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"


def note(method, subscription=None, **params) -> bytes:
    """Encode a notification."""
    if subscription is not None:
        params["_meta"] = {"io.modelcontextprotocol/subscriptionId": subscription}
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()


def updated(uri, subscription=None) -> bytes:
    """Encode the notification of a resource."""
    return note(UPDATED, subscription, uri=uri)


@pytest.fixture
def inbox():
    """Return an inbox whose clock stands still."""
    return Inbox(lambda: 0)


@pytest.fixture
def conversation(inbox):
    """Return a conversation of somebody who listens."""
    return Conversation(lambda _message: b"", Strays(RequestIds()), lambda: inbox)


# The inbox.


def test_a_notification_waits_until_it_is_awaited(inbox):
    """It keeps the time of its arrival, and is taken once."""
    inbox.add(UPDATED, updated("a://b"), 7)
    notice = inbox.wait(UPDATED, "a://b", 0, 0)
    assert (notice.at_ns, notice.size) == (7, len(updated("a://b")))
    with pytest.raises(CallTimeout, match=r"no resources/updated of a://b came in time"):
        inbox.wait(UPDATED, "a://b", 0, 0)


def test_other_notifications_are_left_where_they_are(inbox):
    """Somebody may still await notifications of another kind or resource."""
    inbox.add(TOOLS, note(TOOLS), 1)
    inbox.add(UPDATED, updated("a://one"), 2)
    inbox.add(UPDATED, updated("a://two"), 3)
    assert inbox.wait(UPDATED, "a://two", 0, 0).at_ns == 3
    assert inbox.wait(TOOLS, "", 0, 0).at_ns == 1
    assert inbox.wait(UPDATED, "", 0, 0).at_ns == 2


def test_what_came_before_the_change_does_not_tell_of_it(inbox):
    """An earlier notification is skipped, and a later one is taken."""
    for now_ns in (3, 4, 9):
        inbox.add(UPDATED, updated("a://b"), now_ns)
    assert inbox.wait(UPDATED, "", 5, 0).at_ns == 9
    with pytest.raises(CallTimeout):
        inbox.wait(UPDATED, "", 0, 0)


def test_what_has_arrived_is_there_after_the_end_too(inbox):
    """After that, waiting fails at once with the first reason."""
    inbox.add(TOOLS, note(TOOLS), 1)
    inbox.end("the stream broke")
    inbox.end("something else")
    assert inbox.wait(TOOLS, "", 0, 60).at_ns == 1
    with pytest.raises(ReadError, match="the stream broke"):
        inbox.wait(TOOLS, "", 0, 60)


@pytest.mark.parametrize("params", [None, [], "x", {"uri": 7}])
def test_a_notification_without_a_uri_is_of_no_resource(inbox, params):
    """Whatever a server sends, a wait for a resource does not take it."""
    inbox.add(UPDATED, json.dumps({"method": UPDATED, "params": params}).encode(), 1)
    with pytest.raises(CallTimeout):
        inbox.wait(UPDATED, "7", 0, 0)
    assert inbox.wait(UPDATED, "", 0, 0).uri == ""


# What is asked for, and acknowledged.


def test_the_request_names_what_is_wanted():
    """It uses the words of `subscriptions/listen`."""
    asked = Wanted(("tools", "resources"), "a://b").notifications()
    assert asked == {
        "toolsListChanged": True,
        "resourcesListChanged": True,
        "resourceSubscriptions": ["a://b"],
    }
    assert Wanted(("prompts",)).notifications() == {"promptsListChanged": True}


@pytest.mark.parametrize(
    ("honoured", "left"),
    [
        ({"toolsListChanged": True, "resourceSubscriptions": ["a://b", "c"]}, ""),
        ({"toolsListChanged": True}, "a://b"),
        ({"resourceSubscriptions": ["a://b"]}, "tools"),
        ({"toolsListChanged": "yes", "resourceSubscriptions": "a://b"}, "tools, a://b"),
        (None, "tools, a://b"),
    ],
)
def test_all_that_was_asked_for_has_to_be_honoured(honoured, left):
    """Otherwise, the call fails and says which notifications will not come."""
    reply = Reply(0)
    reply.body = note(ACKNOWLEDGED, "listen-1", notifications=honoured)
    acknowledge(reply, Wanted(("tools",), "a://b"), "listen-1")
    assert reply.outcome == ("check_failed" if left else "ok")
    assert reply.detail == (f"the server does not send notifications about: {left}" if left else "")


@pytest.mark.parametrize(
    ("answer", "outcome", "detail"),
    [
        ({"error": {"code": -32601, "message": "no"}}, "rpc_error", "-32601 no"),
        ({"result": {}}, "rpc_error", "the server ended the subscription before it began"),
    ],
)
def test_an_answer_instead_of_an_acknowledgement_is_no_subscription(answer, outcome, detail):
    """It may be an error, or a result, which ends a subscription."""
    reply = Reply(0)
    reply.status = 200
    reply.body = json.dumps({"jsonrpc": "2.0", "id": "listen-1", **answer}).encode()
    acknowledge(reply, Wanted(("tools",)), "listen-1")
    assert (reply.outcome, reply.detail) == (outcome, detail)


@pytest.mark.parametrize("meta", [None, [], {}, {"io.modelcontextprotocol/subscriptionId": []}])
def test_a_subscription_is_known_by_a_text_or_a_number(meta):
    """Anything else does not identify one."""
    message = json.dumps({"method": UPDATED, "params": {"_meta": meta}}).encode()
    assert subscription_of(message) is None


# On one channel for all messages.


def listened(conversation, request_id="listen-1"):
    """Ask for a subscription that the server acknowledges."""
    pending = conversation.expect(request_id)
    conversation.receive(note(ACKNOWLEDGED, request_id, notifications={}), 5)
    return pending


def test_an_acknowledgement_answers_its_own_request(conversation):
    """It has a time; acknowledging what was not asked for changes nothing."""
    other = conversation.expect("listen-2")
    assert listened(conversation).end_ns == 5
    conversation.receive(note(ACKNOWLEDGED, "listen-9", notifications={}), 6)
    assert not other.wait(0)


def test_frames_of_a_subscription_go_to_whoever_listens(conversation, inbox):
    """The call in flight does not take them as its first notification."""
    listened(conversation)
    call = conversation.expect(1)
    conversation.receive(updated("a://b", "listen-1"), 8)
    assert inbox.wait(UPDATED, "a://b", 0, 0).at_ns == 8
    conversation.receive(json.dumps({"jsonrpc": "2.0", "id": 1, "result": {}}).encode(), 9)
    assert (call.wait(0), call.heard) == (True, None)


def test_frames_of_no_open_subscription_are_passed_over(conversation, inbox):
    """They come late, for a subscription that was ended."""
    listened(conversation)
    conversation.forget("listen-1")
    call = conversation.expect(1)
    conversation.receive(updated("a://b", "listen-1"), 8)
    with pytest.raises(CallTimeout):
        inbox.wait(UPDATED, "", 0, 0)
    assert call.heard is None


def test_frames_without_a_subscription_are_the_sessions(conversation, inbox):
    """Up to 2025-11-25 notifications do not name a subscription."""
    conversation.receive(updated("a://b"), 8)
    assert inbox.wait(UPDATED, "a://b", 0, 0).at_ns == 8


def test_the_answer_to_a_subscription_ends_it(conversation, inbox):
    """It says farewell, and does not answer the call in flight."""
    listened(conversation)
    call = conversation.expect(1)
    conversation.receive(json.dumps({"jsonrpc": "2.0", "id": "listen-1", "result": {}}).encode(), 6)
    assert not call.wait(0)
    with pytest.raises(ReadError, match="the server ended the subscription"):
        inbox.wait(UPDATED, "", 0, 60)


def test_the_end_of_the_channel_is_the_end_of_all_subscriptions(conversation, inbox):
    """Everybody who waits gets the reason."""
    listened(conversation)
    conversation.end("the process ended")
    with pytest.raises(ReadError, match="the process ended"):
        inbox.wait(UPDATED, "", 0, 60)
