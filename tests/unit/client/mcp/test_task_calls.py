"""Calls that become tasks: to the caller, each is one call, over any transport and in both eras.

The specification of 2025-11-25, utilities, "Tasks", and the extension of 2026-07-28 (SEP-2663).
"""

import json
import time

import pytest

from mcp_perf.client.mcp.streamable_http import Call
from mcp_perf.client.protocol.answers import Responder
from mcp_perf.client.protocol.tools import Tool
from tests.unit.client.mcp.test_mcp_conversation import (
    HANDSHAKE,
    MODERN,
    RESULT,
    answers,
    body_of,
    header_of,
    open_client,
    refuses,
    says,
    stream,
)
from tests.unit.client.mcp.test_session import SILENT, Peer, opened
from tests.unit.client.mcp.test_session import modern as modern_peer

__all__ = ["open_client"]
SLOW = Tool("slow", {"type": "object"}, may_be_task=True)
CALL = Call(SLOW, {"n": 1}, task_ttl_ms=5000)
TASKS = "io.modelcontextprotocol/tasks"


def old(status: str = "working", **more: object) -> dict:
    """Give the state of a task of 2025-11-25."""
    return {"taskId": "t-1", "status": status, "ttl": 5000, "pollInterval": 200, **more}


def new(status: str = "working", **more: object) -> dict:
    """Give the state of a task of 2026-07-28."""
    return {"taskId": "t-1", "status": status, "ttlMs": 5000, "pollIntervalMs": 200, **more}


def sent(server) -> list[str]:
    """Return the methods that were sent after the handshake."""
    methods = [body_of(request).get("method") for request in server.requests if _is_post(request)]
    return [method for method in methods if method not in ("initialize", INITIALIZED)]


INITIALIZED = "notifications/initialized"
CREATED_OLD = answers(task=old())
CREATED_NEW = answers(resultType="task", **new())
WORKED = {"content": [{"type": "text", "text": "done"}]}


def test_a_call_of_2025_asks_for_a_task_and_fetches_its_result(open_client) -> None:
    """It is polled as often as the server says; all of that is one call with one time."""
    told = []
    client, server = open_client(
        CREATED_OLD,
        answers(**old()),
        answers(**old("completed", pollInterval=50)),
        answers(**WORKED),
        protocol=HANDSHAKE,
        observe=lambda method, reply: told.append((method, reply.outcome)),
    )
    reply = client.call(CALL)
    assert (reply.outcome, reply.json()["result"]) == ("ok", WORKED)
    assert reply.detail == "a task, polled 2 times"
    assert sent(server) == ["tools/call", "tasks/get", "tasks/get", "tasks/result"]
    asked, *polls = [body_of(request)["params"] for request in server.requests[-4:]]
    assert asked == {"name": "slow", "arguments": {"n": 1}, "task": {"ttl": 5000}}
    assert polls == [{"taskId": "t-1"}] * 3
    assert client.waits == [0.2, 0.2]
    assert told[-3:] == [("tasks/get", "ok")] * 2 + [("tasks/result", "ok")]
    assert reply.bytes_out > sum(len(request) for request in server.requests[-3:])


def test_a_call_of_2026_may_become_a_task(open_client) -> None:
    """Each request declares the extension, and the poll includes the result."""
    client, server = open_client(
        CREATED_NEW, answers(**new()), answers(**new("completed", result=WORKED))
    )
    reply = client.call(CALL)
    assert (reply.outcome, reply.json()["result"]) == ("ok", WORKED)
    assert sent(server) == ["tools/call", "tasks/get", "tasks/get"]
    for request in server.requests:
        params = body_of(request)["params"]
        declared = params["_meta"]["io.modelcontextprotocol/clientCapabilities"]
        assert declared == {"extensions": {TASKS: {}}}
        assert "task" not in params
    assert [header_of(request, "Mcp-Name") for request in server.requests] == [
        ["slow"],
        ["t-1"],
        ["t-1"],
    ]
    assert client.waits == [0.2, 0.2]


