"""A server of tools of all kinds."""

import json

import pytest

from mcp_perf.load.survey.given import of_line
from tests.unit.client.conftest import serve

__all__ = ["serve"]

LONG = "search_" + "x" * 80
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def tool(name, schema=TEXT, **hints):
    """Return a server's description of a tool."""
    return {"name": name, "inputSchema": schema, "annotations": hints}


TOOLS = [
    tool("echo", readOnlyHint=True),
    tool("get_broken", {"type": "objekt"}),
    tool("get_picky"),
    tool("make"),
    tool("delete_all"),
    tool("get_quietly", {"type": "object"}, destructiveHint=True),
    tool("add_big", {"type": "object", "properties": {"n": {"const": 1e40}}, "required": ["n"]}),
    tool(LONG, {"type": "object"}),
]


def plain(status, body=b"", headers=b""):
    """Encode an HTTP reply."""
    kind = b"Content-Type: application/json\r\n" if body else b""
    return b"HTTP/1.1 %d X\r\n%b%bContent-Length: %d\r\n\r\n%b" % (
        *(status, kind, headers, len(body), body),
    )


class Server:
    """A server of 2025-11-25 with these tools, one on each page."""

    def __init__(self, tools):
        self.tools = tools
        self.called = []

    def __call__(self, peer, request):
        """Answer a request."""
        head, _, body = request.partition(b"\r\n\r\n")
        if not body:
            peer.sendall(plain(405 if head.startswith(b"GET") else 204))
            return
        asked = json.loads(body)
        if "id" not in asked:
            peer.sendall(plain(202))
            return
        answer = self.answer(asked["method"], asked.get("params", {}))
        reply = json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}).encode()
        peer.sendall(plain(200, reply, b"Mcp-Session-Id: abc\r\n"))

    def answer(self, method, params):
        """Return a result, or an error."""
        if method == "initialize":
            info = {"name": "Tool shop", "version": "1.2"}
            version = {"protocolVersion": "2025-11-25", "serverInfo": info}
            return {"result": {**version, "capabilities": {"tools": {}}}}
        if method == "tools/list":
            at = int(params.get("cursor", 0))
            more = {"nextCursor": str(at + 1)} if at + 1 < len(self.tools) else {}
            return {"result": {"tools": self.tools[at : at + 1], **more}}
        if method == "tools/call":
            self.called.append((params["name"], params["arguments"]))
            bad = params["name"] == "get_picky" and params["arguments"] != {"text": "x"}
            content = [{"type": "text", "text": "no such text" if bad else "fine"}]
            return {"result": {"content": content, "isError": bad}}
        if method == "ping":
            return {"result": {}}
        return {"error": {"code": -32601, "message": "no such method"}}


@pytest.fixture
def start(serve):
    """Start a server with these tools; return it, and a target for it."""

    def run(tools):
        server = Server(tools)
        return server, of_line(serve(*[server] * 400).url)

    return run
