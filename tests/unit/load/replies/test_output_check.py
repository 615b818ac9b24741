"""Results are checked by their outputSchema: which ones, and with which messages."""

import msgspec
import pytest

from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import Reply
from mcp_perf.load.replies.cpu_share import CpuShare
from mcp_perf.load.replies.expected import expectations
from mcp_perf.load.replies.output_check import CompiledSchema, OutputCheck
from mcp_perf.load.steps.checks import Checks, result_root
from mcp_perf.load.steps.compile import output_check
from mcp_perf.load.steps.recorder import Track
from mcp_perf.outcomes import CHECK_FAILED, OK, TOOL_ERROR
from mcp_perf.scenario.model.steps import Expect
from mcp_perf.scenario.values.templates import compile_template
from tests.support.costs import Costs

NUMBER = {
    "type": "object",
    "properties": {"value": {"type": "number"}},
    "required": ["value"],
}


class Step:
    """The checks of a step whose tool promises a number."""

    def __init__(self, *, look_us=1, call_us=100, **options):
        self.costs = Costs(look_us=look_us, call_us=call_us)
        self.track = Track("mcp", "call", "ask")
        share = CpuShare(0.2, lambda: self.costs.calls, self.costs.process, self.costs.thread)
        schema = CompiledSchema(NUMBER, "structuredContent", "outputSchema")
        is_valid = schema.is_valid

        def costly(value):
            self.costs.look()
            return is_valid(value)

        schema.is_valid = costly
        output = OutputCheck(schema, self.track, share)
        wanted = Expect(equals=options.pop("equals", {}))
        expects = [*expectations(wanted, compile_template)]
        self.checks = Checks(result_root, output=output, expects=expects, **options)

    def judge(self, body, outcome=OK):
        """Judge one reply; return its class and the message."""
        reply = Reply(0)
        reply.status = 200
        reply.body = body if isinstance(body, bytes) else msgspec.json.encode({"result": body})
        if outcome != OK:
            reply.fail(outcome, "")
        cls = self.checks.judge(reply, {})
        self.costs.call()
        return cls, reply.detail


GOOD = {"content": [], "structuredContent": {"value": 1}}
BAD = {"content": [], "structuredContent": {"value": "1"}}


@pytest.mark.parametrize(
    ("body", "expected", "words"),
    [
        (GOOD, OK, ""),
        (BAD, CHECK_FAILED, 'structuredContent: value: "1" is not of type "number"'),
        ({"structuredContent": {"value": None}}, CHECK_FAILED, "structuredContent: value: null"),
        ({"structuredContent": None}, CHECK_FAILED, "structuredContent: all of it: null"),
        ({"content": []}, CHECK_FAILED, "no structuredContent"),
        (
            b'{"result": {"structuredContent": {"value": 1e400}}}',
            CHECK_FAILED,
            "structuredContent: value: a number too large for JSON readers",
        ),
        (b'{"result": {"structuredContent": ', CHECK_FAILED, "the reply is not JSON"),
    ],
)
def test_a_result_that_breaks_its_tools_output_schema_fails(body, expected, words):
    """A server has to keep the shape that it promises, even if the scenario expects nothing."""
    cls, detail = Step().judge(body)
    assert cls == expected
    assert words in detail


@pytest.mark.parametrize("result", [GOOD, BAD, {"content": []}])
def test_an_expectation_next_to_it_changes_nothing(result):
    """A result that is decoded for expectations is checked like any other."""
    plain, beside = Step(), Step(equals={"content": []})
    assert plain.judge(result) == beside.judge(result)
    assert beside.track.checked == 1


def test_a_result_that_is_none_is_said_to_have_no_structured_content():
    """The message is the same whatever comes instead of an object."""
    step = Step(equals={"x": 1})
    assert "all of it: null" in step.judge(b'{"result": []}')[1]


def test_every_result_is_checked_while_that_costs_little():
    """A tool whose every result breaks its schema fails at every call."""
    step = Step(look_us=5, call_us=100)
    seen = [step.judge(BAD)[0] for _ in range(5000)]
    assert set(seen) == {CHECK_FAILED}
    assert (step.track.checked, step.track.violations, step.track.unchecked) == (5000, 5000, 0)


def test_results_whose_checks_would_cost_too_much_are_sampled_and_counted():
    """Checked and unchecked results add up to all results that were ok or broke their schema."""
    step = Step(look_us=200, call_us=100)
    seen = [step.judge(BAD)[0] for _ in range(20_000)]
    track = step.track
    assert track.checked + track.unchecked == 20_000
    assert track.checked == track.violations == seen.count(CHECK_FAILED)
    assert track.checked == pytest.approx(20_000 / 14, rel=0.2)
    assert step.costs.looked_us == pytest.approx(0.15 * 20_000 * 100, rel=0.2)


def test_a_result_that_fails_an_expectation_is_not_among_the_unchecked():
    """It is a failure already, so it does not count as a possible further one."""
    step = Step(look_us=200, call_us=100, equals={"structuredContent.value": 2})
    for _ in range(5000):
        assert step.judge(GOOD)[0] == CHECK_FAILED
    assert step.track.checked < 5000
    assert (step.track.violations, step.track.unchecked) == (0, 0)


def test_an_error_that_the_scenario_expects_is_not_checked():
    """The schema is for ok results only."""
    step = Step(accepted=(TOOL_ERROR,))
    assert step.judge({}, outcome=TOOL_ERROR)[0] == OK
    assert (step.track.checked, step.track.unchecked) == (0, 0)


def test_a_schema_that_is_itself_broken_checks_nothing():
    """The server's own answer will show it; nothing is fetched from anywhere."""
    for broken in ({"type": "no such type"}, {"$ref": "http://127.0.0.1:9/schema"}):
        with pytest.raises(ValueError, match=r"."):
            CompiledSchema(broken, "x", "outputSchema")
        tool = Tool("ask", {"type": "object"}, (), broken)
        assert output_check(tool, Track("mcp", "call", "ask"), None) is None


def test_a_result_that_is_nested_too_deeply_for_its_schema_is_not_checked():
    """With eight references to itself, a schema could keep the validator busy for ever."""
    again = {"properties": {"a": {"allOf": [{"$ref": "#"}] * 8}}, "type": "object"}
    schema = CompiledSchema(again, "structuredContent", "outputSchema")
    track = Track("mcp", "call", "ask")
    check = OutputCheck(schema, track, CpuShare(0.2, lambda: 0))
    value: object = {"a": 1}
    assert "is not of type" in check.of_result({"structuredContent": value})
    for _ in range(40):
        value = {"a": value}
    assert check.of_result({"structuredContent": value}) == schema(value) == ""
    assert (track.checked, track.unchecked) == (1, 1)


def test_more_violations_than_anybody_is_shown_are_not_explained_anew():
    """Explaining a violation takes longer than finding it."""
    step = Step()
    details = [step.judge({"structuredContent": {"value": str(n)}})[1] for n in range(40)]
    assert '"31" is not' in details[31]
    assert details[32:] == [details[31]] * 8