@pytest.mark.parametrize("protocol", [HANDSHAKE, MODERN])
def test_a_result_that_is_none_of_a_task_is_the_calls(open_client, protocol) -> None:
    """A server may answer at once."""
    client, server = open_client(RESULT, protocol=protocol)
    assert client.call(CALL).outcome == "ok"
    assert sent(server) == ["tools/call"]


@pytest.mark.parametrize(
    ("states", "outcome", "detail"),
    [
        ([new("failed", error={"code": -32603, "message": "boom"})], "rpc_error", "-32603 boom"),
        ([new("cancelled", statusMessage="no room")], "rpc_error", "ended as cancelled: no room"),
        ([new("completed", result={**WORKED, "isError": True})], "tool_error", "done"),
        ([{"status": "working"}], "rpc_error", "not the state of a task"),
    ],
    ids=["failed", "cancelled", "isError", "no task"],
)
def test_a_task_of_2026_ends_as_its_result_says(open_client, states, outcome, detail) -> None:
    """The result of the task decides the class of the call."""
    client, _ = open_client(CREATED_NEW, *(answers(**state) for state in states))
    reply = client.call(CALL)
    assert reply.outcome == outcome
    assert detail in reply.detail


def test_a_task_of_2025_that_failed_is_what_its_result_says(open_client) -> None:
    """`tasks/result` gives what the call itself would have given."""
    failed = answers(content=[{"type": "text", "text": "boom"}], isError=True)
    client, _ = open_client(CREATED_OLD, answers(**old("failed")), failed, protocol=HANDSHAKE)
    reply = client.call(CALL)
    assert (reply.outcome, reply.detail) == ("tool_error", "boom")


def test_a_poll_that_is_refused_ends_the_call(open_client) -> None:
    """A server that has forgotten the task is not asked again."""
    client, server = open_client(CREATED_NEW, refuses(-32602))
    assert client.call(CALL).outcome == "rpc_error"
    assert sent(server) == ["tools/call", "tasks/get"]


@pytest.mark.parametrize(
    ("protocol", "created", "working"),
    [(HANDSHAKE, CREATED_OLD, old()), (MODERN, CREATED_NEW, new())],
    ids=[HANDSHAKE, MODERN],
)
def test_a_task_that_does_not_end_in_time_is_cancelled(
    open_client, protocol, created, working
) -> None:
    """`tasks/cancel` cancels it, not the notification; the timeout has the task's status."""
    client, server = open_client(created, *[answers(**working)] * 50, protocol=protocol)
    client.terms.sleep = time.sleep
    reply = client.call(CALL, None, 0.3)
    assert reply.outcome == "timeout"
    assert "the task is working after" in reply.detail
    assert sent(server)[-1] == "tasks/cancel"
    assert body_of(server.requests[-1])["params"]["taskId"] == "t-1"
    assert "notifications/cancelled" not in sent(server)


def test_a_step_that_cancels_cancels_the_task(open_client) -> None:
    """Then the step is ok."""
    client, server = open_client(CREATED_NEW, *[answers(**new())] * 50)
    client.terms.sleep = time.sleep
    reply, stop = client.cancelled_call(CALL, None, 0.3)
    assert (reply.outcome, reply.detail, stop) == ("ok", "cancelled after 0.3 s", None)
    assert sent(server)[-1] == "tasks/cancel"


def test_a_call_that_is_stopped_from_outside_cancels_its_task(open_client) -> None:
    """A user who is stopped while the task works cancels it on the server."""
    client, server = open_client(CREATED_OLD, answers(), protocol=HANDSHAKE)

    def leave(_seconds):
        raise KeyboardInterrupt

    client.terms.sleep = leave
    with pytest.raises(KeyboardInterrupt):
        client.call(CALL)
    assert sent(server) == ["tools/call", "tasks/cancel"]


