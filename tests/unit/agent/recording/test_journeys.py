"""Scenarios that are made from recordings: they need no edit, and repeat the calls."""

from pathlib import Path

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from mcp_perf.agent.recording.journeys import made
from mcp_perf.load.survey.given import of_recording
from mcp_perf.scenario.loader import load_text
from mcp_perf.scenario.values.recordings import RecordedCall, Recording

FILE = Path("calls.jsonl")


def call(at_ms, tool="echo", ms=10.0, *, result=None, **more):
    """Return a call of a recording."""
    told = {"session": "a", "transport": "http", "outcome": "ok", "bytes_out": 1}
    made = {"method": "tools/call", "tool": tool, "arguments": {}, **more}
    return RecordedCall(at_ms=at_ms, ms=ms, result=result, **{**told, **made})


def recorded(*sessions, target="http://127.0.0.1:1/mcp", protocol="2025-11-25", left=()):
    """Return a recording."""
    named = {f"s{number}": calls for number, calls in enumerate(sessions)}
    return Recording(target, "/tmp", protocol, named, dict(left))


def scenario(recording):
    """Return the scenario of a recording, and its remarks."""
    text, remarks = made(recording, of_recording(FILE, recording), FILE, Path())
    return load_text(text, "made", Path(), environ={}).scenario, remarks


def steps(*calls):
    """Return the steps of one session as they are written."""
    journey = scenario(recorded(list(calls)))[0].journeys["session-1"]
    return [
        step.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for step in journey.of("mcp")
    ]


def test_a_session_becomes_a_journey_with_its_pauses():
    """Calls may come one after the other, or overlap."""
    assert steps(
        call(0, arguments={"text": "${x}"}),
        call(1510.4, "two", ms=100),
        call(1550, "three", ms=100),
        call(1650.2, "four", outcome="tool_error"),
    ) == [
        {"call": "echo", "arguments": {"text": "$${x}"}},
        {"wait": 1.5},
        {"parallel": [{"call": "two"}, {"call": "three"}]},
        {"call": "four", "expect": {"class": ["tool_error"]}},
    ]


def test_every_kind_of_request_becomes_a_step():
    """The step has the request's kind and arguments."""
    about = {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "b"}}
    of_template = {"ref": {"uri": "x://{y}"}, "argument": {"name": "a", "value": ""}}
    assert steps(
        call(0, "", method="tools/list"),
        call(10, "", method="resources/templates/list"),
        call(20, "", method="resources/read", arguments={"uri": "x://1"}),
        call(30, "", method="prompts/get", arguments={"name": "p", "arguments": {"a": "b"}}),
        call(40, "", method="completion/complete", arguments=about),
        call(50, "", method="completion/complete", arguments=of_template),
    ) == [
        {"list": "tools"},
        {"list": "templates"},
        {"read": "x://1"},
        {"prompt": "p", "arguments": {"a": "b"}},
        {"complete": {"prompt": "p", "argument": "a", "value": "b"}},
        {"complete": {"resource": "x://{y}", "argument": "a"}},
    ]


def test_what_an_answer_brought_is_saved_and_looked_up():
    """Its first place counts; it may be in a longer text; a small number needs the same name."""
    result = {"structuredContent": {"orders": [{"order id": "ORD-77123", "count": 3}]}}
    assert steps(
        call(0, "create", result={**result, "isError": False}),
        call(10, "pay", arguments={"order": "ORD-77123", "count": 3, "tries": 3}),
        call(20, "show", arguments={"url": "https://x/${1}/ORD-77123/a"}, result=result),
        call(30, "", method="resources/read", arguments={"uri": "order://ORD-77123"}),
    ) == [
        {
            "call": "create",
            "save": {
                "order_id": 'structuredContent.orders[0]."order id"',
                "count": "structuredContent.orders[0].count",
            },
        },
        {"call": "pay", "arguments": {"order": "${order_id}", "count": "${count}", "tries": 3}},
        {"call": "show", "arguments": {"url": "https://x/$${1}/${order_id}/a"}},
        {"read": "order://${order_id}"},
    ]


