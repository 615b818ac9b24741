"""Expectations and saves: a table of replies and their outcomes."""

import jmespath
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_perf.client.protocol import jsonrpc
from mcp_perf.client.reply import Reply
from mcp_perf.load.replies.expected import expectations
from mcp_perf.load.steps.checks import Checks, result_root
from mcp_perf.load.steps.expressions import getter
from mcp_perf.outcomes import (
    CHECK_FAILED,
    HTTP_ERROR,
    OK,
    RATE_LIMITED,
    RPC_ERROR,
    TIMEOUT,
    TOOL_ERROR,
    TRANSPORT_ERROR,
)
from mcp_perf.scenario.model.steps import ExpectMcp
from mcp_perf.scenario.values.patterns import MOST_MATCHED
from mcp_perf.scenario.values.templates import compile_template


def reply_of(body=b"{}", *, status=200, outcome=OK):
    """Return an ended call."""
    reply = Reply(0)
    reply.body = body if isinstance(body, bytes) else msgspec.json.encode(body)
    reply.status = status
    return reply.fail(outcome, "") if outcome != OK else reply


def checks_of(root=Reply.json, *, equals=None, expect=None, **options):
    """Return compiled checks; expected values may hold lookups."""
    wanted = ExpectMcp.model_validate(expect or {"equals": equals or {}})
    return Checks(root, expects=[*expectations(wanted, compile_template)], **options)


@pytest.mark.parametrize(
    ("statuses", "status", "outcome", "expected"),
    [
        ((), 200, OK, OK),
        ((), 404, HTTP_ERROR, HTTP_ERROR),
        ((201,), 201, OK, OK),
        ((201,), 200, OK, CHECK_FAILED),  # a success, but not the one that was expected
        ((200, 201), 201, OK, OK),
        ((404,), 404, HTTP_ERROR, OK),  # an error that the scenario expects
        ((404,), 500, HTTP_ERROR, HTTP_ERROR),  # the target's own failure keeps its class
        ((404,), 200, OK, CHECK_FAILED),
        ((200,), 0, TRANSPORT_ERROR, TRANSPORT_ERROR),  # nothing came
        ((200,), 200, TIMEOUT, TIMEOUT),  # the head came in time, the body did not
        ((200,), 200, TRANSPORT_ERROR, TRANSPORT_ERROR),  # broken in the middle of the body
    ],
)
def test_an_expected_status_decides_only_about_whole_answers(statuses, status, outcome, expected):
    """Expected statuses turn errors into successes, but never a reply that did not arrive."""
    checks = checks_of(statuses=statuses)
    assert checks.judge(reply_of(status=status, outcome=outcome), {}) == expected


def test_a_wrong_status_says_what_was_expected():
    """The failure names both statuses."""
    reply = reply_of(status=200)
    assert checks_of(statuses=(201, 204)).judge(reply, {}) == CHECK_FAILED
    assert reply.detail == "HTTP 200, expected 201 or 204"
    assert reply.outcome == CHECK_FAILED


def test_a_redirect_instead_of_the_expected_status_says_where_it_leads():
    """A reader sees at once that it is a login page."""
    reply = reply_of(status=302)
    reply.detail = "GET /mine is redirected to /login"
    checks_of(statuses=(200,)).judge(reply, {})
    assert reply.detail == "HTTP 302, expected 200 (GET /mine is redirected to /login)"


@pytest.mark.parametrize(
    ("accepted", "outcome", "expected"),
    [
        ((OK,), OK, OK),
        ((OK,), TOOL_ERROR, TOOL_ERROR),
        ((TOOL_ERROR,), TOOL_ERROR, OK),
        ((TOOL_ERROR,), OK, CHECK_FAILED),
        ((TOOL_ERROR, RPC_ERROR), RPC_ERROR, OK),
        ((TOOL_ERROR,), RPC_ERROR, RPC_ERROR),
        ((TOOL_ERROR,), TIMEOUT, TIMEOUT),
    ],
)
def test_an_expected_class_decides_how_a_call_may_end(accepted, outcome, expected):
    """A scenario may expect an error; then a success is the failure."""
    reply = reply_of({"jsonrpc": "2.0", "id": 1, "error": {"code": -32602}}, outcome=outcome)
    reply.detail = "-32602"
    assert checks_of(accepted=accepted).judge(reply, {}) == expected
    assert ("expected" in reply.detail) == (expected == CHECK_FAILED)


