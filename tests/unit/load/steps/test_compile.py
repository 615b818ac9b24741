"""From a scenario to steps that run: constants are made once, and odd schemas are accepted."""

import socket
from pathlib import Path

import pytest

from mcp_perf.client.http.endpoint import USER_AGENT, Endpoint
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.load.steps.compile import compile_journeys, unchecked, validator
from mcp_perf.load.steps.mcp import CancelledStep, ProgressStep, RequestStep
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.steps.step import HttpStep, ToolStep, WaitStep
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.scenario.loader import load_text

ECHO = {
    "type": "object",
    "properties": {"message": {"type": "string"}, "count": {"type": "integer", "minimum": 1}},
    "required": ["message"],
}

SCENARIO = """\
name: demo
title: A demo
vars: {greeting: hello, account: AC1}
arms:
  rest: {http: "http://127.0.0.1:1/api", headers: {X-Key: k, Accept: text/plain}}
  mcp: {mcp: "http://127.0.0.1:2/mcp"}
journeys:
  first:
    weight: 2
    tags: [fast]
    with: {n: {int: {min: 1, max: 9}}, text: x y, nothing: null}
    rest: [REST]
    mcp: [MCP]
  second:
    tags: [slow, rare]
    rest: [{get: /b}]
    mcp: [{call: echo, arguments: {message: b}}]
"""


class Compiled:
    """A scenario, compiled against targets that nobody reaches."""

    def __init__(self, rest="{get: /a}", mcp="{call: echo, arguments: {message: a}}", **options):
        text = SCENARIO.replace("REST", rest).replace("MCP]", mcp + "]")
        loaded = load_text(text, "demo.yaml", Path(), environ={})
        schema, task = options.pop("schema", ECHO), options.pop("task", False)
        others = options.pop("others", ())
        self.recorder = Recorder("local", lambda _records: None)
        headers = {"X-Key": "k", "Accept": "text/plain"}
        known = {"greeting": "hello", "account": "AC1"}
        targets = {
            "rest": ArmTarget(
                "rest", "http", "", Endpoint.of("http://127.0.0.1:1/api", headers=headers), known
            ),
            "mcp": ArmTarget(
                "mcp",
                "mcp",
                "",
                Endpoint.of("http://127.0.0.1:2/mcp"),
                known,
                "2026-07-28",
                {"echo": Tool("echo", schema, may_be_task=task, other_schemas=others)},
            ),
        }
        self.journeys = compile_journeys(loaded, targets, self.recorder, **options)
        self.unchecked = unchecked(loaded, targets)

    @property
    def rest(self):
        """Return the first journey's first step by REST."""
        return self.journeys[0].steps["rest"][0]

    @property
    def mcp(self):
        """Return the first journey's first step by MCP."""
        return self.journeys[0].steps["mcp"][0]

    def sent(self, **values):
        """Return the bytes that the first REST step sends."""
        return self.rest.request.render(values)


def test_journeys_keep_their_names_weights_and_order():
    """Each journey has steps and a track for every arm."""
    first, second = Compiled().journeys
    assert (first.name, first.weight, second.name, second.weight) == ("first", 2.0, "second", 1.0)
    assert {arm: track.kind for arm, track in first.tracks.items()} == {
        "rest": "journey",
        "mcp": "journey",
    }
    assert isinstance(first.steps["rest"][0], HttpStep)
    assert isinstance(first.steps["mcp"][0], ToolStep)


# HTTP.


def test_a_request_without_lookups_is_constant():
    """It is encoded once, for all users and journeys."""
    compiled = Compiled("{get: /a, query: {x: 1}, headers: {X-B: c}}")
    assert compiled.rest.encoded == (
        b"GET /api/a?x=1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"
        b"User-Agent: " + USER_AGENT.encode() + b"\r\n"
        b"Accept-Encoding: identity\r\nX-B: c\r\nX-Key: k\r\nAccept: text/plain\r\n\r\n"
    )


def test_a_request_whose_names_are_all_known_is_constant():
    """Variables of the scenario, of the target, and the arm's name are known now."""
    compiled = Compiled('{get: "/${account}/${greeting}", query: {arm: "${arm}"}}')
    assert compiled.rest.encoded.startswith(b"GET /api/AC1/hello?arm=rest HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("step", "line"),
    [
        ('{get: "/a/${n}"}', b"GET /api/a/7 "),
        ('{get: /a, query: {n: "${n}"}}', b"GET /api/a?n=7 "),
        ('{get: "/a?b=1", query: {n: "${n}"}}', b"GET /api/a?b=1&n=7 "),
        ('{delete: "/a/${user}"}', b"DELETE /api/a/3 "),
        ('{get: /a, query: {n: ["${n}", 2]}}', b"GET /api/a?n=7&n=2 "),
        ('{get: /a, query: {n: "${n}", no: "${nothing}"}}', b"GET /api/a?n=7 "),
        ('{get: "/a/${text}"}', b"GET /api/a/x%20y "),
    ],
)
def test_a_request_that_depends_on_the_journey_is_built_for_each(step, line):
    """A lookup that only a journey can answer keeps the request open."""
    compiled = Compiled(step)
    assert compiled.rest.encoded is None
    assert compiled.sent(n=7, user=3, nothing=None, text="x y").startswith(line)


