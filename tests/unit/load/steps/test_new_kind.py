"""What a new kind of step needs: a model, a step that runs, and how one becomes the other."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.compile import ArmCompiler, compile_journeys
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.steps.step import CompiledStep
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.scenario.loader import ScenarioError, load_text
from mcp_perf.scenario.model.kinds import KINDS, kind
from mcp_perf.scenario.model.steps import Timed, WithArguments
from mcp_perf.scenario.schema import scenario_schema

FILE = """
name: levels
arms:
  mcp: {mcp: "http://127.0.0.1:1/mcp"}
  rest: {http: "http://127.0.0.1:1"}
journeys:
  talk:
    with: {area: web}
    mcp:
      - {call: a}
      - MCP
    rest: [{get: /}]
"""


LEVEL = kind(
    "level",
    Literal["debug", "error"],
    "`debug` or `error`: how much the server tells.",
    *(Timed, WithArguments),
    words="logging/setLevel {}",
    arm="mcp",
)
"""The row of the new kind in `scenario/model/kinds.py`."""


class LevelStep(CompiledStep):
    """The step that runs: one class in a file of `load/steps/`."""

    about = None

    def call(self, context):
        """Ask nobody."""
        reply = Reply(time.perf_counter_ns())
        return reply, f"ok, {self.about.render(context.values)['of']}"


def compile_level(compiler, step):
    """How the one becomes the other: one method and one line in `load/steps/compile.py`."""
    compiled = LevelStep(**compiler._terms(step))
    compiled.about = compiler._template(step.arguments)
    return compiled


@pytest.fixture(autouse=True)
def _added(monkeypatch):
    monkeypatch.setitem(KINDS, "level", LEVEL)
    monkeypatch.setitem(ArmCompiler.KINDS, "level", compile_level)


def loaded(step):
    """Load the file with a step."""
    return load_text(FILE.replace("MCP", step), "levels.yaml", Path(), environ={})


def test_a_new_kind_is_parsed_and_compiled():
    """From the file to a step that runs, with its label, its lookups and the keys of all calls."""
    file = loaded('{level: debug, arguments: {of: "${area}"}, on_error: continue}')
    place = Endpoint.of("http://127.0.0.1:1/mcp")
    tools = {"a": Tool("a", {})}
    target = ArmTarget("mcp", "mcp", "http://127.0.0.1:1/mcp", place, {}, tools=tools)
    [journey] = compile_journeys(file, {"mcp": target}, Recorder("local", lambda _records: None))
    _, compiled = journey.steps["mcp"]
    assert isinstance(compiled, LevelStep)
    assert compiled.track.name == "logging/setLevel debug"
    assert compiled.goes_on
    assert compiled.call(SimpleNamespace(values={"area": "web"}))[1] == "ok, web"


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{level: loud}", "'loud' is not allowed here - write debug or error"),
        ("{level: debug, argument: x}", "unknown key 'argument' - did you mean 'arguments'?"),
        ("{level: debug, query: {a: 1}}", "query is for HTTP steps, not for level"),
        ("{list: tools, arguments: {}}", "is for call, prompt, run and level steps, not for list"),
        ("{level: debug, call: a}", "the step has call and level in one step"),
        ('{level: debug, arguments: {of: "${nobody}"}}', "${nobody} has no value here"),
        ("{level: debug, timeout: 1}", "1 has no unit"),
    ],
)
def test_mistakes_in_a_new_kind_are_told(step, said):
    """Keys, values and names are checked by the model alone."""
    with pytest.raises(ScenarioError) as caught:
        loaded(step)
    assert said in str(caught.value)
    assert "levels.yaml:11" in str(caught.value)


def test_only_arms_that_can_do_it_have_a_new_kind():
    """The model says which arms."""
    with pytest.raises(ScenarioError, match="level is for mcp arms, and 'rest' is an http arm"):
        load_text(
            FILE.replace("{get: /}", "{level: debug}").replace("MCP", "{call: b}"), "x", Path()
        )


def test_the_schema_has_a_new_kind():
    """So editors know it; the tables of docs/reference/scenarios.md follow in the same way."""
    assert "level" in scenario_schema()["$defs"]["LevelStep"]["properties"]


def test_every_kind_is_compiled():
    """No kind is in only one table."""
    assert KINDS.keys() == ArmCompiler.KINDS.keys()
