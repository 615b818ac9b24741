"""Arguments that a schema forbids are found before any load; drawn ones need many draws."""

from pathlib import Path

import pytest

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.load.prepare.draws import DRAWS, misfits
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.scenario.loader import load_text

SCHEMA = {
    "type": "object",
    "properties": {
        "message": {"type": "string", "maxLength": 12},
        "count": {"type": "integer", "minimum": 1},
    },
    "required": ["message"],
    "additionalProperties": False,
}
SCENARIO = """\
name: demo
title: A demo
vars: {greeting: hello}
arms:
  mcp: {mcp: "http://127.0.0.1:2/mcp"}
journeys:
  first:
    with: WITH
    mcp:
      - call: echo
        arguments: FIRST
        save: {said: content}
      - parallel:
          - call: echo
            arguments: SECOND
          - ping: true
"""


def found(first="{message: a}", second="{message: b}", with_="{n: 1}", identities=(), more=""):
    """Return the problems of a scenario with these arguments."""
    text = SCENARIO.replace("FIRST", first).replace("SECOND", second).replace("WITH", with_)
    loaded = load_text(text + more, "demo.yaml", Path(), environ={})
    known = {"greeting": "hello", "run": "r"}
    where = Endpoint.of("http://127.0.0.1:2/mcp")
    target = ArmTarget("mcp", "mcp", "", where, known, "2025-11-25", {"echo": Tool("echo", SCHEMA)})
    return misfits(loaded, {"mcp": target}, identities)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("{message: 5}", 'message: 5 is not of type "string"'),
        ("{}", 'all of it: "message" is a required property'),
        ("{message: x, loud: true}", "all of it: Additional properties are not allowed"),
        ('{message: "${greeting}", count: 0}', "count: 0 is less than the minimum of 1"),
    ],
)
def test_arguments_that_can_never_fit_are_found_with_their_line(arguments, words):
    """The schema's own words say what is wrong, also in a burst."""
    [line] = found(arguments)
    assert line.startswith(f"demo.yaml:11: tool echo: {words}"), line
    assert line.endswith("(by the tool's inputSchema)")
    [line] = found(second=arguments)
    assert line.startswith(f"demo.yaml:15: tool echo: {words}"), line


def test_arguments_that_fit_are_fine():
    """So are drawn arguments, and names of the run."""
    with_ = '{n: {int: {min: 1, max: 9}}, text: {template: "m-${seq}"}}'
    drawn = '{message: "${text}", count: "${n}"}'
    assert found(drawn, '{message: "${arm} ${user} ${run}"}', with_) == []


def test_arguments_that_fit_only_sometimes_are_found_by_many_draws():
    """One of fifty values is wrong; the message says in which draw."""
    with_ = "{n: {int: {min: 0, max: 50}}}"
    [line] = found('{message: x, count: "${n}"}', with_=with_)
    assert "demo.yaml:11: tool echo: count: 0 is less than the minimum of 1" in line
    number = int(line.rpartition(" - in draw ")[2].removesuffix(f" of {DRAWS}"))
    assert 1 < number <= DRAWS


def test_what_grows_is_followed_over_the_draws():
    """A text with a counter in it gets longer."""
    [line] = found('{message: "message-1-${seq}"}', with_="{n: 1}")
    assert line.endswith(f"in draw 100 of {DRAWS}")


def test_a_value_that_an_earlier_step_saves_is_not_known_yet():
    """Such arguments are not checked before the run."""
    assert found(second='{message: "${said}", loud: true}') == []


def test_a_value_that_cannot_be_looked_up_is_found():
    """A value that cannot even be drawn is left to the calls."""
    [line] = found('{message: "${n.name}"}')
    assert line.startswith("demo.yaml:11: ${n.name} has no value")
    assert found('{message: "${text}"}', with_='{text: {template: "${greeting.x}"}}') == []


def test_each_identity_is_tried(tmp_path, monkeypatch):
    """The first users are tried with the identities that they get in the run."""
    monkeypatch.chdir(tmp_path)
    Path("users.csv").write_text("name\nann\na-name-that-is-too-long\n")
    identities = [{"name": "ann"}, {"name": "a-name-that-is-too-long"}]
    more = "identities: {csv: users.csv}\nload: {users: 2}\n"
    [line] = found('{message: "${identity.name}"}', identities=identities, more=more)
    assert line.endswith(f"in draw 2 of {DRAWS}")
    assert found('{message: "${identity.name}"}', identities=identities[:1], more=more) == []
