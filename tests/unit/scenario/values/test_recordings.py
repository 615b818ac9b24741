"""Recordings as they are read, and the plan of a replay."""

import json

import pytest

from mcp_perf.scenario.problems.wording import InputError
from mcp_perf.scenario.values.recordings import is_recording, read_recording, schedule

HEAD = {
    "schema": "mcp-perf/recording/1",
    "started": "2026-11-30T00:00:00.000000+00:00",
    "target": "http://127.0.0.1:1/mcp",
    "cwd": "/tmp",
    "arguments": True,
}


def call(session, at_ms, ms=10, **more):
    """Return a call of a recording."""
    told = {"session": session, "at_ms": at_ms, "ms": ms, "transport": "http", "outcome": "ok"}
    made = {"method": "tools/call", "tool": "echo", "bytes_out": 1, "arguments": {}}
    return {**told, **made, **more}


@pytest.fixture
def recording(tmp_path):
    """Write a recording; its first line is a head unless it is given."""

    def write(*lines, head=HEAD):
        path = tmp_path / "calls.jsonl"
        text = [line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines]
        path.write_text("".join([json.dumps(head) + "\n", *text]))
        return path

    return write


def test_sessions_are_in_the_order_of_their_first_calls(recording):
    """It does not matter which ended first; times run from the first repeatable call."""
    path = recording(
        call("a", 0, method="initialize"), call("b", 60, ms=1), call("a", 50), call("b", 55)
    )
    assert is_recording(path)
    found = read_recording(path)
    assert {name: [one.at_ms for one in calls] for name, calls in found.sessions.items()} == {
        "a": [0],
        "b": [5, 10],
    }
    assert (found.target, found.left, found.at_once) == (HEAD["target"], {}, 2)


def test_a_recording_that_goes_on_behind_another_keeps_its_distance(recording):
    """The time of day gives the distance; a last line that is torn is left out."""
    later = HEAD | {"started": "2026-11-30T00:00:02.000000+00:00"}
    found = read_recording(recording(call("a", 10), later, call("b", 10), '{"session": "b", '))
    assert [calls[0].at_ms for calls in found.sessions.values()] == [0, 2000]


def test_what_is_not_made_again_is_counted(recording):
    """These calls did not end, asked back or were too large; what clients do anyway is left out."""
    found = read_recording(
        recording(
            call("a", 0),
            call("a", 1, outcome="interrupted"),
            call("a", 2, asks=True),
            call("a", 3, arguments=None),
            call("a", 4, method="logging/setLevel"),
            call("a", 5, method="ping"),
            call("a", 6, method="tools/list", arguments={"cursor": "2"}),
            call("a", 7, outcome="tool_error"),
            call("a", 8, outcome="tool_error", arguments={"x": "odd"}),
            call("a", 9, outcome="rpc_error", tool="gone"),
        )
    )
    assert len(found.sessions["a"]) == 2
    assert found.left == {
        "tools/call that ended as interrupted": 1,
        "tools/call that asked the user for something": 1,
        "tools/call whose arguments were too large to keep": 1,
        "logging/setLevel": 1,
        "echo that never succeeded": 1,
        "gone that never succeeded": 1,
    }


@pytest.mark.parametrize(
    ("lines", "head", "message"),
    [
        ([call("a", 0, arguments=None)], HEAD | {"arguments": False}, "--keep-arguments"),
        ([call("a", 0), "no JSON\n"], HEAD, "line 3, cannot be read"),
        ([call("a", "soon")], HEAD, "line 2, cannot be read"),
        (["[" * 9000 + "\n"], HEAD, "line 2, cannot be read"),
        ([], HEAD | {"started": "today"}, "line 1, cannot be read"),
        ([], HEAD, "no call that"),
        ([], {"mcpServers": {}}, "is not a recording"),
        ([HEAD | {"target": "http://b"}, call("a", 0)], HEAD, "several targets"),
    ],
)
def test_what_cannot_be_replayed_is_refused(recording, lines, head, message):
    """The message has the line, and what to do."""
    with pytest.raises(InputError) as refused:
        read_recording(recording(*lines, head=head))
    assert message in f"{refused.value.message} - {refused.value.hint}"


def test_there_is_no_recording_where_there_is_no_file(tmp_path):
    """A folder does not count as one, either."""
    assert not is_recording(tmp_path)


def test_sessions_begin_when_they_did_and_take_the_journeys_of_their_name(recording):
    """Sessions with the same calls share one; no two begin in the same nanosecond."""
    found = read_recording(
        recording(
            call("a", 0, tool="x"), call("b", 0, tool="y"), call("c", 1500.5, ms=499.5, tool="x")
        )
    )
    plan = schedule(found, ["session-1", "session-2", "mine"])
    assert plan.journeys == {0: "session-1", 1: "session-2", 1_500_500_000: "session-1"}
    assert (plan.starts_ns, plan.seconds) == ((0, 1, 1_500_500_000), 2.0)
    assert plan.most_users == 3
    assert plan.only(["session-2"]).starts_ns == (1,)


def test_journeys_of_other_names_are_dealt(recording):
    """But a session whose journey is missing is not overlooked."""
    found = read_recording(recording(call("a", 0, tool="x"), call("b", 5, tool="y")))
    plan = schedule(found, ["mine"])
    assert (plan.journeys, plan.seconds) == ({}, 1.0)
    assert plan.only([]) is plan
    with pytest.raises(InputError, match="the recording has a session session-2"):
        schedule(found, ["session-1"])


def test_a_sse_server_is_named_as_such(recording):
    """Its calls have shown it."""
    found = read_recording(recording(call("a", 0, transport="sse", protocol="2025-11-25")))
    assert (found.target, found.protocol) == (f"sse:{HEAD['target']}", "2025-11-25")
