"""Promise 29: nothing is credited without identity, and every stray has a kind."""

import json

import pytest

from mcp_perf.client.protocol.identity import RequestIds, Strays, token_of
from mcp_perf.outcomes import STRAYS

BLOCKS = [1 << 52, (1 << 52) + 5000]


def encode(**message) -> bytes:
    """Encode a message."""
    return json.dumps({"jsonrpc": "2.0", **message}).encode()


def test_promise_29_ids_are_drawn_in_blocks_and_their_client_knows_them():
    """Blocks of other clients lie between a client's own."""
    mine, theirs = (RequestIds(iter([first, first + 10_000])) for first in BLOCKS)
    drawn = list(mine)
    assert drawn[:2] == [BLOCKS[0], BLOCKS[0] + 1]
    assert drawn[4096:4098] == [BLOCKS[0] + 10_000, BLOCKS[0] + 10_001]
    assert all(map(mine.issued, drawn))
    assert next(theirs) == BLOCKS[1]
    assert not mine.issued(BLOCKS[1])
    assert not mine.issued("listen-1")


def test_promise_29_clients_draw_blocks_of_their_own():
    """Only mcp-perf has ids like theirs."""
    first, second = (next(RequestIds()) for _ in range(2))
    assert first >> 12 != second >> 12
    assert all(one >> 52 == 1 for one in (first, second))


def told(message: bytes) -> list[str]:
    """Return the kinds under which a client that has drawn one id reports a message."""
    kinds: list[str] = []
    ids = RequestIds(iter(BLOCKS[:1]))
    next(ids)
    Strays(ids, lambda kind, _: kinds.append(kind)).other(message)
    return kinds


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (encode(id=BLOCKS[1], result={}), "crossed_reply"),
        (encode(id=BLOCKS[1], error={"code": 1}), "crossed_reply"),
        (encode(id=BLOCKS[0], result={}), "unmatched_reply"),
        (encode(id=5, result={}), "unmatched_reply"),
        (encode(id=1 << 53, result={}), "unmatched_reply"),
        (encode(id=1_800_000_000_000_000, result={}), "unmatched_reply"),
        (encode(id=None, error={"code": -32601}), "unmatched_reply"),
        (encode(id="x", result={}), "unmatched_reply"),
        (encode(method="notifications/progress", params={"progressToken": 1}), "stray_progress"),
        (b'{"level":30,"msg":"call"}', "no_message"),
        (b'{"id":5,"result":{}}', "no_message"),
        (encode(result={}), "no_message"),
        (b"Listening on stdio", "no_message"),
        (b'{"resource":{},"scopeSpans":[]}', "no_message"),
    ],
)
def test_promise_29_what_is_nobodys_is_told_by_its_kind(message, kind):
    """An id that only another mcp-perf client can have drawn differs from one of the server's.

    A clock of microseconds is far below all of them.
    """
    assert told(message) == [kind]
    assert kind in STRAYS


@pytest.mark.parametrize("method", ["notifications/message", "notifications/tools/list_changed"])
def test_a_notification_that_names_no_call_is_no_stray(method):
    """Servers log, and announce changes, whenever they like."""
    assert told(encode(method=method)) == []


def test_who_waited_in_vain_is_shown_what_came_instead():
    """Progress, an answer that was given up, and anything from before the request are not shown."""
    strays = Strays(RequestIds())
    assert strays.since(0) == ""
    strays.late(encode(id=1, result={}))
    strays.progress(encode(method="notifications/progress"))
    assert strays.since(0) == ""
    strays.other(b"oops")
    assert strays.since(0) == "; what came instead: oops"
    assert strays.since(strays.count) == ""


def test_promise_29_a_forbidden_request_of_nobody_is_told():
    """A call that waits in vain says so, too."""
    kinds = []
    strays = Strays(RequestIds(), lambda kind, _message: kinds.append(kind))
    strays.request("the server asked back", b"{}")
    assert (kinds, strays.since(0)) == (
        ["forbidden_request"],
        "; what came instead: the server asked back",
    )


@pytest.mark.parametrize(
    ("params", "token"),
    [
        ({"progressToken": 7}, 7),
        ({"progressToken": "seven"}, "seven"),
        ({"progressToken": None}, None),
        ({"progressToken": True}, None),
        ({}, None),
        ([], None),
    ],
)
def test_the_token_of_progress_is_a_number_or_a_text(params, token):
    """Anything else is not a token."""
    assert token_of(encode(method="notifications/progress", params=params)) == token
