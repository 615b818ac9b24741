"""What a server says about a task, and what follows from it."""

import json

import pytest

from mcp_perf.client.protocol import tasks
from mcp_perf.client.protocol.tools import Tool, read_tools
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import CHECK_FAILED

REQUIRED = {"name": "slow", "inputSchema": {}, "execution": {"taskSupport": "required"}}
OPTIONAL = {**REQUIRED, "execution": {"taskSupport": "optional"}}
PLAIN = {"name": "slow", "inputSchema": {}}
OLD = {"tasks": {"requests": {"tools": {"call": {}}}}}
NEW = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


def reply(result: object, outcome: str = "ok") -> Reply:
    """Give a judged reply with this result."""
    made = Reply(0)
    made.outcome = outcome
    made.body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
    return made


@pytest.mark.parametrize(
    ("capabilities", "modern", "offered"),
    [
        (OLD, False, True),
        (OLD, True, False),
        (NEW, True, True),
        (NEW, False, False),
        ({"tasks": {"list": {}, "requests": {"tools": None}}}, False, False),
        ({"tasks": 3}, False, False),
        (None, True, False),
    ],
)
def test_a_server_says_that_it_has_tasks_for_tools(capabilities, modern, offered) -> None:
    """It uses a capability in 2025-11-25, and an extension in 2026-07-28."""
    assert tasks.offered(capabilities, modern=modern) is offered


@pytest.mark.parametrize(
    ("raw", "modern", "has_tasks", "may_be"),
    [
        (REQUIRED, False, True, True),
        (OPTIONAL, False, True, False),
        (PLAIN, False, True, False),
        ({**PLAIN, "execution": 3}, False, True, False),
        (PLAIN, True, True, True),
        (PLAIN, True, False, False),
    ],
)
def test_a_tool_becomes_a_task_only_if_it_has_to(raw, modern, has_tasks, may_be) -> None:
    """Up to 2025-11-25 the client decides; in 2026-07-28 the server decides at each call."""
    tools: dict[str, Tool] = {}
    assert read_tools([raw], tools, modern=modern, tasks=has_tasks) == []
    assert [tool.may_be_task for tool in tools.values()] == [may_be]


def test_a_tool_that_can_only_be_a_task_is_left_out_if_its_server_has_no_tasks() -> None:
    """No step can call it, and a remark says so before the load."""
    tools: dict[str, Tool] = {}
    [odd] = read_tools([REQUIRED, {**PLAIN, "name": "fast"}], tools, modern=False, tasks=False)
    assert odd.startswith("tools/list: the tool 'slow' cannot be called: it can only be called as")
    assert "does not declare the capability tasks" in odd
    assert list(tools) == ["fast"]


def test_the_handle_of_a_task_is_told_from_a_result() -> None:
    """A result may have any members; only a handle is polled."""
    assert tasks.is_task(reply({"task": {"taskId": "t"}}), modern=False)
    assert not tasks.is_task(reply({"content": []}), modern=False)
    assert not tasks.is_task(reply({"task": "t"}), modern=False)
    assert not tasks.is_task(reply({"task": {}}, "tool_error"), modern=False)
    assert tasks.is_task(reply({"resultType": "task"}, CHECK_FAILED), modern=True)
    assert not tasks.is_task(reply({"resultType": "input_required"}, CHECK_FAILED), modern=True)
    assert not tasks.is_task(reply({"task": {"taskId": "t"}}), modern=True)


@pytest.mark.parametrize(
    ("named", "pause_s"),
    [
        ({"pollInterval": 250}, 0.25),
        ({"pollIntervalMs": 2500}, 2.5),
        ({}, 1.0),
        ({"pollInterval": None}, 1.0),
        ({"pollInterval": 0}, 0.01),
        ({"pollIntervalMs": -5}, 0.01),
    ],
)
def test_the_server_says_how_often_it_is_polled(named, pause_s) -> None:
    """The default is once a second, and a hot loop is impossible."""
    task = tasks.task_of(reply({"taskId": "t", "status": "working", **named}))
    assert task.pause_s == pause_s
    assert not task.is_over


@pytest.mark.parametrize("result", [None, [], {}, {"taskId": 3, "status": "working"}, {"task": {}}])
def test_what_is_no_task_is_none(result) -> None:
    """Then the call ends as an error of the protocol."""
    assert tasks.task_of(reply(result)) is None


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ({"status": "completed", "result": {"content": []}}, {"result": {"content": []}}),
        ({"status": "failed", "error": {"code": -1}}, {"error": {"code": -1}}),
        (
            {"status": "cancelled", "statusMessage": "by an operator"},
            {"error": {"code": 0, "message": "the task ended as cancelled: by an operator"}},
        ),
        (
            {"status": "completed"},
            {"error": {"code": 0, "message": "the task ended as completed"}},
        ),
    ],
)
def test_a_task_of_2026_brings_what_it_has_come_to(state, outcome) -> None:
    """It has its result, its error, or the words in which it ended."""
    task = tasks.task_of(reply({"taskId": "t", **state}))
    assert task.is_over
    assert task.outcome() == outcome


def test_only_a_task_that_asks_wants_to_know_something() -> None:
    """Requests that remain from before do not count."""
    asked = {"a": {"method": "roots/list"}}
    working = reply({"taskId": "t", "status": "working", "inputRequests": asked})
    asking = reply({"taskId": "t", "status": "input_required", "inputRequests": asked})
    assert tasks.task_of(working).asked == {}
    assert tasks.task_of(asking).asked == asked
