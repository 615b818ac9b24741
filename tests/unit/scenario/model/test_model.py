"""The model: what a valid file turns into, and its defaults."""

import pytest
from pydantic import ValidationError

FULL = """\
name: full
title: Everything at once
description: A long story.
seed: 7
env: [TOKEN]
vars: {region: eu}
arms:
  rest:
    http: https://example.org/api
    headers: {Authorization: "Bearer ${env:TOKEN}"}
    timeout: 2s
    tls: {verify: false}
    vars: {color: red}
  mcp: {mcp: "http://127.0.0.1:2/mcp", protocol: 2025-11-25}
journeys:
  first:
    weight: 2.5
    with: {x: {uuid: {}}}
    tags: [a, b]
    rest:
      - name: list
        get: /items/${x}
        query: {page: 1, tags: [a, b], deep: true}
        headers: {X-Color: "${color}"}
        save: {id: "items[0].id"}
        expect: {status: [200, 404], equals: {"items[0].x": "${x}"}}
        on_error: continue
        timeout: 500ms
      - wait: 250ms
      - {put: "/items/${id}", json: {a: [1]}}
      - {patch: /p, form: {a: 1}}
      - {delete: /d}
    mcp:
      - {call: list, arguments: {x: "${x}"}, expect: {class: [tool_error, rpc_error]}}
      - {call: get, expect: {class: ok, equals: {isError: false}}}
  second:
    steps: [{wait: 1s}]
load:
  {users: 9, rounds: 8, round: 1m, warmup: 0s, spawn_rate: 2.5,
   think: {min: 1s, max: 2s}}
gates: [mcp.p95 <= 2x rest]
limits: {generator_cpu: 80%, loop_lag_p99: 10ms, late_starts: 0.5%, drain: 1h}
"""


@pytest.fixture
def full(accept):
    """Load a scenario that uses every key."""
    return accept(FULL, environ={"TOKEN": "t"}).scenario


def test_arms_have_a_kind_and_an_address(full):
    """An arm is an http or an mcp one, with its own settings."""
    rest, mcp = full.arms["rest"], full.arms["mcp"]
    assert (rest.kind, rest.address, rest.protocol) == ("http", "https://example.org/api", "auto")
    assert (rest.timeout, rest.tls.verify, rest.vars) == (2, False, {"color": "red"})
    assert rest.headers == {"Authorization": "Bearer ${env:TOKEN}"}
    assert (mcp.kind, mcp.address, mcp.protocol) == ("mcp", "http://127.0.0.1:2/mcp", "2025-11-25")
    assert (mcp.timeout, mcp.tls.verify, mcp.tls.ca, mcp.headers) == (10, True, None, {})


def test_steps_have_an_action_a_subject_and_a_label(full):
    """A label is the name, or else what is called, with lookups as written."""
    journey = full.journeys["first"]
    assert [(step.action, step.subject, step.label) for step in journey.of("rest")] == [
        ("get", "/items/${x}", "list"),
        ("wait", 0.25, "wait"),
        ("put", "/items/${id}", "PUT /items/${id}"),
        ("patch", "/p", "PATCH /p"),
        ("delete", "/d", "DELETE /d"),
    ]
    assert [(step.action, step.subject, step.label) for step in journey.of("mcp")] == [
        ("call", "list", "tools/call list"),
        ("call", "get", "tools/call get"),
    ]


def test_a_step_holds_all_that_was_written(full):
    """Single values and lists of expectations become tuples; durations become seconds."""
    first, _, put, patch, _ = full.journeys["first"].of("rest")
    assert first.query == {"page": 1, "tags": ["a", "b"], "deep": True}
    assert first.save == {"id": "items[0].id"}
    assert first.expect.status == (200, 404)
    assert first.expect.equals == {"items[0].x": "${x}"}
    assert (first.on_error, first.timeout) == ("continue", 0.5)
    assert (put.json_, put.form, put.on_error, put.timeout) == ({"a": [1]}, None, "stop", None)
    assert (patch.json_, patch.form) == (None, {"a": 1})
    failing, fine = full.journeys["first"].of("mcp")
    assert failing.expect.class_ == ("tool_error", "rpc_error")
    assert (fine.expect.class_, fine.expect.equals) == (("ok",), {"isError": False})