def test_a_task_of_2026_that_asks_is_answered_once(open_client) -> None:
    """`tasks/update` answers; a request that is listed again is not answered again."""
    asking = new("input_required", inputRequests={"a": {"method": "roots/list"}})
    client, server = open_client(
        CREATED_NEW,
        answers(**asking),
        answers(),
        answers(**asking),
        answers(**new("completed", result=WORKED)),
        answers=Responder(roots=[{"uri": "file:///a"}]),
    )
    assert client.call(CALL).outcome == "ok"
    assert sent(server) == ["tools/call", "tasks/get", "tasks/update", "tasks/get", "tasks/get"]
    given = body_of(server.requests[2])["params"]["inputResponses"]
    assert given == {"a": {"roots": [{"uri": "file:///a"}]}}


def test_a_task_that_asks_for_what_has_no_answer_is_cancelled(open_client) -> None:
    """The call ends like any call whose server asks for what the script does not have."""
    asking = new("input_required", inputRequests={"a": {"method": "roots/list"}})
    client, server = open_client(CREATED_NEW, answers(**asking), answers())
    reply = client.call(CALL)
    assert reply.outcome == "check_failed"
    assert "roots/list" in reply.detail
    assert sent(server)[-1] == "tasks/cancel"


def test_an_update_that_is_refused_ends_the_call(open_client) -> None:
    """The server cannot continue the task."""
    asking = new("input_required", inputRequests={"a": {"method": "roots/list"}})
    client, _ = open_client(
        CREATED_NEW, answers(**asking), refuses(-32602), answers=Responder(roots=[])
    )
    assert client.call(CALL).outcome == "rpc_error"


def test_a_task_of_2025_asks_on_the_stream_of_its_result(open_client) -> None:
    """The result is fetched at once, and questions before it are answered."""
    ask = json.dumps({"jsonrpc": "2.0", "id": "s-1", "method": "roots/list"})
    done = json.dumps(WORKED)
    accepted = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    client, server = open_client(
        b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n",
        CREATED_OLD,
        answers(**old("input_required")),
        stream(f"data: {ask}", f'data: {{"jsonrpc":"2.0","id":$id,"result":{done}}}'),
        accepted,
        protocol=HANDSHAKE,
        answers=Responder(roots=[]),
    )
    assert client.call(CALL).outcome == "ok"
    assert [method for method in sent(server) if method] == [
        "tools/call",
        "tasks/get",
        "tasks/result",
    ]
    assert body_of(server.requests[-1]) == {"jsonrpc": "2.0", "id": "s-1", "result": {"roots": []}}


def test_a_stream_that_ends_before_a_tasks_result_is_taken_up_again(open_client) -> None:
    """Requests about a task get the same repairs as a call."""
    broken = stream("id: e-1\nretry: 0\ndata:")
    done = json.dumps({"jsonrpc": "2.0", "id": "ID", "result": WORKED})

    def resumed(peer, _request):
        asked = body_of(server.requests[-2])["id"]
        event = f"data: {done}\n\n".replace('"ID"', str(asked)).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        peer.sendall(head + b"Content-Length: %d\r\n\r\n" % len(event) + event)

    client, server = open_client(
        CREATED_OLD, answers(**old("completed")), broken, resumed, protocol=HANDSHAKE
    )
    assert client.call(CALL).outcome == "ok"
    assert header_of(server.requests[-1], "Last-Event-ID") == ["e-1"]


# Over one channel, and from the server's own words.


@pytest.mark.parametrize("protocol", [HANDSHAKE, MODERN])
def test_a_task_over_one_channel(protocol) -> None:
    """It works the same in both eras."""
    state = old if protocol == HANDSHAKE else new
    made = {"task": old()} if protocol == HANDSHAKE else {"resultType": "task", **new()}
    peer = (Peer if protocol == HANDSHAKE else modern_peer)(
        **{
            "tools/call": {"result": made},
            "tasks/get": [{"result": state()}, {"result": state("completed", result=WORKED)}],
            "tasks/result": {"result": WORKED},
        }
    )
    waits: list[float] = []
    client = opened(peer, sleep=waits.append)
    reply = client.call(CALL)
    assert (reply.outcome, reply.json()["result"]) == ("ok", WORKED)
    fetched = ["tasks/result"] if protocol == HANDSHAKE else []
    assert peer.methods[-3 - len(fetched) :] == ["tools/call", "tasks/get", "tasks/get", *fetched]
    assert waits == [0.2, 0.2]


