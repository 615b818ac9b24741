"""Replies of hostile servers: judged, looked at, checked and shown without an exception."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.client.protocol import jsonrpc
from mcp_perf.client.reply import LONGEST, UNREADABLE, Reply
from mcp_perf.load.replies.cpu_share import CpuShare
from mcp_perf.load.replies.look import ReplyLook
from mcp_perf.load.replies.output_check import CompiledSchema, OutputCheck
from mcp_perf.load.replies.shown import paths, shown
from mcp_perf.load.steps.recorder import Track
from mcp_perf.outcomes import CLASSES, OK

NAMES = (
    *("jsonrpc", "id", "result", "error", "code", "message", "data", "method", "content", "text"),
    *("type", "structuredContent", "isError", "resultType", "status", "success", "errors", "a"),
)
SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}
LEAF = st.sampled_from([None, True, 1, -1, 1e300, 2**70, "", "2.0", "text", "error", "\x1b[2J"])
JSON = st.recursive(
    LEAF | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=15,
)
RESULT = st.dictionaries(st.sampled_from(NAMES), JSON)
MESSAGE = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "id": st.just(7)}, optional={"result": RESULT | JSON, "error": JSON}
)


def came(body: bytes, status: int = 200) -> Reply:
    """Return a reply with this body."""
    reply = Reply(0)
    reply.body, reply.status = body, status
    return reply


@given(st.binary(max_size=60) | (MESSAGE | JSON).map(lambda it: json.dumps(it).encode()), st.data())
def test_no_reply_breaks_what_reads_it(body: bytes, data: Any) -> None:
    """Each ends in a class, with a text of bearable length that says if it cannot be read."""
    status = data.draw(st.sampled_from([0, 200, 202, 400, 429, 500]))
    judged = jsonrpc.judge(came(body, status), 7)
    assert judged.outcome in CLASSES
    assert len(judged.detail) <= LONGEST + 1
    look = ReplyLook("mcp", "call", CpuShare(1.0, lambda: 0))
    reply = came(body)
    reply.outcome = OK
    look.at(reply, {"a": 1})
    assert look.take(1).looked in (0, 1)
    assert len(shown(body)) <= LONGEST + 1
    track = Track("mcp", "call", "a")
    check = OutputCheck(CompiledSchema(SCHEMA, "x", "y"), track, CpuShare(1.0, lambda: 0))
    try:
        assert isinstance(check.of_body(body), str)
        assert len(paths(reply.json())) < 10_000
    except UNREADABLE:
        assert track.violations in (0, track.checked)


@given(st.text(min_size=LONGEST, max_size=LONGEST + 50).map(lambda text: text + "x" * 100_000))
def test_an_endless_error_is_cut_off(text: str) -> None:
    """It is cut off before anything is looked for in it."""
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "error": {"code": 1, "message": text}})
    assert len(jsonrpc.judge(came(body.encode()), 7).detail) == LONGEST + 1
