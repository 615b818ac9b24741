"""What real servers and gateways do to their clients, row by row, and what a user gets.

Each row is a server that does everything right except one thing, and what a few calls report.
"""

import gzip
import json
import sys
import threading
import zlib
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mcp_perf.client.channels.stdio import Command, StdioChannel
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.session_loss import FORGOT, PATIENCE, RESTARTED
from mcp_perf.client.protocol.tools import Tool

HANDSHAKE = "2025-11-25"
ECHO = Call(Tool("echo", {"type": "object"}), {})
JSON, TEXT, STREAM = "application/json", "text/plain", "text/event-stream"
DONE = {"content": [{"type": "text", "text": "done"}]}
INFO = {"protocolVersion": HANDSHAKE, "capabilities": {}, "serverInfo": {}}


def rpc(**message) -> bytes:
    """Encode a message."""
    return json.dumps({"jsonrpc": "2.0", **message}).encode()


def refusal(code: int, message: str) -> bytes:
    """Encode an error without an id."""
    return rpc(id=None, error={"code": code, "message": message})


def event(message: bytes) -> bytes:
    """Encode a message as an event."""
    return b"data: %b\n\n" % message


class Handler(BaseHTTPRequestHandler):
    """A server with sessions; its server's `lost` says how it refuses those that it forgot."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body at once

    def log_message(self, *_args):
        """Say nothing."""

    def do_DELETE(self):
        """End a session."""
        self.answer(200, TEXT, b"")

    def do_POST(self):
        """Answer a request; after the fourth call all sessions are forgotten, once."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server, method = self.server, asked["method"]
        server.seen[method] += 1
        if method == "initialize":
            server.sessions.add(name := f"s{server.seen[method]}")
            self.answer(200, JSON, rpc(id=asked["id"], result=INFO), ("Mcp-Session-Id", name))
        elif self.headers["Mcp-Session-Id"] not in server.sessions:
            self.answer(*server.lost)
        elif "id" not in asked:
            self.answer(202, TEXT, b"")
        else:
            self.answer(*server.packed(rpc(id=asked["id"], result=DONE)))
            if server.seen["tools/call"] == 4 and server.lost:
                server.seen["tools/call"] += 1
                server.sessions.clear()

    def answer(self, status, kind, body, *headers):
        """Send a response; its length is that of the body, if no header says another."""
        self.send_response(status)
        named = dict(headers)
        for name, value in {"Content-Type": kind, "Content-Length": len(body), **named}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = int(named.get("Content-Length", len(body))) != len(body)