def test_a_value_cannot_break_out_of_the_request_line():
    """A value that came from a target is quoted in a path."""
    sent = Compiled('{get: "/a/${n}"}').sent(n="x HTTP/1.1\r\nEvil: 1")
    assert sent.startswith(b"GET /api/a/x%20HTTP/1.1%0D%0AEvil:%201 HTTP/1.1\r\nHost")


def test_only_what_depends_on_the_journey_is_built_anew():
    """The other parts of a dynamic request are constant bytes."""
    request = Compiled('{post: /a, json: {n: "${n}"}}').rest.request
    assert isinstance(request.line, bytes)
    assert isinstance(request.fields, bytes)
    assert request.body({"n": 7}) == b'{"n":7}'


def test_a_form_is_a_form():
    """A form is encoded as one, and says so."""
    head, _, body = (
        Compiled('{post: /a, form: {n: "${n}", yes: true}}').sent(n=7).partition(b"\r\n\r\n")
    )
    assert body == b"n=7&yes=true"
    assert b"Content-Type: application/x-www-form-urlencoded\r\n" in head
    assert b"Content-Length: 12" in head


def test_a_json_body_is_json_and_the_file_may_say_otherwise():
    """The content type is set unless the step sets it."""
    head, _, body = Compiled("{post: /a, json: {n: [1, null]}}").sent().partition(b"\r\n\r\n")
    assert body == b'{"n":[1,null]}'
    assert b"Content-Type: application/json\r\n" in head
    own = Compiled("{post: /a, json: 1, headers: {Content-Type: text/x}}").sent()
    assert own.count(b"Content-Type") == 1
    assert b"Content-Type: text/x\r\n" in own


@pytest.mark.parametrize(
    ("verb", "length"), [("post", 1), ("put", 1), ("patch", 1), ("get", 0), ("delete", 0)]
)
def test_a_verb_that_has_a_body_says_that_it_is_empty(verb, length):
    """Servers refuse a POST without a length."""
    assert Compiled(f"{{{verb}: /a}}").sent().count(b"Content-Length: 0\r\n") == length


# MCP.


def test_constant_arguments_become_part_of_the_call():
    """They are encoded once per client."""
    step = Compiled(mcp='{call: echo, arguments: {message: "${greeting}"}}').mcp
    assert step.prepared.arguments == {"message": "hello"}
    assert step.arguments is None


def test_arguments_that_depend_on_the_journey_stay_open():
    """They come with each call."""
    step = Compiled(mcp='{call: echo, arguments: {message: "no ${n}"}}').mcp
    assert step.prepared.arguments is None
    assert step.arguments.render({"n": 7}) == {"message": "no 7"}


def test_constant_arguments_that_the_schema_forbids_are_refused_call_by_call():
    """They stay arguments of each call, so that every refusal is counted."""
    step = Compiled(mcp="{call: echo, arguments: {message: 5}}").mcp
    assert step.prepared.arguments is None
    assert "message" in step.is_valid(step.arguments.render({}))


def test_expectations_and_ways_of_a_step_are_kept():
    """Timeout, going on, and its own name."""
    compiled = Compiled(
        "{get: /a, name: all, timeout: 2s, on_error: continue, expect: {status: 404}}",
        "{call: echo, arguments: {message: a}, expect: {class: tool_error}, save: {x: content}}",
    )
    assert (compiled.rest.timeout_s, compiled.rest.goes_on) == (2.0, True)
    assert compiled.rest.track.name == "all"
    assert compiled.rest.checks.statuses == (404,)
    assert compiled.mcp.checks.accepted == ("tool_error",)
    assert compiled.mcp.track.name == "tools/call echo"
    assert (compiled.mcp.timeout_s, compiled.mcp.goes_on) == (None, False)


def test_a_call_is_counted_by_its_journey_and_its_tool_whatever_its_name():
    """So gates can tell apart what reports have under one label."""
    compiled = Compiled(mcp="{call: echo, name: say, arguments: {message: a}}")
    track, other = (journey.steps["mcp"][0].track for journey in compiled.journeys)
    assert (track.name, track.journey, track.tool) == ("say", "first", "echo")
    assert (other.name, other.journey, other.tool) == ("tools/call echo", "second", "echo")
    assert (compiled.rest.track.journey, compiled.rest.track.tool) == ("first", "")


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("{call: echo, arguments: {message: a}, WITH}", ToolStep),
        ("{call: echo, arguments: {message: a}, cancel_after: 1s, WITH}", CancelledStep),
        ('{read: "a:b", WITH}', RequestStep),
        ("{prompt: greet, WITH}", RequestStep),
    ],
)
def test_a_step_that_asks_for_progress_counts_silent_calls_beside_what_it_does(step, kind):
    """Only such a step is wrapped in the step that counts them."""
    plain = Compiled(mcp=step.replace(", WITH", "")).mcp
    asking = Compiled(mcp=step.replace("WITH", "progress: true, on_error: continue")).mcp
    assert (type(plain), type(asking), type(asking._step)) == (kind, ProgressStep, kind)
    assert (asking.track.name, asking.goes_on) == (plain.track.name, True)


