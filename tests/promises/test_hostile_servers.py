"""Promise 24: a hostile server cannot act through its text, reveal secrets or stop a run."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CANARIES = {
    "bearer": "canary-bearer-7a8b9c",
    "pem": "canary/pem/line+1a2b==",
    "literal": "canary-literal-5d6e7f",
    "pair": base64.b64encode(b"ann:canary-pass-4c5d").decode().rstrip("="),
    "query": "canary-exa-6e7f8a",
    "session": "canary-session-3c4d5e",
}
ORDERS = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\r\n::stop-commands::x\n##[error]y;=1+1\n"
LARGE = "z" * 5_000_000


def deep() -> dict:
    """Return a schema that expands to 8^12 schemas."""
    parts = {f"p{n}": {"allOf": [{"$ref": f"#/$defs/p{n + 1}"}] * 8} for n in range(12)}
    kept = {"type": "object", "$ref": "#/$defs/p0"}
    return {**kept, "$defs": {**parts, "p12": {"type": "object"}}}


class _Hostile(BaseHTTPRequestHandler):
    """Answers with control sequences, spreadsheet formulas, megabytes, and all that it received."""

    protocol_version = "HTTP/1.1"
    calls = 0

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method = asked.get("method", "")
        if method == "initialize":
            named = {"name": f"evil{ORDERS}", "version": ORDERS}
            self.say(
                asked,
                {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {"tools": {}},
                    "serverInfo": named,
                    "instructions": ORDERS,
                },
            )
        elif method == "tools/list":
            tool = {"inputSchema": {"type": "object"}, "title": ORDERS, "description": LARGE}
            bad = [{**tool, "name": f"odd{ORDERS}"}] * 2
            hanging = {"name": "deep", "inputSchema": deep(), "outputSchema": deep()}
            self.say(
                asked, {"tools": [{**tool, "name": "echo"}, *bad, hanging], "nextCursor": ORDERS}
            )
        elif method == "tools/call":
            type(self).calls += 1
            text = f"{ORDERS}{' '.join(CANARIES.values())} at {self.path}{LARGE}"
            content = [{"type": "text", "text": text}]
            result = {"content": content, "structuredContent": {}, "isError": self.calls % 2 == 0}
            if self.calls % 3:
                self.say(asked, result)
            else:
                self.say(asked, {"code": -32000, "message": text}, "error")
        else:
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def say(self, asked: dict, what: dict, member: str = "result") -> None:
        """Answer a request."""
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], member: what}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if asked["method"] == "initialize":
            self.send_header("Mcp-Session-Id", CANARIES["session"])
        self.end_headers()
        self.wfile.write(body)

    def do_DELETE(self) -> None:
        self.send_error(405)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def hostile() -> Iterator[int]:
    """Serve; return the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hostile)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


SCENARIO = """
name: hostile
title: A server that means ill
env: [CANARY_AUTH, CANARY_PEM]
arms:
  mcp:
    mcp: "http://127.0.0.1:1/mcp"
    protocol: "2025-11-25"
    headers: {Authorization: "${env:CANARY_AUTH}", X-Auth-Token: LITERAL}
journeys:
  one:
    mcp:
      - {call: echo, arguments: {message: "${env:CANARY_PEM}"}, on_error: continue}
      - {call: deep, arguments: {a: 1}, expect: {equals: {"content[0].text": other}}}
load: {users: 2, rounds: 2, round: 500ms, warmup: 0s}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%, errors: 100%}
"""


@pytest.mark.load
def test_promise_24_a_hostile_server_acts_nowhere_and_has_no_secret_told(
    hostile, run_cli, environment, tmp_path: Path
):
    """Its names, errors and replies are in all files: harmless, short and without secrets."""
    path, out = tmp_path / "hostile.yaml", tmp_path / "out"
    path.write_text(SCENARIO.replace("LITERAL", CANARIES["literal"]))
    pem = f"-----BEGIN KEY-----\n{CANARIES['pem']}\n-----END KEY-----\n"
    env = {
        **environment,
        "CANARY_AUTH": f"Bearer {CANARIES['bearer']}",
        "CANARY_PEM": pem,
    }
    target = (
        f"mcp=http://ann:canary-pass-4c5d@127.0.0.1:{hostile}/mcp?exaApiKey={CANARIES['query']}"
    )
    ended = run_cli("run", path, "--target", target, "--out", out, env=env, timeout=120)
    assert ended.code in (0, 90, 99), ended.output
    files = {one.name: one.read_bytes().decode() for one in out.rglob("*") if one.is_file()}
    assert files.keys() >= {"journal.jsonl", "report.html", "samples.csv", "run.log", "junit.xml"}
    said = {**files, "stdout": ended.stdout, "stderr": ended.stderr}
    written = (*CANARIES.values(), "canary-pass-4c5d")
    leaks = [(name, one) for name, text in said.items() for one in written if one in text]
    assert leaks == []
    for name, text in said.items():
        assert len(text) < 1_500_000, name
        if name != "journal.jsonl":
            assert re.findall(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", text) == [], name
    assert re.findall(r"(?m)^\s*::|##\[", ended.stdout + ended.stderr) == []
    assert "y;'=1+1" in files["samples.csv"]
    assert "too large to expand" in files["report.md"]
