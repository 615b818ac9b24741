"""The protocol core, compared with the standard library: bytes in, bytes out, no socket."""

import http.client
import io
import json

import pytest

from mcp_perf.client.http import states
from mcp_perf.client.http.endpoint import with_body
from mcp_perf.client.http.http1 import ResponseReader
from mcp_perf.client.http.sse import EventDecoder
from mcp_perf.client.protocol import versions
from mcp_perf.client.protocol.jsonrpc import judge
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import OK

pytestmark = pytest.mark.benchmark(group="protocol core")
PARAMS = {"name": "echo", "arguments": {"message": "hello"}}
HEAD = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
RESULT = {"content": [{"type": "text", "text": "hello"}], "structuredContent": {"message": "hello"}}
BODY = json.dumps({"jsonrpc": "2.0", "id": 7, "result": RESULT}).encode()
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    b"Connection: keep-alive\r\n\r\n%b" % (len(BODY), BODY)
)
EVENTS = b"event: message\ndata: " + BODY + b"\n\n"


def info(what: str) -> dict[str, dict[str, str]]:
    """Describe each side for pytest-benchmark."""
    sides = ("ours", "stdlib")
    return {side: {"system": "client", "layer": "protocol core", "tool": what} for side in sides}


def test_encode_a_call(side_by_side):
    """A request whose arguments are constant, compared with encoding all of it again."""
    tail = versions.encode_tail("tools/call", PARAMS)

    def anew() -> bytes:
        message = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": PARAMS}
        return with_body(HEAD, json.dumps(message, separators=(",", ":")).encode())

    sides = {"ours": lambda: with_body(HEAD, versions.encode_message(7, tail)), "stdlib": anew}
    returned = side_by_side(sides, info=info("encode"))
    assert returned["ours"] == returned["stdlib"]


def test_judge_a_reply(side_by_side):
    """Finding the class of a reply, compared with decoding it and looking."""

    def ours() -> str:
        reply = Reply(0)
        reply.status = 200
        reply.body = BODY
        return judge(reply, 7).outcome

    def stdlib() -> str:
        message = json.loads(BODY)
        failed = "error" in message or message["result"].get("isError") or message["id"] != 7
        return "failed" if failed else OK

    returned = side_by_side({"ours": ours, "stdlib": stdlib}, info=info("judge"))
    assert returned == {"ours": OK, "stdlib": OK}


def test_read_a_response(side_by_side):
    """A response off the wire, compared with http.client."""
    reader = ResponseReader()
    reader.happened(states.OPEN)

    def ours() -> bytes:
        reader.happened(states.SEND)
        reader.feed(RESPONSE)
        return reader.body

    class Socket:
        def makefile(self, _mode: str) -> io.BytesIO:
            return io.BytesIO(RESPONSE)

    def stdlib() -> bytes:
        response = http.client.HTTPResponse(Socket())
        response.begin()
        return response.read()

    returned = side_by_side({"ours": ours, "stdlib": stdlib}, info=info("http"))
    assert returned == {"ours": BODY, "stdlib": BODY}


def test_read_an_event(side_by_side):
    """A message event, compared with only removing the known prefix."""

    def stdlib() -> list[bytes]:
        lines = EVENTS.decode().splitlines()
        return [line.removeprefix("data: ").encode() for line in lines if line[:5] == "data:"]

    sides = {"ours": lambda: EventDecoder().feed(EVENTS), "stdlib": stdlib}
    returned = side_by_side(sides, info=info("events"))
    assert returned == {"ours": [BODY], "stdlib": [BODY]}
