"""An MCP server of the handshake era with one tool, which fails according to its switches.

`failing_app.py PORT [hang=N] [sessions=N] [limit=N]`: every N-th call is never answered; only the
first N sessions are opened, and requests for more wait for ever; N calls a second are answered, and
the others get 429 with a Retry-After of one second. GET /told returns what arrived.
"""

import json
import sys
import time
from collections import Counter
from typing import Any

import uvicorn

SWITCHES = {name: int(n) for name, n in (switch.split("=") for switch in sys.argv[2:])}
TOLD: Counter[str] = Counter()
SECONDS: Counter[int] = Counter()
JSON = (b"content-type", b"application/json")
INITIALIZED = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "failing", "version": "1"},
}
TOOLS = {"tools": [{"name": "work", "inputSchema": {"type": "object"}}]}
DONE = {"content": [{"type": "text", "text": "done"}]}


async def app(scope, receive, send) -> None:
    """Answer one request, or let it wait."""
    body = b""
    more = scope["type"] == "http"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["method"] == "DELETE":
        TOLD["deleted"] += 1
        await reply(send, 204, None)
    elif scope["path"] == "/told":
        await reply(send, 200, dict(TOLD))
    elif scope["method"] == "POST":
        await answer(json.loads(body), receive, send)
    else:
        await reply(send, 405, None)


async def answer(request: dict[str, Any], receive, send) -> None:
    """Answer a message from a client."""
    method = request["method"]
    TOLD[method] += 1
    if method == "tools/call":
        await call(request, receive, send)
    elif method == "initialize":
        if TOLD[method] > SWITCHES.get("sessions", sys.maxsize):
            await gone(receive)
        name = b"session-%d" % TOLD[method]
        await result(send, request, INITIALIZED, (b"mcp-session-id", name))
    elif "id" in request:
        await result(send, request, TOOLS if method == "tools/list" else {})
    else:
        await reply(send, 202, None)


async def call(request: dict[str, Any], receive, send) -> None:
    """Answer a call of the tool, or not."""
    second = int(time.monotonic())
    SECONDS[second] += 1
    if SECONDS[second] > SWITCHES.get("limit", sys.maxsize):
        TOLD["limited"] += 1
        await reply(send, 429, {"error": "slow down"}, (b"retry-after", b"1"))
        return
    if "hang" in SWITCHES and TOLD["tools/call"] % SWITCHES["hang"] == 0:
        TOLD["unanswered"] += 1
        await gone(receive)
        return
    await result(send, request, DONE)


async def gone(receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def result(send, request: dict[str, Any], value: object, *headers) -> None:
    """Answer a request."""
    answered = {"jsonrpc": "2.0", "id": request["id"], "result": value}
    await reply(send, 200, answered, *headers)


async def reply(send, status: int, value: object, *headers) -> None:
    """Send a response."""
    data = b"" if value is None else json.dumps(value).encode()
    length = (b"content-length", b"%d" % len(data))
    head = {"type": "http.response.start", "status": status, "headers": [JSON, length, *headers]}
    await send(head)
    await send({"type": "http.response.body", "body": data})


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", lifespan="off")
