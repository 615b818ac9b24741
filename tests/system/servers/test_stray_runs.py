"""Promise 29 in a run: a gateway that sends each answer to all sessions, and a noisy server."""

import itertools
import json
import queue
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

pytestmark = pytest.mark.load
NOISY = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {}}
    tools = {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}
    done = {"content": [{"type": "text", "text": "hello"}]}
    results = {"initialize": hello, "tools/list": tools, "tools/call": done}
    if asked["method"] == "tools/call":
        print(json.dumps({"level": 30, "id": asked["id"], "msg": "call"}), flush=True)
    result = {"result": results[asked["method"]]}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **result}), flush=True)
"""
SCENARIO = """
name: strays
title: What is nobody's
arms:
  gateway: {mcp: {sse: "http://127.0.0.1:PORT/sse"}}
  noisy: {mcp: {stdio: [PYTHON, noisy.py]}, protocol: 2025-11-25}
journeys:
  plain: {steps: [{call: echo, arguments: {}}]}
  expecting:
    steps: [{call: echo, arguments: {}, expect: {equals: {"content[0].text": hello}}}]
load: {users: 2, think: 20ms}
gates: [gateway.error_rate <= 0%, noisy.error_rate <= 0%, noisy.stray_rate < 300%]
"""


class Gateway(BaseHTTPRequestHandler):
    """Server-sent events for sessions; every session gets all answers."""

    protocol_version = "HTTP/1.1"
    sessions: ClassVar[dict[int, queue.Queue]] = {}
    numbers = itertools.count()

    def log_message(self, *_args):
        """Say nothing."""

    def do_GET(self):
        """Open the stream of a session, and send its messages."""
        number, mine = next(self.numbers), queue.Queue()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"event: endpoint\ndata: /message?session=%d\n\n" % number)
        self.sessions[number] = mine
        while (message := mine.get()) is not None:
            self.wfile.write(b"data: %b\n\n" % message)

    def do_POST(self):
        """Accept a message, and send its answer to everybody."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        results = {
            "initialize": {"protocolVersion": "2024-11-05", "capabilities": {}, "serverInfo": {}},
            "tools/list": {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]},
            "tools/call": {"content": [{"type": "text", "text": "hello"}]},
        }
        if "id" in asked:
            answer = {"jsonrpc": "2.0", "id": asked["id"], "result": results[asked["method"]]}
            for session in list(self.sessions.values()):
                session.put(json.dumps(answer).encode())


@pytest.fixture
def port():
    """Serve the gateway; return its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    for session in Gateway.sessions.values():
        session.put(None)
    server.shutdown()
    server.server_close()


def test_promise_29_a_gateway_that_tells_everybody_fails_and_a_noisy_server_does_not(
    run_cli, environment, quick, report, port, tmp_path
):
    """Each call to both is ok, with or without an expectation; only one mixes up its users."""
    (tmp_path / "noisy.py").write_text(NOISY)
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(SCENARIO.replace("PORT", str(port)).replace("PYTHON", sys.executable))
    out = tmp_path / "run"
    ended = run_cli("run", scenario, *quick, "--out", out, env=environment)
    assert ended.code == 99, ended.output
    found = report(out)
    assert found["reasons"][0]["code"] == "crossed_replies"
    assert all(arm["classes"]["ok"] == arm["calls"] > 0 for arm in found["arms"].values())
    assert found["arms"]["gateway"]["strays"].keys() == {"crossed_reply"}
    assert found["arms"]["noisy"]["strays"] == {"no_message": found["arms"]["noisy"]["calls"]}
    assert any("not JSON-RPC messages came from noisy" in note for note in found["notes"])
