"""Bursts and sessions in a file: what is allowed where, and which names are known when."""

import pytest

from mcp_perf.scenario.checks.sessions import MOST_AT_ONCE
from mcp_perf.scenario.checks.size import MOST_STEPS
from mcp_perf.scenario.model.steps import flat

FILE = """\
name: demo
title: A demo
arms:
  mcp: {mcp: "http://127.0.0.1:2/mcp"}
journeys:
  first:
    mcp:
"""


def steps(*lines: str) -> str:
    """Return a file of these steps, one a line from line 8 on."""
    return FILE + "".join(f"      - {line}\n" for line in lines)


def test_a_burst_holds_steps_that_keep_their_order(accept):
    """Each is a step like any other, with its own label; `flat` puts them in the burst's place."""
    loaded = accept(
        steps("{parallel: [{call: a}, {call: b, on_error: continue}, {read: r}]}", "call: c")
    )
    burst, after = loaded.scenario.journeys["first"].of("mcp")
    assert (burst.action, after.label) == ("parallel", "tools/call c")
    labels = [step.label for step in flat((burst, after))]
    assert labels == ["tools/call a", "tools/call b", "resources/read r", "tools/call c"]
    assert [step.on_error for step in burst.parallel] == ["stop", "continue", "stop"]


def test_what_a_burst_saves_is_known_after_it(accept):
    """Steps after the burst may look up what any step of it saves."""
    burst = "{parallel: [{call: a, save: {x: p}}, {call: b, save: {y: q}}]}"
    assert accept(steps(burst, 'call: c\n        arguments: {x: "${x}", y: "${y}"}'))


WRONG = [
    # steps, line, words of the message, words of the hint
    (["{parallel: []}"], 8, "parallel: [] is empty", "at least one"),
    (["{parallel: {call: a}}"], 8, "is not a list", "dash"),
    (["{parallel: [5]}"], 8, "5 is not a mapping", "KEY: VALUE"),
    (["{parallel: [{call: a}], name: x}"], 8, "name is for single steps", "remove name"),
    (["{parallel: [{call: a}], save: {x: p}}"], 8, "save is for calls", "remove save"),
    (["{parallel: [{call: a}], on_error: continue}"], 8, "on_error is for calls", "remove"),
    (["{parallel: [{call: a}], call: a}"], 8, "call and parallel in one step", "exactly one"),
    (["{parallel: [{call: a, argument: 1}]}"], 8, "unknown key 'argument'", "'arguments'"),
    (["{parallel: [{call: a}, {wait: 1s}]}"], 8, "wait cannot be used in parallel", "before or"),
    (["{parallel: [{open: true}]}"], 8, "open cannot be used in parallel", "before the burst"),
    (["{parallel: [{close: true}]}"], 8, "close cannot be used in parallel", "after the burst"),
    (["{parallel: [{parallel: [{call: a}]}]}"], 8, "parallel cannot be used in", "one list"),
    (["{parallel: [{get: /a}]}"], 8, "get is for http arms", "call: TOOL"),
    (["{parallel: [{call: a, expect: {equals: {'a[': 1}}}]}"], 8, "is not JMESPath", "items"),
    (
        ["{parallel: [{call: a, save: {x: p}}, {call: b, save: {x: q}}]}"],
        8,
        "two steps of one parallel save x",
        "another name",
    ),
    (
        ['{parallel: [{call: a, save: {x: p}}, {call: b, arguments: {x: "${x}"}}]}'],
        8,
        "${x} has no value here",
        "after the burst",
    ),
    (
        ['{call: b, arguments: {x: "${x}"}}', "{parallel: [{call: a, save: {x: p}}]}"],
        8,
        "${x} has no value here",
        "a later step saves it",
    ),
    (
        [f"{{parallel: [{', '.join(['{call: a}'] * 101)}]}}"],
        8,
        "101 steps in one parallel",
        "at most 100",
    ),
    (["{open: false}"], 8, "false is not allowed here", "write true"),
    (["{close: keep}"], 8, "'keep' is not allowed here", "write true"),
    (["{open: true, timeout: 1s}"], 8, "timeout is for calls, not for open", "remove"),
    (["{open: true}", "call: a"], 8, "never closed", "close: true"),
    (["call: a", "close: true"], 8, "no session is open: the steps of", "open: true before"),
    (["close: true"], 8, "close, but no session is open", "open: true before"),
    (["open: true", "open: true", "close: true"], 9, "a session is open", "close: true"),
    (
        ["open: true", "close: true", "call: a"],
        10,
        "no session is open: the steps of",
        "open: true",
    ),
]


@pytest.mark.parametrize(("lines", "line", "message", "hint"), WRONG, ids=lambda v: str(v)[:40])
def test_a_wrong_burst_or_session_is_told_with_its_line(refuse, lines, line, message, hint):
    """The message says what is impossible, where it is, and what to write instead."""
    problems = refuse(steps(*lines))
    told = [(problem.line, problem.message, problem.hint) for problem in problems]
    assert any(at == line and message in said and hint in instead for at, said, instead in told), (
        told
    )


def test_every_journey_of_an_arm_opens_where_one_does(refuse):
    """Otherwise, a call of another journey would pay for a session that opens unasked."""
    text = steps("open: true", "call: a", "close: true")
    [problem] = refuse(text + "  second:\n    mcp: [{call: b}]\n")
    assert problem.line == 12
    assert "no session is open: the steps of" in problem.message


def test_a_shared_process_cannot_be_opened_by_one_user(refuse):
    """Its end would end everybody's calls."""
    text = steps("open: true", "call: a", "close: true")
    text = text.replace('{mcp: "http://127.0.0.1:2/mcp"}', "{mcp: {stdio: [x]}, process: shared}")
    [problem] = refuse(text)
    assert (problem.line, problem.hint) == (8, "remove open, or process: shared")
    assert problem.message == "open would end the process that all users of 'mcp' share"


def test_pauses_may_stand_around_a_session(accept):
    """A client may wait before it comes, while it is there, and after it has gone."""
    assert accept(steps("wait: 1s", "open: true", "wait: 1s", "close: true", "wait: 1s"))


def test_steps_within_steps_count(refuse):
    """Steps of bursts count towards the most steps of a file."""
    burst = f"{{parallel: [{', '.join(['{call: a}'] * MOST_AT_ONCE)}]}}"
    number = MOST_STEPS // MOST_AT_ONCE
    [problem] = refuse(steps(*[burst] * number))
    assert f"{number * (MOST_AT_ONCE + 1)} steps" in problem.message
