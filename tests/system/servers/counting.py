"""Wraps an MCP server's ASGI app and counts what arrives, below the server itself."""

import json
from collections import Counter

import uvicorn


class Counting:
    """Counts the `tools/call` requests that arrive, by the header X-Arm and by tool.

    GET /calls returns the counts. POST /forget makes the server lose all sessions opened so far,
    like a restart behind a load balancer: requests that still name one get the SDK's 404.
    """

    def __init__(self, app) -> None:
        self.app = app
        self.arms: Counter[str] = Counter()
        self.tools: Counter[str] = Counter()
        self.sessions: set[str] = set()
        self.forgotten: set[str] = set()
        self.ids: dict[str, set] = {}
        self.repeated_ids = 0

    async def __call__(self, scope, receive, send) -> None:
        """Answer a request for the counts, or count and pass on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] == "/calls":
            await _reply(send, 200, self.told())
        elif scope["path"] == "/forget":
            self.forgotten |= self.sessions
            await _reply(send, 200, {"forgotten": len(self.forgotten)})
        else:
            await self._pass_on(scope, receive, send)

    def told(self) -> dict:
        """Return the counts for the tests."""
        return {
            "calls": self.arms.total(),
            "by_arm": dict(self.arms),
            "by_tool": dict(self.tools),
            "channels": len(self.ids),
            "repeated_ids": self.repeated_ids,
        }

    async def _pass_on(self, scope, receive, send) -> None:
        body = b""
        more = scope["method"] == "POST"
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        session = headers.get("mcp-session-id", "")
        if session in self.forgotten:
            error = {"code": -32600, "message": "Session not found"}
            await _reply(send, 404, {"jsonrpc": "2.0", "id": "server-error", "error": error})
            return
        self._count(scope, headers, session, body)
        given = False

        async def replay():
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay if scope["method"] == "POST" else receive, send)

    def _count(self, scope, headers: dict, session: str, body: bytes) -> None:
        if session:
            self.sessions.add(session)
        message = json.loads(body) if body else {}
        if "id" in message:
            # Ids are unique within a session; without one, within a connection.
            seen = self.ids.setdefault(session or str(scope["client"]), set())
            self.repeated_ids += message["id"] in seen
            seen.add(message["id"])
        if message.get("method") == "tools/call":
            self.arms[headers.get("x-arm", "")] += 1
            self.tools[message["params"]["name"]] += 1


async def _reply(send, status: int, value: dict) -> None:
    body = json.dumps(value).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(app, port: int) -> None:
    """Serve on loopback; a connection that is idle for two seconds is closed."""
    uvicorn.run(
        Counting(app), host="127.0.0.1", port=port, log_level="warning", timeout_keep_alive=2
    )