@pytest.fixture
def odd():
    """Serve; return the server, to be made odd, and a client of it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.seen, server.sessions, server.lost = Counter(), set(), ()
    server.packed = lambda body: (200, JSON, body)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/mcp"
    client = HttpClient(Endpoint.of(address, timeout_s=20), HANDSHAKE)
    yield server, client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


KNOWN = {
    "404 and nothing": (404, TEXT, b"", FORGOT),
    "404 with an error": (404, JSON, refusal(-32001, "Session not found"), FORGOT),
    "400 in words": (400, TEXT, b"Bad Request: Invalid or missing session ID", FORGOT),
    "400 as after a restart": (400, JSON, refusal(-32000, "Server not initialized"), RESTARTED),
    "401 in words": (401, TEXT, b"Unauthorized: the session does not exist", FORGOT),
    "409 with an error": (409, JSON, refusal(-32000, "Session expired"), FORGOT),
    "410": (410, TEXT, b"gone", FORGOT),
    "422 by an id": (422, TEXT, b"Mcp-Session-Id matches no active session", FORGOT),
    "500 with an error": (500, JSON, refusal(-32603, "session lookup failed"), FORGOT),
    "503 in words": (503, TEXT, b"no such session", FORGOT),
    "200 with an error": (200, JSON, refusal(-32600, "Unknown session id"), FORGOT),
    "201 with an error": (201, JSON, refusal(-32600, "session timed out"), FORGOT),
    "200 with an event": (200, STREAM, event(refusal(-32001, "Session not found")), FORGOT),
}


@pytest.mark.parametrize("row", KNOWN.values(), ids=KNOWN)
def test_promise_30_a_lost_session_is_known_by_its_spelling_and_costs_no_call(odd, row):
    """One call opens another session, and says what became of the previous one."""
    server, client = odd
    *server.lost, kind = row
    replies = [client.call(ECHO) for _ in range(9)]
    assert {reply.outcome for reply in replies} == {"ok"}, [reply.detail for reply in replies]
    assert [reply.healed for reply in replies if reply.session_lost] == [kind]
    assert server.seen["initialize"] == 2


UNKNOWN = {
    "500 in words": (500, TEXT, b"Internal Server Error", "http_error"),
    "302 to a login": (302, TEXT, b"", "http_error"),
    "a page": (200, "text/html", b"<html>please sign in</html>", "http_error"),
    "200 and nothing": (200, JSON, b"", "transport_error"),
    "204": (204, TEXT, b"", "http_error"),
    "440": (440, TEXT, b"Login Time-out, ticket 12ab", "http_error"),
    "a stream without an answer": (200, STREAM, b": bye\n\n", "transport_error"),
    "an error in other words": (200, JSON, refusal(-32000, "Sitzung?"), "rpc_error"),
}


@pytest.mark.parametrize("row", UNKNOWN.values(), ids=UNKNOWN)
def test_promise_30_a_lost_session_in_no_known_spelling_costs_as_many_calls_as_it_takes(odd, row):
    """Every call gets the same refusal after others were ok, so another session is opened."""
    server, client = odd
    *server.lost, cls = row
    replies = [client.call(ECHO) for _ in range(9)]
    failed = [reply for reply in replies if reply.outcome != "ok"]
    assert [reply.outcome for reply in failed] == [cls] * PATIENCE
    assert "so the session is treated as lost" in failed[-1].detail
    assert [reply.healed for reply in replies if reply.session_lost] == [FORGOT]
    assert (replies[-1].outcome, server.seen["initialize"]) == ("ok", 2)


def coded(coding, pack, kind=JSON, length=None):
    """Give what packs the answers to calls."""

    def answer(body):
        packed = pack(event(body) if kind == STREAM else body)
        sized = () if length is None else (("Content-Length", len(packed) + length),)
        return (200, kind, packed, ("Content-Encoding", coding), *sized)

    return answer


def twice(body: bytes) -> bytes:
    """Pack, and pack again."""
    return gzip.compress(zlib.compress(body))


def in_two(body: bytes) -> bytes:
    """Pack each half separately."""
    return gzip.compress(body[:20]) + gzip.compress(body[20:])


PACKED = {
    "gzip": (coded("gzip", gzip.compress), "gzip"),
    "gzip of a stream": (coded("GZIP", gzip.compress, STREAM), "gzip"),
    "gzip in two parts": (coded("x-gzip", in_two), "x-gzip"),
    "deflate": (coded("deflate", zlib.compress), "deflate"),
    "two, one upon the other": (coded("deflate, gzip", twice), "deflate, gzip"),
    "a character set": (coded("utf-8", bytes), ""),
}


@pytest.mark.parametrize("row", PACKED.values(), ids=PACKED)
def test_replies_that_are_packed_unasked_are_read_and_remarked_on(odd, row):
    """One remark names the encoding; an encoding that does not pack is not named."""
    server, client = odd
    server.packed, named = row
    assert [client.call(ECHO).outcome for _ in "123"] == ["ok"] * 3
    client.drop()
    told = [remark.partition(", which")[0] for remark in client.terms.remarks]
    assert told == ([f"replies came with Content-Encoding: {named}"] if named else [])


UNREAD = {
    "one that nobody knows": (coded("lz4", bytes), "http_error", "Content-Encoding lz4"),
    "one that it is not": (coded("gzip", bytes), "http_error", "Content-Encoding gzip: the body"),
    "a part": (coded("gzip", lambda body: gzip.compress(body)[:-12]), "rpc_error", "cut off after"),
    "the wrong length": (
        coded("gzip", gzip.compress, length=9),
        "transport_error",
        "Content-Encoding: gzip",
    ),
    "a bomb": (
        coded("gzip", lambda _: gzip.compress(bytes(70 << 20), 1)),
        "transport_error",
        "larger than 67108864 bytes, Content-Encoding: gzip",
    ),
}


@pytest.mark.parametrize("row", UNREAD.values(), ids=UNREAD)
def test_replies_that_cannot_be_unpacked_say_why(odd, row):
    """They name the encoding, and show no byte of what came."""
    server, client = odd
    server.packed, cls, said = row
    reply = client.call(ECHO)
    assert (reply.outcome, said in reply.detail) == (cls, True), reply.detail
    assert "\x1f" not in reply.detail


NOISY = """
import json, sys
sys.stdout.reconfigure(errors="surrogateescape")
PROGRESS = %r
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    answer = {"jsonrpc": "2.0", "id": asked["id"], "result": %r}
    if asked["method"] == "tools/call":
        print(%s)
        answer["result"] = {"content": []}
    print(json.dumps(answer), flush=True)
"""
LINES = {
    "a log in JSON": ("no_message", 1, """'{"level": 30, "msg": "call"}'"""),
    "one over several lines": ("no_message", 4, """json.dumps({"level": 30, "at": 1}, indent=1)"""),
    "with the id of the call": ("no_message", 1, """json.dumps({"id": asked["id"], "msg": "x"})"""),
    "in words before an error": ("no_message", 1, """"[12:00] " + json.dumps(answer)"""),
    "in colours": ("no_message", 1, r""""\x1b[32mINFO\x1b[0m called" """),
    "numbers and lists": ("no_message", 3, r""""42\nnull\n[1, 2]" """),
    "another JSON-RPC": ("no_message", 1, """json.dumps({**answer, "jsonrpc": "1.0"})"""),
    "no UTF-8": ("no_message", 1, r""""caf\udce9" """),
    "an answer to nobody": ("unmatched_reply", 1, """json.dumps({**answer, "id": 7})"""),
    "what it was asked": ("forbidden_request", 1, "line.strip()"),
    "progress of nobody": ("stray_progress", 1, "json.dumps(PROGRESS)"),
}
PROGRESS = {
    "jsonrpc": "2.0",
    "method": "notifications/progress",
    "params": {"progressToken": 7, "progress": 1},
}


@pytest.mark.process
@pytest.mark.parametrize("row", LINES.values(), ids=LINES)
def test_promise_29_what_is_printed_beside_the_answers_fails_no_call(row):
    """It is counted by its kind, and never as progress."""
    kind, count, printed = row
    code = NOISY % (PROGRESS, INFO, printed)
    strays = Counter()
    channel = StdioChannel(Command((sys.executable, "-c", code), timeout_s=20))
    client = SessionClient(channel, HANDSHAKE, stray=lambda kind, _: strays.update([kind]))
    try:
        client.negotiate()
        replies = [client.call(ECHO) for _ in "12"]
    finally:
        client.close()
    assert [reply.outcome for reply in replies] == ["ok", "ok"], replies[0].detail
    assert [reply.heard for reply in replies] == [None, None]
    assert strays == {kind: 2 * count}