def test_a_poll_over_one_channel_that_is_not_answered_ends_in_a_timeout() -> None:
    """The task is cancelled, besides the notification for the poll."""
    peer = modern_peer(
        **{
            "tools/call": {"result": {"resultType": "task", **new()}},
            "tasks/get": SILENT,
            "tasks/cancel": {"result": {}},
        }
    )
    client = opened(peer, sleep=lambda _seconds: None)
    assert client.call(CALL, None, 0.05).outcome == "timeout"
    assert peer.methods[-1] == "tasks/cancel"


def test_a_server_that_has_tasks_says_so_when_it_is_met(open_client) -> None:
    """Then its tools may become tasks; otherwise, tools that must are refused."""
    required = {"name": "slow", "inputSchema": {}, "execution": {"taskSupport": "required"}}
    capable = {"tasks": {"requests": {"tools": {"call": {}}}}}
    result = {"protocolVersion": HANDSHAKE, "capabilities": capable}
    opening = says("200 OK", "Mcp-Session-Id: s1", result=result)
    accepted = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    client, _ = open_client(
        answers(tools=[required]), protocol=HANDSHAKE, opening=(opening, accepted)
    )
    assert client.list_tools()["slow"].may_be_task
    client, _ = open_client(answers(tools=[required]), protocol=HANDSHAKE)
    assert client.list_tools() == {}
    [said] = client.terms.remarks
    assert "can only be called as a task" in said


# Its progress, which goes on between its requests (2025-11-25, "Task progress").


def progress(token: object) -> dict:
    """Give a notification of progress."""
    params = {"progressToken": token, "progress": 1}
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}


def test_promise_29_progress_with_the_token_of_a_task_is_its_calls(open_client) -> None:
    """It may come on the streams of the polls as well."""

    def poll(*states: str):
        def say(peer, request):
            calls = [body_of(one) for one in server.requests if b'"tools/call"' in one]
            token = calls[0]["id"]
            result = old(*states)
            told = {"jsonrpc": "2.0", "id": body_of(request)["id"], "result": result}
            events = "".join(f"data: {json.dumps(one)}\n\n" for one in (progress(token), told))
            head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            peer.sendall(f"{head}Content-Length: {len(events)}\r\n\r\n{events}".encode())

        return say

    strays: list[str] = []
    client, server = open_client(
        CREATED_OLD,
        poll(),
        poll("completed"),
        answers(**WORKED),
        protocol=HANDSHAKE,
        stray=lambda kind, _: strays.append(kind),
    )
    reply = client.call(Call(SLOW, {"n": 1}, progress=True, task_ttl_ms=5000))
    assert (reply.outcome, strays) == ("ok", [])
    assert reply.heard.counts == {"notifications/progress": 2}
    assert client.terms.in_progress == {}


def test_promise_29_progress_of_a_task_is_heard_over_one_channel_between_polls() -> None:
    """It is heard while no request is in flight; after the task's end, it is a stray."""
    peer = Peer(
        **{
            "tools/call": {"result": {"task": old()}},
            "tasks/get": [{"result": old()}, {"result": old("completed")}],
            "tasks/result": {"result": WORKED},
        }
    )
    strays: list[str] = []

    def tell(_seconds: float = 0) -> None:
        [token] = [one["id"] for one in peer.sent if one["method"] == "tools/call"]
        peer.receive(json.dumps(progress(token)).encode())

    client = opened(peer, sleep=tell, stray=lambda kind, _: strays.append(kind))
    reply = client.call(Call(SLOW, {"n": 1}, progress=True, task_ttl_ms=5000))
    assert (reply.outcome, reply.heard.counts) == ("ok", {"notifications/progress": 2})
    assert strays == []
    tell()
    assert strays == ["stray_progress"]


def _is_post(request: bytes) -> bool:
    return request.startswith(b"POST") and bool(request.partition(b"\r\n\r\n")[2])
