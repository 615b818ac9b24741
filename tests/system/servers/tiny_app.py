"""A server whose replies all have HTTP 200, even if they report a failure.

`GET /thing` is {"ok": false, …}; at /mcp there is one tool, and calling it is a JSON-RPC error.
"""

import json
import sys

import uvicorn

TOOL = {"name": "thing", "inputSchema": {"type": "object"}}
RESULTS = {
    "initialize": {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "tiny", "version": "1"},
    },
    "tools/list": {"tools": [TOOL]},
}


async def app(scope, receive, send) -> None:
    """Answer one request."""
    body = b""
    more = scope["type"] == "http"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer: dict | None = {"ok": False, "error": "out of stock"}
    if body:
        request = json.loads(body)
        answer = reply(request) if "id" in request else None
    data = b"" if answer is None else json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    status = 202 if answer is None else 200
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})


def reply(request: dict) -> dict:
    """Return the JSON-RPC response."""
    answer = {"jsonrpc": "2.0", "id": request["id"]}
    if request["method"] in RESULTS:
        return {**answer, "result": RESULTS[request["method"]]}
    return {**answer, "error": {"code": -32603, "message": f"cannot do {request['method']}"}}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", lifespan="off")