def test_what_the_agent_said_first_stays_as_it_was():
    """An echo has no new value, nor has a call that overlaps."""
    first, second = {"text": "hello-world-1"}, {"id": "made-4711"}
    found = steps(
        call(0, arguments=first, result={"text": "hello-world-1"}),
        call(10, arguments=first),
        call(20, "make", ms=50, result=second),
        call(30, "use", ms=50, arguments=second),
        call(80, "use", arguments=second),
    )
    assert "save" not in repr(found)
    assert found[-1]["arguments"] == second


def test_names_of_saves_are_no_other_names():
    """Built-in names, names in use, and invalid names are avoided."""
    result = {"user": "anna-1234", "1": {"id": "id-12345"}, "2": {"id": "id-67890"}}
    told = {"a": "anna-1234", "b": "id-12345", "c": "id-67890", "d": "x-9999", "e": "y-8888"}
    found = steps(
        call(0, result={**result, '\n"': "x-9999", "": "y-8888"}), call(10, arguments=told)
    )
    assert found[0]["save"] == {
        "user_2": "user",
        "id": '"1".id',
        "id_2": '"2".id',
        "value": r'"\n\""',
    }
    assert found[-1]["arguments"]["e"] == "y-8888"


def test_sessions_with_the_same_calls_are_one_journey_of_more_weight():
    """The load has time for the longest session, and the file says how to replay it."""
    same = [call(0), call(8010)]
    found, remarks = scenario(recorded(same, [call(0, "x")], same, left={"ping": 2}))
    assert {name: journey.weight for name, journey in found.journeys.items()} == {
        "session-1": 2,
        "session-2": 1,
    }
    assert (found.load.users, found.load.round, found.load.rounds) == (5, 13, 6)
    assert found.load.think.max == 16
    assert found.limits.drain == 14
    assert (found.arms["mcp"].protocol, remarks) == ("2025-11-25", ["Not replayed: 2 ping"])


def test_a_file_holds_only_so_much():
    """Sessions that are left out are named."""
    found, remarks = scenario(recorded(*([call(0, f"t{number}")] for number in range(150))))
    assert len(found.journeys) == 100
    assert remarks == ["Left out: sessions from 101 on, because a file cannot hold more"]


@pytest.mark.parametrize(
    ("target", "spoken", "written"),
    [
        ("sse:http://127.0.0.1:1/sse", "2026-07-28", "auto"),
        ("http://127.0.0.1:1/mcp", "2027-01-01", "auto"),
        ("https://a.example/mcp", "2026-07-28", "2026-07-28"),
    ],
)
def test_the_version_is_that_of_the_recording(target, spoken, written):
    """An arm must be able to speak it over that transport."""
    found, _ = scenario(recorded([call(0)], target=target, protocol=spoken))
    assert found.arms["mcp"].protocol == written


@pytest.mark.parametrize(
    "target", ["sse:http://127.0.0.1:1/sse", "stdio:node 'a b.js' stdio", "https://a.example/mcp"]
)
def test_the_target_is_that_of_the_recording(target):
    """The target may have any transport."""
    assert scenario(recorded([call(0)], target=target))[0].arms["mcp"].address == target


def test_a_secret_of_the_target_is_asked_for():
    """The secret was not recorded."""
    _, remarks = scenario(recorded([call(0)], target="stdio:serve --api-key=[redacted]"))
    assert remarks == ["The target contained a secret: write it in place of [redacted]"]


JSON = st.recursive(
    st.one_of(st.text(max_size=9), st.booleans(), st.none(), st.integers(-(10**15), 10**15)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("ab_-:$ ", max_size=3), inner)
    ),
    max_leaves=8,
)
OBJECT = st.dictionaries(st.text("ab_", max_size=3), JSON, max_size=3)


@settings(max_examples=20)
@for_all(st.lists(st.tuples(OBJECT, JSON), min_size=1, max_size=4))
def test_whatever_was_said_can_be_said_again(said):
    """With any JSON in arguments and results, the scenario can be loaded."""
    calls = [call(20 * at, arguments=told, result=got) for at, (told, got) in enumerate(said)]
    scenario(recorded(calls))
