"""How the messages of an agent and a server become calls."""

import json

import pytest

from mcp_perf.agent.recording.pieces import LineCutter
from mcp_perf.agent.recording.sessions import SeenSession, messages_of

MODERN = "2026-07-28"


class Said:
    """One session, whose lines come at times in ms."""

    def __init__(self, *, keep=True):
        self.calls = []
        self.session = SeenSession("s-1", "stdio", self.calls.append, keep, 0)
        self._lines = LineCutter()

    def __call__(self, who, message, at_ms):
        """Say a message, or any bytes."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        for piece in self._lines.feed(body + b"\n"):
            getattr(self.session, who)(messages_of(piece), int(at_ms * 1e6))


def call(number, tool="echo", **arguments):
    """Return a request."""
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def answer(number, **result):
    """Return its answer."""
    return {"jsonrpc": "2.0", "id": number, "result": result}


def test_a_call_has_its_tool_its_time_its_sizes_and_its_arguments():
    """It also has the session's version, from the answer to the handshake."""
    said = Said()
    said("sent", {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}}, 1)
    said("came", answer(0, protocolVersion="2025-11-25"), 2)
    said("sent", call(1, text="hello"), 10)
    said("came", {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}, 11)
    said("came", answer(1, content=[{"type": "text", "text": "hello"}]), 14.5)
    opening, found = said.calls
    assert (opening.method, opening.protocol) == ("initialize", "2025-11-25")
    assert (found.tool, found.at_ms, found.ms, found.outcome) == ("echo", 10, 4.5, "ok")
    assert (found.arguments, found.protocol) == ({"text": "hello"}, "2025-11-25")
    assert found.result == {"content": [{"type": "text", "text": "hello"}]}
    assert (found.bytes_out, found.bytes_in) == (111, 87)
    assert (found.tokens_out, found.tokens_in) == (5, 12)


def test_without_arguments_nothing_of_them_is_told():
    """Nothing of the result is reported either, nor of the server's message about it."""
    said = Said(keep=False)
    said("sent", call(1, text="canary"), 1)
    said("came", answer(1, isError=True, content=[{"type": "text", "text": "no canary"}]), 2)
    assert said.calls[0].outcome == "tool_error"
    assert "canary" not in repr(said.calls)


@pytest.mark.parametrize(
    ("came", "outcome"),
    [
        (answer(1, isError=True), "tool_error"),
        ({"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "no"}}, "rpc_error"),
        ({"jsonrpc": "2.0", "id": "1", "result": {}}, "rpc_error"),
        (b'{"jsonrpc":"2.0","id":1,"result":{"a":', "rpc_error"),
        (b'[{"jsonrpc":"2.0","id":1,"result":{}}]', "ok"),
    ],
)
def test_a_call_ends_in_the_class_that_a_run_would_give_it(came, outcome):
    """Answers in batches, and answers that break off, belong to their calls, too."""
    said = Said()
    said("sent", call(1), 1)
    said("came", came, 2)
    assert [found.outcome for found in said.calls] == [outcome]


@pytest.mark.parametrize("noise", [b"", b"log line", b"\xff\xfe", b"[1, {}]", b"3", b"{" * 3000])
def test_what_is_no_message_is_no_call(noise):
    """Logs, binary bytes and endless nesting are skipped."""
    said = Said()
    said("sent", noise, 1)
    said("sent", call(1), 1)
    said("came", noise, 2)
    said("came", answer(1), 3)
    assert [found.outcome for found in said.calls] == ["ok"]


def test_a_question_back_is_no_end_of_what_was_asked():
    """The agent calls again with the answer; the first call is marked."""
    said = Said()
    params = {"_meta": {"io.modelcontextprotocol/protocolVersion": MODERN}, "name": "ask"}
    said("sent", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, 1)
    said("came", answer(1, resultType="input_required", inputRequests={}), 2)
    [found] = said.calls
    assert (found.outcome, found.asks, found.protocol) == ("ok", True, MODERN)


def test_a_cancelled_call_is_interrupted_and_so_is_what_is_open_at_the_end():
    """The reason for its end is recorded; a later answer belongs to no call."""
    said = Said()
    said("sent", call(1), 1)
    said("sent", call(2), 1)
    cancel = {"method": "notifications/cancelled", "params": {"requestId": 1}}
    said("sent", {"jsonrpc": "2.0", **cancel}, 3)
    said("came", answer(1), 4)
    said.session.end(None, "transport_error", "the server ended", 9_000_000)
    assert [(found.outcome, found.ms) for found in said.calls] == [
        ("interrupted", 2),
        ("transport_error", 8),
    ]


def test_large_messages_are_told_by_their_edges():
    """The tool and the class are known, and neither arguments nor results are kept."""
    said = Said()
    large = "x" * 2_000_000
    said("sent", call(1, text=large), 1)
    said("came", answer(1, content=[{"text": large}]), 2)
    said("sent", call(2), 3)
    said("came", {"result": {"content": large, "isError": True}, "jsonrpc": "2.0", "id": 2}, 4)
    said("sent", call(3), 5)
    said("came", {"jsonrpc": "2.0", "id": 3, "error": {"code": -1, "message": large}}, 6)
    said("came", b'{"x":"' + large.encode() + b'"}', 7)
    told = [(found.tool, found.outcome, found.result) for found in said.calls]
    assert told == [("echo", "ok", None), ("echo", "tool_error", None), ("echo", "rpc_error", None)]
    assert said.calls[0].arguments is None
    assert said.calls[0].bytes_in > 2_000_000