@pytest.mark.parametrize(
    "body",
    [
        {"jsonrpc": "2.0", "id": 8, "result": {}},
        {"jsonrpc": "2.0", "id": 8, "error": {"code": -32602, "message": "no"}},
        {"jsonrpc": "2.0", "id": 7},
        {"jsonrpc": "2.0", "id": 7, "result": None},
        [],
    ],
    ids=["another's result", "another's error", "nothing", "null", "a batch"],
)
def test_promise_29_what_does_not_answer_the_call_is_not_the_error_it_expects(body):
    """All of these are `rpc_error`, but none is an error of JSON-RPC for this call."""
    reply = jsonrpc.judge(reply_of(body), 7)
    assert checks_of(accepted=(RPC_ERROR,)).judge(reply, {}) == RPC_ERROR


def test_the_error_that_a_step_expects_may_lack_an_id():
    """A server that could not read the request does not know its id."""
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": -32602, "message": "no"}}
    reply = jsonrpc.judge(reply_of(body, status=400), 7)
    assert checks_of(accepted=(RPC_ERROR,)).judge(reply, {}) == OK


@pytest.mark.parametrize(
    ("found", "wanted", "met"),
    [
        ("a", "a", True),
        ("a", "b", False),
        (1, 1, True),
        (1, 1.0, True),  # JSON has one kind of number
        (1, "1", False),
        (True, True, True),
        (True, 1, False),
        (1, True, False),
        (0, False, False),
        (None, None, True),
        ([1, 2], [1, 2], True),
        ([1, 2], [2, 1], False),
        ([1], [1, 2], False),
        ([1], [True], False),
        ({"a": True}, {"a": 1}, False),
        ({"a": [{"b": False}]}, {"a": [{"b": 0}]}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
    ],
)
def test_equals_compares_as_json_does(found, wanted, met):
    """A boolean does not equal a number, at any depth; the order of keys does not matter."""
    reply = reply_of({"x": found})
    assert (checks_of(equals={"x": wanted}).judge(reply, {}) == OK) is met


def test_an_unmet_expectation_says_what_was_found():
    """The failure names the path, the value found there and the value expected."""
    reply = reply_of({"x": {"y": "red"}})
    assert checks_of(equals={"x.y": "${colour}"}).judge(reply, {"colour": "blue"}) == CHECK_FAILED
    assert reply.detail == 'expect x.y: found "red", expected "blue"'


def test_a_path_that_leads_nowhere_says_which_paths_there_are():
    """The first failures of a step list them, in the syntax of `expect` and `save`."""
    body = {"items": [{"id": 1}], "next": None}
    there = "; the reply has items[0].id, next"
    checks = checks_of(equals={"total": 3})
    details = []
    for _ in range(5):
        reply = reply_of(body)
        checks.judge(reply, {})
        details.append(reply.detail)
    plain = "expect total: found null, expected 3"
    assert details == [plain + there] * 3 + [plain] * 2
    for options in ({"saves": {"n": "item.id"}}, {"equals": {"length(total)": 3}}):
        reply = reply_of(body)
        checks_of(**options).judge(reply, {})
        assert reply.detail.endswith(there)
    reply = reply_of({})
    checks_of(equals={"total": 3}).judge(reply, {})
    assert reply.detail == plain


def test_a_long_value_is_cut_in_the_message():
    """A reply of a megabyte does not become a message of a megabyte."""
    reply = reply_of({"x": "y" * 1_000_000})
    checks_of(equals={"x": "z"}).judge(reply, {})
    assert len(reply.detail) < 200


def test_an_expectation_with_an_unknown_lookup_fails_the_check():
    """If the value to compare with is missing, the step fails and names it."""
    reply = reply_of({"x": 1})
    assert checks_of(equals={"x": "${nobody}"}).judge(reply, {}) == CHECK_FAILED
    assert reply.detail == "expect x: ${nobody} has no value"


def test_a_save_is_there_for_later_steps():
    """The value that a save finds goes into the journey's values, whatever its type."""
    values = {"old": 1}
    saves = {"number": "items[0].n", "all": "items", "zero": "zero", "no": "no"}
    body = {"items": [{"n": 7}], "zero": 0, "no": False}
    assert checks_of(saves=saves).judge(reply_of(body), values) == OK
    assert values == {"old": 1, "number": 7, "all": [{"n": 7}], "zero": 0, "no": False}


@pytest.mark.parametrize("body", [{}, {"items": []}, {"items": [{"n": None}]}, {"items": {"0": 1}}])
def test_a_save_that_finds_nothing_fails_the_check(body):
    """Later steps would miss the value, so the step that did not deliver it fails."""
    reply = reply_of(body)
    assert checks_of(saves={"number": "items[0].n"}).judge(reply, {}) == CHECK_FAILED
    assert reply.detail.startswith("save number: nothing at items[0].n in {")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"a":', b'{"a": "\xff"}', b"[" * 100_000],
    ids=["empty", "html", "torn", "not UTF-8", "endless"],
)
def test_a_body_that_is_not_json_fails_the_check(body):
    """Whatever a target sends, the call ends in a class; nothing is raised."""
    reply = reply_of(body)
    assert checks_of(equals={"a": 1}).judge(reply, {}) == CHECK_FAILED
    assert reply.detail.startswith("the reply is not JSON")
    assert len(reply.detail) < 400


