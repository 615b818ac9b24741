"""From a scenario's answers and requests to the client's parameters."""

from pathlib import Path

import pytest

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.protocol.answers import Responder
from mcp_perf.load.steps.compile import asked
from mcp_perf.load.targets.answers import own_script, script_of
from mcp_perf.load.targets.personal import Personal
from mcp_perf.load.targets.targets import ArmTarget, unspoken
from mcp_perf.scenario.loader import load_text

FILE = """
name: demo
title: Demo
arms:
  one: {mcp: "http://127.0.0.1:1/mcp"}
  two: {mcp: "http://127.0.0.1:1/mcp"}
journeys:
  first:
    answers: {elicitation: {content: {a: 1}}, roots: ["file:///a"]}
    one:
      - {call: echo}
      - {call: echo, answers: {elicitation: {action: cancel}}}
      - {call: echo, answers: {sampling: {text: hi, model: m}}}
    two: [{ping: true}]
  second:
    one: [{call: echo, answers: {roots: ["file:///b"]}}]
    two: [{call: echo}]
"""
MESSAGE = {
    "role": "assistant",
    "content": {"type": "text", "text": "hi"},
    "model": "m",
    "stopReason": "endTurn",
}
FORM = {"action": "accept", "content": {"a": 1}}


@pytest.fixture
def loaded():
    """Load the file."""
    return load_text(FILE, "demo.yaml", Path(), environ={})


def test_an_arm_declares_what_any_of_its_steps_answers(loaded) -> None:
    """A session is opened once, so it declares the capabilities of all journeys."""
    assert script_of("one", loaded) == Responder(
        elicitation=FORM, sampling=MESSAGE, roots=[{"uri": "file:///a"}]
    )
    assert script_of("two", loaded).capabilities == {
        "elicitation": {"form": {}, "url": {}},
        "roots": {},
    }


def test_a_step_answers_by_its_own_script_first(loaded) -> None:
    """What it does not say comes from its journey."""
    journey = loaded.scenario.journeys["first"]
    plain, cancels, talks = (own_script(step, journey.answers) for step in journey.of("one"))
    roots = [{"uri": "file:///a"}]
    assert plain == Responder(elicitation=FORM, roots=roots)
    assert cancels == Responder(elicitation={"action": "cancel", "content": {}}, roots=roots)
    assert talks == Responder(elicitation=FORM, sampling=MESSAGE, roots=roots)


def test_a_step_without_answers_has_no_script(loaded) -> None:
    """It then answers as its client does."""
    journey = loaded.scenario.journeys["second"]
    assert own_script(journey.of("two")[0], journey.answers) is None


@pytest.mark.parametrize(
    ("step", "method", "params"),
    [
        ("{read: 'res://a'}", "resources/read", {"uri": "res://a"}),
        (
            "{prompt: greet, arguments: {name: x}}",
            "prompts/get",
            {"name": "greet", "arguments": {"name": "x"}},
        ),
        (
            "{complete: {prompt: greet, argument: name, value: A, context: {b: c}}}",
            "completion/complete",
            {
                "ref": {"type": "ref/prompt", "name": "greet"},
                "argument": {"name": "name", "value": "A"},
                "context": {"arguments": {"b": "c"}},
            },
        ),
        (
            "{complete: {resource: 'res://{id}', argument: id}}",
            "completion/complete",
            {
                "ref": {"type": "ref/resource", "uri": "res://{id}"},
                "argument": {"name": "id", "value": ""},
            },
        ),
        ("{ping: true}", "ping", {}),
    ],
)
def test_each_action_is_a_method(step, method, params) -> None:
    """The params are as in the specification."""
    text = FILE.replace("{ping: true}", step)
    scenario = load_text(text, "demo.yaml", Path(), environ={}).scenario
    assert asked(scenario.journeys["first"].of("two")[0]) == (method, params)


def test_an_arm_without_auth_has_no_credentials(loaded) -> None:
    """No token is asked for, and the library for it is not imported."""
    assert Personal(loaded.scenario.arms["one"], loaded).credentials({}) is None


@pytest.mark.parametrize(("version", "lines"), [("2026-07-28", 1), ("2025-11-25", 0)])
def test_a_ping_is_refused_where_there_is_none(loaded, version, lines) -> None:
    """There is a problem for each journey, with the arm that has the step."""
    endpoint = Endpoint.of("http://127.0.0.1:1/mcp")
    targets = {
        name: ArmTarget(name, "mcp", "", endpoint, {}, version=version) for name in ("one", "two")
    }
    problems = unspoken(loaded, targets)
    assert len(problems) == lines
    assert all("journey first, arm two" in problem for problem in problems)


@pytest.mark.parametrize("key", ["stream", "no_delete"])
@pytest.mark.parametrize(("version", "lines"), [("2026-07-28", 1), ("2025-11-25", 0)])
def test_what_sessions_do_is_refused_where_there_are_none(version, lines, key, tmp_path) -> None:
    """A server that is asked for its version may turn out to speak the one without sessions."""
    text = FILE.replace("two: {mcp: ", f"two: {{{key}: true, mcp: ")
    assert text != FILE
    loaded = load_text(text, "demo.yaml", tmp_path, environ={})
    endpoint = Endpoint.of("http://127.0.0.1:1/mcp")
    targets = {
        name: ArmTarget(name, "mcp", "", endpoint, {}, version=version) for name in ("one", "two")
    }
    problems = [problem for problem in unspoken(loaded, targets) if key in problem]
    assert len(problems) == lines
    assert all("arm two" in problem and "2025-11-25" in problem for problem in problems)
