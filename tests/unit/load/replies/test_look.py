"""What a look at the ok replies of a step finds, and how it is recorded."""

import msgspec

from mcp_perf.client.reply import Reply
from mcp_perf.load.replies.cpu_share import CpuShare
from mcp_perf.load.replies.look import ReplyLook
from mcp_perf.outcomes import TOOL_ERROR


class Replies:
    """A step whose replies are all looked at."""

    def __init__(self):
        share = CpuShare(1.0, lambda: 0, lambda: 0, lambda: 0)
        self.look = ReplyLook("mcp", "tools/call find", share)
        self.number = 0

    def come(self, text="", arguments=None, **result):
        """Let a reply come; each message has a different id."""
        self.number += 1
        reply = Reply(0)
        content = [{"type": "text", "text": text}] if text else []
        message = {"jsonrpc": "2.0", "id": self.number, "result": {"content": content, **result}}
        reply.body = msgspec.json.encode(message)
        self.look.at(reply, arguments)
        return reply


def test_errors_in_disguise_and_empty_replies_are_counted():
    """The first that looks like an error is kept. Nothing is recorded twice."""
    replies = Replies()
    for text in ("fine", "Error: one", "Error: two", ""):
        replies.come(text)
    seen = replies.look.take(3)
    assert (seen.turn, seen.arm, seen.step) == (3, "mcp", "tools/call find")
    assert (seen.looked, seen.like_errors, seen.empty) == (4, 2, 1)
    assert seen.example == '{"content":[{"type":"text","text":"Error: one"}]}'
    again = replies.look.take(4)
    assert (again.looked, again.like_errors, again.empty, again.example) == (0, 0, 0, "")


def test_the_same_reply_to_different_arguments_is_noticed():
    """Ids of messages do not count. Nothing follows from constant arguments."""
    replies = Replies()
    for number in range(5):
        replies.come("always this", {"q": number})
    replies.come("always this", {"q": 1})
    for number in range(3):
        replies.come("the same for one question", {"q": 77})
        replies.come(f"another {number}")
    seen = replies.look.take(0)
    assert sorted(seen.alike.values()) == [3, 6]
    assert [seen.alike[digest] for digest in seen.varied] == [6]


def test_only_some_replies_are_counted_separately():
    """A tool that answers properly has a new one each time, and memory is bounded."""
    replies = Replies()
    for number in range(1000):
        replies.come(f"reply {number}", {"q": number})
    seen = replies.look.take(0)
    assert len(seen.alike) == 16
    assert seen.varied == []


def test_only_good_replies_are_looked_at():
    """Expected errors and unreadable replies are not."""
    replies = Replies()
    expected = Reply(0).fail(TOOL_ERROR, "")
    expected.body = b'{"jsonrpc": "2.0", "id": 1, "result": {"isError": true}}'
    replies.look.at(expected, None)
    for body in (b"", b"{", b'{"jsonrpc": "2.0"}', b'{"result": [1]}', b'{"result": 1e999}'):
        reply = Reply(0)
        reply.body = body
        replies.look.at(reply, None)
    assert replies.look.looked == 0