def test_a_value_that_is_no_json_is_named_by_its_path():
    """The decoder's message counts bytes; a path helps the author of the tool more."""
    reply = reply_of(b'{"a": "\\ud83d"}')
    assert checks_of(equals={"a": 1}).judge(reply, {}) == CHECK_FAILED
    assert reply.detail.startswith(
        "the reply is not JSON (a: half of a surrogate pair is not text)"
    )


def test_a_body_that_nobody_looks_at_may_be_anything():
    """Without expectations on the body it is not decoded."""
    assert checks_of(statuses=(200,)).judge(reply_of(b"\xff"), {}) == OK


@pytest.mark.parametrize("expression", ["length(items)", "contains(name, 'a')", "sum(items)"])
def test_a_function_on_what_is_not_there_fails_the_check(expression):
    """JMESPath functions refuse null. That is the target's missing field, not our crash."""
    for options in ({"equals": {expression: 3}}, {"saves": {"n": expression}}):
        reply = reply_of({})
        assert checks_of(**options).judge(reply, {}) == CHECK_FAILED
        assert "In function" in reply.detail


@pytest.mark.parametrize(
    ("message", "outcome", "root"),
    [
        ({"result": {"a": 1}}, OK, {"a": 1}),
        ({"result": {"isError": True}}, TOOL_ERROR, {"isError": True}),
        ({"error": {"code": -32000}}, RPC_ERROR, {"code": -32000}),
        ({"error": {"code": -32029}}, RATE_LIMITED, {"code": -32029}),
        ({"result": {"isError": True}}, RATE_LIMITED, {"isError": True}),
        ({}, OK, None),
        ([1], OK, [1]),
    ],
)
def test_an_mcp_step_searches_the_result_or_the_error(message, outcome, root):
    """Expressions of a call start at its result; of an expected rpc_error, at the error."""
    assert result_root(reply_of(message, outcome=outcome)) == root