def test_a_wait_is_a_wait_on_every_arm():
    """It makes no call."""
    step = Compiled("{wait: 2s}").rest
    assert isinstance(step, WaitStep)
    assert step.seconds == 2.0


# Schemas.


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"message": "a", "count": 2}, ""),
        ({"message": "a", "other": 1}, ""),
        ({}, '"message" is a required property'),
        ({"message": 5}, '5 is not of type "string"'),
        ({"message": "a", "count": 0}, "0 is less than the minimum of 1"),
    ],
)
def test_arguments_are_held_against_the_tools_schema(arguments, problem):
    """The message names the tool, the argument, and the reason."""
    said = validator(Tool("echo", ECHO))(arguments)
    assert problem in said
    assert bool(said) is bool(problem)
    if problem:
        assert said.startswith("tool echo: ")
        assert said.endswith("(by the tool's inputSchema)")


def test_a_problem_deep_in_the_arguments_is_named_by_its_path():
    """The path is written as in the scenario file."""
    schema = {"properties": {"a": {"items": {"properties": {"b": {"type": "string"}}}}}}
    said = validator(Tool("t", schema))({"a": [{"b": "x"}, {"b": 1}]})
    assert said.startswith("tool t: a.1.b: ")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "no such type"},
        {"type": 5},
        {"properties": []},
        {"pattern": "("},
        {"properties": {"a": {"pattern": "(?<"}}},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"properties": {"a": {"$ref": "https://example.invalid/s"}}},
        {"$ref": "file:///etc/hostname"},
        {"$ref": "#/$defs/nowhere"},
        {"$schema": "https://example.invalid/dialect"},
        {"$schema": "http://json-schema.org/draft-99/schema#"},
    ],
    ids=str,
)
def test_a_schema_that_is_broken_or_points_elsewhere_checks_nothing(schema):
    """The server's own answer will show it; nothing is fetched, no file is read, nothing breaks."""
    assert validator(Tool("t", schema))({"a": 1}) == ""


def test_a_server_cannot_make_us_read_files(tmp_path):
    """A schema that points at a file of this machine does not get it, although it would fit."""
    file = tmp_path / "schema.json"
    file.write_text('{"type": "string"}')
    schema = {"properties": {"a": {"$ref": file.as_uri()}}}
    assert validator(Tool("t", schema))({"a": 1}) == ""


def test_a_server_cannot_make_us_fetch_addresses():
    """A schema that points at another server sends no request there."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0)
        address = f"http://127.0.0.1:{other.getsockname()[1]}/schema.json"
        validator(Tool("t", {"$ref": address}))({"a": 1})
        with pytest.raises(BlockingIOError):
            other.accept()


def test_an_unknown_keyword_is_let_be():
    """A schema may hold more than JSON Schema knows; the rest of it still counts."""
    schema = {"x-mcp-header": "A", "x-own": {"y": 1}, "required": ["a"]}
    validate = validator(Tool("t", schema))
    assert validate({"a": 1}) == ""
    assert "required" in validate({})


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"$schema": "urn:our-own", "type": "object"}, "its $schema is 'urn:our-own'"),
        ({"$ref": "http://127.0.0.1:1/elsewhere"}, "http://127.0.0.1:1/elsewhere is not fetched"),
    ],
)
def test_arguments_that_are_not_checked_are_told_once(schema, why):
    """A schema of an unknown dialect checks nothing, and a note says so; two steps need one."""
    for listed in ({"schema": schema}, {"others": (ECHO, schema)}):
        [line] = Compiled(**listed).unchecked
        told = "The arguments of echo (mcp) are not checked, because its inputSchema cannot be used"
        assert line.startswith(told)
        assert why in line
    assert Compiled().unchecked == []


@pytest.mark.parametrize(
    ("may_be_task", "step", "ttl_ms"),
    [(False, "", 0), (True, "", 10_000), (True, ", timeout: 1500ms", 1500)],
)
def test_a_task_is_kept_as_long_as_somebody_waits(may_be_task, step, ttl_ms):
    """The step's timeout counts, or else the arm's; other tools are called as ever."""
    made = Compiled(mcp=f"{{call: echo, arguments: {{message: a}}{step}}}", task=may_be_task)
    assert made.mcp.prepared.task_ttl_ms == ttl_ms


def test_a_reference_within_the_schema_is_followed():
    """Only references to something outside are not followed."""
    schema = {"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}
    validate = validator(Tool("t", schema))
    assert validate({"a": 1}) == ""
    assert "integer" in validate({"a": "x"})


def test_arguments_of_a_tool_that_is_listed_twice_fit_either_schema():
    """If they fit neither, the message comes from the first."""
    text, number = ({"properties": {"a": {"type": kind}}} for kind in ("string", "integer"))
    check = validator(Tool("t", text, other_schemas=(number,)))
    assert [check({"a": "x"}), check({"a": 1})] == ["", ""]
    assert "not of type" in check({"a": None})