def test_journeys_have_steps_for_every_arm(full):
    """An arm without its own list gets the common one."""
    first, second = full.journeys["first"], full.journeys["second"]
    assert (first.weight, first.tags, first.with_) == (2.5, ("a", "b"), {"x": {"uuid": {}}})
    assert second.of("rest") == second.of("mcp")
    assert (second.weight, second.tags, second.with_) == (1, (), {})


def test_own_lists_come_before_the_common_one(accept):
    """`steps` is for the arms without a list, next to arms that have one."""
    journey = accept(
        "name: x\ntitle: x\narms: {a: {mcp: http://a}, b: {mcp: http://b}}\n"
        "journeys: {j: {steps: [{call: common}], b: [{call: own}]}}\n"
    ).scenario.journeys["j"]
    assert [step.call for step in journey.of("a")] == ["common"]
    assert [step.call for step in journey.of("b")] == ["own"]


def test_the_load_is_in_seconds_and_fractions(full):
    """Durations become seconds, percentages fractions of 1."""
    load = full.load
    assert (load.most_users, load.rounds, load.round, load.warmup) == (9, 8, 60, 0)
    assert load.spawn_rate == 2.5
    assert (load.think.min, load.think.max) == (1, 2)
    limits = full.limits
    assert (limits.generator_cpu, limits.loop_lag_p99, limits.late_starts) == (0.8, 0.01, 0.005)
    assert limits.drain == 3600
    assert (full.gates[0].factor, str(full.gates[0].versus)) == (2, "rest")


def test_defaults_are_those_of_the_documentation(valid, accept):
    """A file that says nothing about it gets the documented load and limits."""
    scenario = accept(valid).scenario
    load, limits = scenario.load, scenario.limits
    assert (load.most_users, load.rounds, load.round, load.warmup) == (1, 10, 5, 3)
    assert (load.spawn_rate, tuple(load.think), limits.drain) == (None, (0, 0), 30)
    assert (limits.generator_cpu, limits.loop_lag_p99, limits.late_starts) == (0.9, 0.005, 0.01)
    assert (scenario.seed, scenario.env, scenario.vars, scenario.gates) == (1, (), {}, ())
    step = scenario.journeys["first"].of("mcp")[0]
    assert (step.arguments, step.save, step.expect.class_) == ({}, {}, ())


@pytest.mark.parametrize(
    ("name", "title"), [("twilio-tasks", "Twilio tasks"), ("echo", "Echo"), ("a1-b-c2", "A1 b c2")]
)
def test_without_a_title_the_name_in_words_is_one(name, title, valid, accept):
    """A short file need not say the same thing twice; what is written wins."""
    assert accept(valid).scenario.title == "A demo"
    text = valid.replace("title: A demo\n", "").replace("name: demo", f"name: {name}")
    assert accept(text).scenario.title == title


def test_percentages_are_exact(valid, accept):
    """57% is 0.57, and not a neighbour of it."""
    assert accept(valid + "limits: {generator_cpu: 57%}").scenario.limits.generator_cpu == 0.57


def test_a_single_duration_is_both_bounds_of_think(valid, accept):
    """`think: 2s` is always two seconds."""
    assert accept(valid + "load: {think: 2s}").scenario.load.think == (2, 2)


def test_the_model_is_frozen(full):
    """Nothing changes a scenario after it was checked."""
    with pytest.raises(ValidationError, match="frozen"):
        full.load.users = 5
    with pytest.raises(ValidationError, match="frozen"):
        full.arms["mcp"].mcp = "http://elsewhere"


def test_names_of_the_model_are_no_keys_of_the_file(valid, refuse):
    """`with_`, `json_` and `class_` are Python's names, and YAML does not know them."""
    text = valid.replace("[{get: /a}]", "[{get: /a, json_: 1}]")
    assert "unknown key 'json_'" in refuse(text)[0].message
