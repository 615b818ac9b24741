"""The echo system's faults, counters and switches, in real processes."""

import asyncio
import subprocess
import sys
import time
from collections import Counter

import httpx
import pytest

from mcp_targets.echo.works import Slots

pytestmark = pytest.mark.process

CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "echo",
        "arguments": {"message": "x"},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}
HEADERS = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "echo",
}


def set_faults(base, **rates):
    """Set the rates of an echo system."""
    return httpx.post(f"{base}/_faults", json=rates)


def counters(base):
    """Return the counters of an echo system."""
    return httpx.get(f"{base}/_counters").json()


def outcome(client, face):
    """Make one call and return how it ended, in the words of the faults."""
    try:
        if face == "mcp":
            reply = client.post("/mcp", json=CALL, headers=HEADERS)
        else:
            reply = client.post("/echo", json={"message": "x"})
        if reply.headers["content-type"] == "text/html":
            return "html"
        body = reply.json() if "json" in reply.headers["content-type"] else _event(reply.text)
    except (httpx.ReadError, httpx.RemoteProtocolError) as error:
        return "cut" if "incomplete" in str(error) or "peer closed" in str(error) else "reset"
    except ValueError:
        return "malformed"
    failed = body["result"]["isError"] if face == "mcp" else "error" in body
    return "error" if failed else "ok"


def _event(text):
    import json

    return json.loads(text.split("data: ", 1)[1])


@pytest.mark.parametrize("face", ["mcp", "rest"])
@pytest.mark.parametrize("replies", ["json", "sse"])
def test_faults_are_seeded_and_counted_exactly(start, face, replies):
    """The counters equal what a client saw, and the same seed repeats it."""
    base = start("echo", "--replies", replies)
    rates = {"error_rate": 0.1, "reset_rate": 0.1, "malformed_rate": 0.1, "html_rate": 0.1}
    rates |= {"cut_rate": 0.1, "stall_rate": 0.1, "stall_ms": 1, "seed": 5}
    runs = []
    for _ in range(2):
        before = Counter(counters(base)["faults"])
        set_faults(base, **rates)
        with httpx.Client(base_url=base) as client:
            seen = [outcome(client, face) for _ in range(80)]
        set_faults(base)
        counted = Counter(counters(base)["faults"]) - before
        del counted["stall"]
        assert counted == Counter(seen) - Counter(ok=80)
        runs.append(seen)
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 6


def test_faults_spare_what_is_no_call(start):
    """Listing tools, opening sessions and reading counters still work."""
    base = start("echo", "--replies", "json")
    set_faults(base, reset_rate=1)
    body = {**CALL, "method": "tools/list"}
    headers = {**HEADERS, "Mcp-Method": "tools/list"}
    assert httpx.post(f"{base}/mcp", json=body, headers=headers).status_code == 200
    set_faults(base)


def test_a_fault_that_is_none_is_refused(echo):
    """A mistyped fault must not look like a healthy server."""
    reply = set_faults(echo.base_url, eror_rate=1)
    assert reply.status_code == 400
    assert "eror_rate" in reply.json()["error"]["message"]


def test_counters_count_calls_by_tool_and_connections(start):
    """Tools and routes are separate; reading the counters changes nothing."""
    base = start("echo", "--seed", "1")
    with httpx.Client(base_url=base) as client:
        for _ in range(3):
            client.post("/mcp", json=CALL, headers=HEADERS)
        client.post("/echo", json={"message": "x"})
        client.get("/nothing")
    for _ in range(2):
        assert counters(base) == {
            "connections": 1,
            "requests": 5,
            "by_tool": {"echo": 3, "POST /echo": 1},
            "faults": {},
            "sessions_open": 0,
            "streams_open": 0,
            "running": 0,
            "cancelled": 0,
            "max_in_parallel": 1,
        }


def test_calls_wait_for_their_service_time_side_by_side(start):
    """With a delay, calls on several connections are in the server at the same time."""
    base = start("echo", "--delay", "50%:20ms,50%:30ms")

    async def main():
        async with httpx.AsyncClient(base_url=base) as client:
            calls = [client.post("/echo", json={"message": "x"}) for _ in range(8)]
            return [reply.status_code for reply in await asyncio.gather(*calls)]

    assert asyncio.run(main()) == [200] * 8
    assert counters(base)["max_in_parallel"] > 1


def test_slots_are_taken_in_the_order_of_arrival():
    """With two slots of a second each, concurrent calls end after 1, 1, 2, 2, 3 s."""
    now_s = [100.0]
    slots = Slots(2, lambda: now_s[0])
    assert [slots.take(1.0) for _ in range(5)] == [1, 1, 2, 2, 3]
    now_s[0] += 2.5
    assert [slots.take(1.0) for _ in range(2)] == [1, 1.5]
    now_s[0] += 60
    assert slots.take(0.25) == 0.25


@pytest.mark.parametrize("path", ["/echo", "/mcp"])
def test_a_server_of_one_slot_queues_calls(start, path):
    """Three concurrent calls of 30 ms end one after the other, on both faces."""
    base = start("echo", "--delay", "30ms", "--slots", "1")

    async def main():
        async with httpx.AsyncClient(base_url=base, headers=HEADERS) as client:
            body = CALL if path == "/mcp" else {"message": "x"}
            calls = [client.post(path, json=body) for _ in range(3)]
            began_s = time.perf_counter()
            await asyncio.gather(*calls)
            return time.perf_counter() - began_s

    assert asyncio.run(main()) >= 0.09  # on any machine, they cannot be faster


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--delay", "soon"], "'soon' is not a duration"),
        (["--delay", "50%:1ms"], "add up to 50%"),
        (["--page-size", "0"], "'0' is not allowed"),
        (["--slots", "none"], "'none' is not allowed"),
        (["--port", "99999"], "'99999' is not a port"),
        (["--replies", "xml"], "invalid choice"),
    ],
)
def test_a_wrong_switch_is_explained_without_a_traceback(arguments, complaint):
    """Exit code 2, with what to write instead."""
    command = [sys.executable, "-m", "mcp_targets.echo", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_explained_without_a_traceback(echo):
    """The message names the port and says what to do."""
    port = str(echo.base_url.port)
    command = [sys.executable, "-m", "mcp_targets.echo", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"cannot use port {port}" in done.stderr
    assert "Traceback" not in done.stderr
