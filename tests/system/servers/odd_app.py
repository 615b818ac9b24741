"""A server whose calls all claim success, and whose answers are wrong.

Its tools at /mcp: `broken` breaks its outputSchema in every result; so does `large`, in results
that are expensive to check; three of ten answers of `disguised` are errors with isError: false;
`same` has one answer for all questions.
"""

import itertools
import json
import sys

import uvicorn

ARGUMENTS = {"type": "object", "properties": {"q": {"type": "string"}}}
NUMBERS = {"type": "array", "items": {"type": "object", "required": ["n"]}}
WANTED = {"type": "object", "properties": {"n": {"type": "number"}, "all": NUMBERS}}
BROKEN = {"n": None}
LARGE = {"n": None, "all": [{"n": n, "name": f"the {n}th of them"} for n in range(2000)]}
NAMES = ("broken", "large", "disguised", "same")
TOOLS = [
    {"name": name, "inputSchema": ARGUMENTS}
    | ({"outputSchema": WANTED} if name in ("broken", "large") else {})
    for name in NAMES
]
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "odd", "version": "1"},
}
numbers = itertools.count()


def text(words: str, **more: object) -> dict:
    """Return a result of one text."""
    return {"content": [{"type": "text", "text": words}], "isError": False, **more}


def called(name: str) -> dict:
    """Return the answer of a tool."""
    if name in ("broken", "large"):
        return text("done", structuredContent=LARGE if name == "large" else BROKEN)
    if name == "same":
        return text("There is one answer.")
    number = next(numbers)
    return text("Error: fetch failed" if number % 10 in (2, 5, 8) else f"Found {number} of them.")


def reply(request: dict) -> dict:
    """Return the result of a request."""
    if request["method"] == "tools/call":
        return called(request["params"]["name"])
    return {"initialize": INITIALIZE, "tools/list": {"tools": TOOLS}}[request["method"]]


async def app(scope, receive, send) -> None:
    """Answer one request."""
    body = b""
    more = scope["type"] == "http"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    request = json.loads(body or b"{}")
    data = b""
    if "id" in request:
        answer = {"jsonrpc": "2.0", "id": request["id"], "result": reply(request)}
        data = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    status = 200 if data else 202
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", lifespan="off")