KEYS = st.sampled_from(["a", "b", "c"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
FIRST = st.one_of(KEYS, st.integers(-3, 3).map("[{}]".format))
LATER = st.one_of(KEYS.map(".{}".format), st.integers(-3, 3).map("[{}]".format))
PLAIN = st.builds(lambda first, later: first + "".join(later), FIRST, st.lists(LATER, max_size=4))


@given(PLAIN, JSON)
@example("a[-1].b", {"a": [1, {"b": 2}]})
@example("[0]", {"a": 1})
@example("a", [1])
def test_the_short_cut_for_plain_paths_finds_what_jmespath_finds(expression, tree):
    """Fields and indices are walked by hand, and the result is jmespath's own."""
    get = getter(expression)
    assert (get.__name__ == "search") is expression.startswith("[")
    assert get(tree) == jmespath.search(expression, tree)


@pytest.mark.parametrize(
    "expression",
    ["a[*].b", "a[?b == `1`].c", "length(a)", "a || b", "{x: a}", "a[0:2]", '"a-b".c', "a.*", "@"],
)
@given(tree=JSON)
def test_every_other_expression_is_jmespaths(expression, tree):
    """Anything more than a path is left to jmespath, including its errors."""

    def outcome(search):
        try:
            return search(tree)
        except jmespath.exceptions.JMESPathError as error:
            return str(error)

    assert outcome(getter(expression)) == outcome(jmespath.compile(expression).search)


FOUND = {"text": "Order 17 is placed", "n": 5, "list": [1, {"a": 1}], "object": {"a": 1, "b": [2]}}
EXPECTED = [
    # the expectation, and the message if it is not met
    ({"contains": {"text": "17"}}, ""),
    ({"contains": {"text": "${number}"}}, ""),
    (
        {"contains": {"text": "18"}},
        'expect text: found "Order 17 is placed", expected it to contain "18"',
    ),
    ({"contains": {"text": 17}}, "expected it to contain 17"),
    ({"contains": {"list": {"a": 1.0}}}, ""),
    ({"contains": {"list": True}}, "expected it to contain true"),
    ({"contains": {"object": {"b": [2]}}}, ""),
    ({"contains": {"object": {"b": [3]}}}, "expected it to contain"),
    ({"contains": {"object": {"c": None}}}, "expected it to contain"),
    ({"contains": {"n": 5}}, "expect n: found 5, expected it to contain 5"),
    ({"matches": {"text": "^Order [0-9]{1,3} is"}}, ""),
    ({"matches": {"text": "(?i)order \\d+ IS"}}, ""),
    ({"matches": {"text": "^17{2}"}}, 'expected it to match "^17{2}"'),
    ({"matches": {"n": "5"}}, 'expect n: found 5, expected it to match "5"'),
    ({"exists": ["text", "object.a"]}, ""),
    ({"exists": "object.c"}, "expect object.c: found null, expected something; the reply has"),
    ({"less": {"n": 5.1}, "greater": {"n": 4}}, ""),
    ({"less": {"n": 5}}, "expect n: found 5, expected less than 5"),
    ({"greater": {"n": "${number}"}}, "expect n: found 5, expected more than 17"),
    ({"greater": {"text": 1}}, "expected more than 1"),
    ({"less": {"object.b": 3}}, "expected less than 3"),
    ({"length": {"text": 18, "list": 2, "object": 2}}, ""),
    ({"length": {"list": 3}}, "expect list: found 2, expected a length of 3"),
    ({"length": {"n": 1}}, "expect n: found 5, expected a length of 1"),
    ({"holds": ["n > `4`", "length(list) == `2`", "n"]}, ""),
    ({"holds": "n > `5`"}, "expect n > `5`: found false, expected it to be true"),
    ({"holds": "object.c"}, "expected it to be true"),
    ({"holds": "list[5:]"}, "found [], expected it to be true"),
    ({"equals": {"n": 5}, "exists": "nothing"}, "expect nothing: found null"),
]


@pytest.mark.parametrize(("expect", "said"), EXPECTED)
def test_what_is_expected_is_met_or_said(expect, said):
    """Each kind of expectation, by what meets it and by its message for anything else."""
    reply = reply_of(FOUND)
    values = {"number": "17" if "contains" in expect else 17}
    assert checks_of(expect=expect).judge(reply, values) == (CHECK_FAILED if said else OK)
    assert said in reply.detail


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("hello", True),
        ("hell", False),
        ({"contains": "ell"}, True),
        ({"contains": "${word}"}, True),
        ({"matches": "^h.*o$"}, True),
        ({"matches": "^e"}, False),
        ({"equals": "hello", "contains": "x"}, False),
    ],
)
def test_the_text_of_the_first_content_block_needs_no_path(text, met):
    """Most tools answer with it."""
    blocks = [{"type": "text", "text": "hello"}, {"type": "text", "text": "x"}]
    reply = reply_of({"result": {"content": blocks}})
    found = checks_of(result_root, expect={"text": text}).judge(reply, {"word": "hel"})
    assert (found == OK) is met
    image = reply_of({"result": {"content": [{"type": "image", "data": ""}]}})
    assert (
        checks_of(result_root, expect={"text": text}).judge(image, {"word": "hel"}) == CHECK_FAILED
    )


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "(a|a)*b", "(a*)*(a*)*b", "([a-z]+)*!", "(.*a){20}"]
)
def test_no_pattern_can_hang(pattern):
    """Patterns that hang other engines take no more steps here than the text has characters."""
    checks = checks_of(expect={"matches": {"x": pattern}})
    assert checks.judge(reply_of({"x": "a" * 40 + "!?"}), {}) in (OK, CHECK_FAILED)
    long = reply_of({"x": "a" * MOST_MATCHED + "?"})
    assert checks.judge(long, {}) == CHECK_FAILED
    assert f"at most {MOST_MATCHED} can be matched" in long.detail
