"""What a reply is, according to its content."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.client.protocol import jsonrpc
from mcp_perf.client.protocol.identity import RequestIds, Strays
from mcp_perf.client.protocol.jsonrpc import foreign_id, is_reply, judge
from mcp_perf.client.protocol.multiplex import Conversation
from mcp_perf.client.protocol.subscriptions import subscription_of
from mcp_perf.client.reply import Reply

RESULT = {"jsonrpc": "2.0", "id": 7, "result": {"content": []}}
ERROR = {"jsonrpc": "2.0", "id": 7, "error": {"code": -32602, "message": "bad params"}}


NAN = b'{"jsonrpc":"2.0","id":7,"result":{"value":NaN}}'


def judged(body: object, status: int = 200) -> Reply:
    """Judge a reply to request 7."""
    reply = Reply(0)
    reply.status = status
    reply.body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return judge(reply, 7)


PARTS = {
    "half a pair in the middle": (
        rb"a \ud83d b",
        "result.PART: half of a surrogate pair is not text",
    ),
    "half a pair at the end": (rb"a \uD83D", "result.PART: half of a surrogate pair is not text"),
    "a bad byte": (b"\xff", "(0xff) is not UTF-8"),
    "a pair": (rb"\ud83d\ude00", ""),
    "a backslash before": (rb"\\ud83d", ""),
    "letters": ("\u00e9\u4e2d".encode(), ""),
}


@pytest.mark.parametrize(("text", "fault"), PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("part", ["resultType", "structuredContent", "_meta"])
def test_what_is_no_text_fails_a_reply_in_whatever_part_it_is(part, text, fault):
    """That includes parts that nobody reads: a strict client would not get an answer at all."""
    complete = b'"resultType":"complete",' if part != "resultType" else b""
    body = b'{"jsonrpc":"2.0","id":7,"result":{%b"%b":"%b"}}' % (complete, part.encode(), text)
    reply = judged(body)
    assert fault.replace("PART", part) in reply.detail
    wanted = "ok" if complete else "check_failed"
    assert reply.outcome == (
        "rpc_error" if "UTF-8" in fault else "check_failed" if fault else wanted
    )


TABLE = [
    ("a result is ok", RESULT, 200, "ok", ""),
    ("key order does not matter", {"result": {}, "id": 7, "jsonrpc": "2.0"}, 200, "ok", ""),
    ("an rpc error inside HTTP 200", ERROR, 200, "rpc_error", "-32602 bad params"),
    ("an rpc error with HTTP 400", ERROR, 400, "rpc_error", "-32602"),
    ("an rpc error without an id", {**ERROR, "id": None}, 400, "rpc_error", "-32602"),
    ("an rpc error with a foreign id", {**ERROR, "id": "server-error"}, 400, "rpc_error", "bad"),
    ("a wrong id", {**RESULT, "id": 8}, 200, "rpc_error", "id 8, expected 7"),
    ("a text is not a number", {**RESULT, "id": "7"}, 200, "rpc_error", "id '7' as a text"),
    ("another's error", {**ERROR, "id": 8}, 200, "rpc_error", "id 8, expected 7"),
    ("another's error by its status", {**ERROR, "id": 8}, 400, "rpc_error", "bad params"),
    ("no id", {"jsonrpc": "2.0", "result": {}}, 200, "rpc_error", "id None"),
    ("neither result nor error", {"jsonrpc": "2.0", "id": 7}, 200, "rpc_error", "neither"),
    ("not version 2.0", {"id": 7, "result": {}}, 200, "rpc_error", "jsonrpc"),
    ("a batch", [RESULT], 200, "rpc_error", "not a JSON-RPC response"),
    ("a result that is not an object", {**RESULT, "result": 5}, 200, "rpc_error", "JSON-RPC"),
    ("isError that is a text", {**RESULT, "result": {"isError": "no"}}, 200, "rpc_error", ""),
    ("a page instead of JSON", b"<!doctype html><p>Sign in", 200, "http_error", "Sign in"),
    ("an error page", b"<h1>Bad gateway</h1>", 502, "http_error", "HTTP 502: <h1>Bad gateway"),
    ("a plain 404", b"", 404, "http_error", "HTTP 404: (no body)"),
    ("JSON that is not JSON-RPC, 500", {"detail": "boom"}, 500, "http_error", "boom"),
    ("a result with a bad status", RESULT, 500, "http_error", "HTTP 500"),
    ("a result with 201", RESULT, 201, "ok", ""),
    ("a result that a proxy has changed", RESULT, 203, "ok", ""),
    ("a page with 203", b"<p>", 203, "http_error", "HTTP 203 and a body that is not JSON"),
    ("accepted, but no reply", b"", 202, "http_error", "HTTP 202"),
    (
        "bytes that are not UTF-8",
        b'{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"\xff"}}',
        200,
        "rpc_error",
        "(0xff) is not UTF-8",
    ),
    ("nested without end", b'{"jsonrpc":"2.0","id":7,"x":' + b"[" * 90_000, 200, "rpc_error", ""),
    (
        "cut short",
        b'{"jsonrpc":"2.0","id":7,"result":{',
        200,
        "rpc_error",
        "cut off after 34 bytes",
    ),
    ("cut short, without HTTP", b'{"jsonrpc":"2.0","id":7,"result":{', 0, "rpc_error", "cut off"),
    ("no number", NAN, 200, "check_failed", "result.value: NaN"),
    ("no number, without HTTP", NAN, 0, "check_failed", "result.value: NaN"),
    ("a byte-order mark", b"\xef\xbb\xbf" + NAN.replace(b"NaN", b"1"), 200, "check_failed", "mark"),
    ("nothing at all", b"", 200, "transport_error", "empty"),
    (
        "a tool's own error",
        {**RESULT, "result": {"isError": True, "content": [{"type": "text", "text": "no disk"}]}},
        200,
        "tool_error",
        "no disk",
    ),
    ("a tool's error without text", {**RESULT, "result": {"isError": True}}, 200, "tool_error", ""),
    (
        "input_required is not an answer",
        {**RESULT, "result": {"resultType": "input_required"}},
        200,
        "check_failed",
        "input_required",
    ),
    ("too many, by status", b"", 429, "rate_limited", "HTTP 429"),
    ("too many, by a page", b"<p>Slow down", 429, "rate_limited", "Slow down"),
    ("too many, by a status over an error", ERROR, 429, "rate_limited", "bad params"),
    ("too many, by a status over a result", RESULT, 429, "rate_limited", "HTTP 429"),
    ("too many, in JSON that is not JSON-RPC", {"detail": "x"}, 429, "rate_limited", "x"),
    ("too many, by code", {**ERROR, "error": {"code": -32029}}, 200, "rate_limited", "-32029"),
    ("too many, by HTTP's code", {**ERROR, "error": {"code": 429}}, 200, "rate_limited", "429"),
    (
        "too many, by the words of a protocol error",
        {**ERROR, "error": {"code": -32603, "message": "Rate limit exceeded, retry in 3 s"}},
        200,
        "rate_limited",
        "retry in 3 s",
    ),
    ("too many, by a proxy's words", b"API rate limit exceeded", 403, "rate_limited", "403"),
    ("complete is", {**RESULT, "result": {"resultType": "complete"}}, 200, "ok", ""),
]


@pytest.mark.parametrize(
    ("body", "status", "outcome", "words"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_a_reply_is_classed_by_its_content(body, status, outcome, words) -> None:
    """Each kind of reply ends in its own class, with words that show what came."""
    reply = judged(body, status)
    assert (reply.outcome, words in reply.detail) == (outcome, True), reply.detail


@pytest.mark.parametrize(
    ("text", "limited"),
    [
        ("Error: Too many requests, please try again later.", True),
        ("TooManyRequestsException", True),
        ("GitHub API rate limit exceeded for 10.0.0.1", True),
        ("You have exceeded a secondary rate limit", True),
        ("openai.RateLimitError: Error code: 429", True),
        ("you are being rate-limited", True),
        ("Rate limit reached for gpt-4", True),
        ("Request failed with status code 429", True),
        ("ThrottlingException: slow down", True),
        ("Request was throttled. Expected available in 5 seconds.", True),
        ("Quota exceeded for quota metric 'Queries'", True),
        ("8 RESOURCE_EXHAUSTED", True),
        ("no such table: rate_limits", False),
        ("no page about rate limits was found", False),
        ("file 429.txt does not exist", False),
        ("disk quota is 5 GB", False),
        ("request 1429 failed", False),
    ],
)
def test_a_tool_that_passes_on_a_rate_limit_is_known_by_its_words(text, limited) -> None:
    """APIs behind tools say it in many ways; a text that only mentions limits does not."""
    result = {"isError": True, "content": [{"type": "text", "text": text}]}
    reply = judged({**RESULT, "result": result})
    assert reply.outcome == ("rate_limited" if limited else "tool_error")
    assert text in reply.detail


@pytest.mark.parametrize(
    ("text", "helps"),
    [
        ("This tool is unavailable on 2026-07-28 connections", True),
        ("sampling is not supported in 2026-07-28", True),
        ("No flight on 2026-07-28", False),
        ("this is unavailable", False),
    ],
)
def test_a_failure_that_is_one_of_the_era_says_which_version_may_help(text, helps) -> None:
    """It may be in a tool's words or in the protocol's."""
    failed = {"isError": True, "content": [{"type": "text", "text": text}]}
    fault = {"code": -32000, "message": text}
    for said in ({**RESULT, "result": failed}, {"jsonrpc": "2.0", "id": 7, "error": fault}):
        assert ("protocol: 2025-11-25" in judged(said).detail) is helps


@given(st.binary(max_size=200), st.sampled_from([200, 202, 400, 404, 500]))
def test_no_body_makes_the_judge_fail(body, status) -> None:
    """Any bytes end in a class."""
    assert judged(body, status).outcome


VALUES = st.sampled_from(
    [
        *(b"1", b"7", b'"7"', b"null", b"true", b"{}", b"[]", b'"complete"', b'"ping"'),
        *(b'"\xff"', b'"\\ud800"', b"1e999", b"9" * 400, b"[" * 9000 + b"]" * 9000, b'{"', b""),
    ]
)
"""What a value may be in a message: among what is right, what no decoder takes."""
NAMES = st.sampled_from(
    [
        *(b"id", b"method", b"params", b"result", b"error", b"code", b"message", b"isError"),
        *(b"resultType", b"content", b"text", b"_meta", b"protocolVersion", b"unknown"),
        b"io.modelcontextprotocol/subscriptionId",
    ]
)


def objects(values):
    """Encode objects of such values."""
    members = st.lists(st.tuples(NAMES, values), max_size=4)
    return members.map(lambda all_: b"{%b}" % b",".join(b'"%b":%b' % one for one in all_))


INNER = st.one_of(VALUES, st.recursive(VALUES, objects, max_leaves=4))
MESSAGES = objects(INNER).map(lambda text: text.replace(b"{", b'{"jsonrpc":"2.0","id":7,', 1))


@given(MESSAGES)
def test_no_message_makes_the_protocol_core_fail(message) -> None:
    """Whatever a message holds, even in parts first skipped, every question gets an answer."""
    message = message.replace(b",}", b"}")
    reply = judged(message)
    assert reply.outcome
    assert isinstance(jsonrpc.result_of(reply), dict)
    assert isinstance(jsonrpc.message_of(message), dict)
    assert jsonrpc.wants_input(reply) in (True, False)
    assert is_reply(message, 7) in (True, False)
    foreign_id(reply, 7)
    jsonrpc.notification_of(message)
    jsonrpc.error_of(reply)
    subscription_of(message)
    conversation = Conversation(
        lambda request: b"%d" % len(jsonrpc.message_of(request)), Strays(RequestIds())
    )
    conversation.expect(7)
    conversation.receive(message, 1)


@pytest.mark.parametrize(
    ("message", "ends"),
    [
        (RESULT, True),
        (ERROR, True),
        ({**ERROR, "id": None}, True),
        ({**RESULT, "id": "7"}, True),
        ({**RESULT, "result": 5}, True),
        (NAN, True),
        (b'{"jsonrpc":"2.0","id":7,"resu', True),
        ({**RESULT, "id": 8}, False),
        ({**ERROR, "id": 8}, False),
        ({**RESULT, "id": None}, False),
        ({"id": 7, "result": {}}, False),
        ({"level": 30, "msg": "call"}, False),
        (b"{", False),
        (b"", False),
        ({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}, False),
        ({"jsonrpc": "2.0", "id": 7, "method": "ping"}, False),
    ],
)
def test_promise_29_only_a_reply_with_its_id_ends_a_call(message, ends) -> None:
    """The same holds on its own stream. A broken reply that shows its id is judged."""
    message = message if isinstance(message, bytes) else json.dumps(message).encode()
    assert is_reply(message, 7) is ends


@pytest.mark.parametrize(
    ("body", "status", "found"),
    [
        ({**RESULT, "id": 8}, 200, 8),
        ({**ERROR, "id": 8}, 200, 8),
        ({**ERROR, "id": 8}, 400, None),
        (ERROR, 200, None),
        ({**RESULT, "id": "8"}, 200, None),
        (RESULT, 200, None),
    ],
)
def test_promise_29_a_reply_to_another_request_is_told_by_its_number(body, status, found) -> None:
    """After it, nothing on the connection can be trusted."""
    assert foreign_id(judged(body, status), 7) == found
