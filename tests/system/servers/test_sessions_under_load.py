"""Servers that lose, refuse or hang, through the command: the messages and the verdict."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytestmark = pytest.mark.load

SCENARIO = """
name: sessions
title: A server with sessions
arms: {mcp: {mcp: "URL", timeout: 3s}}
journeys: {echo: {steps: [{call: echo, arguments: {text: hello}}]}}
load: {users: 6, rounds: 2, round: 1s, warmup: 0s, think: 50ms}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
"""
TOOL = {"name": "echo", "inputSchema": {"type": "object"}}
USERS, MOST = 6, 3


class Server(ThreadingHTTPServer):
    """Keeps sessions, and treats them according to its `kind`."""

    daemon_threads = True

    def __init__(self, kind: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kind = kind
        self.sessions: list[str] = []
        self.counts = Counter()
        self.lock = threading.Lock()
        self.over = threading.Event()

    def answer(self, method: str, session: str) -> tuple[int, object, dict[str, str]]:
        """Return the status, the result (or the refusal), and headers."""
        self.counts[method] += 1
        full = len(self.sessions) >= MOST
        if method == "server/discover":
            return 400, b"Bad Request", {}
        if method == "initialize":
            if full and self.kind == "refuses":
                return 503, b"Too many sessions", {"Retry-After": "1"}
            if full and self.kind == "evicts":
                self.sessions.pop(0)
            self.sessions.append(f"s{self.counts[method]}")
            return 200, {"protocolVersion": "2025-11-25"}, {"Mcp-Session-Id": self.sessions[-1]}
        if session not in self.sessions:
            return (500, b"E17", {}) if self.kind == "forgets" else (404, b"", {})
        if method == "tools/list":
            return 200, {"tools": [TOOL, {"name": "odd"}], "nextCursor": "again"}, {}
        # Once, when every user has a session, as had the test of the server.
        everybody = self.counts["initialize"] > USERS and self.counts["tools/call"] > 5 * USERS
        if self.kind == "forgets" and everybody and not self.counts["forgot"]:
            self.counts["forgot"] += 1
            self.sessions.clear()
        return 200, {"content": []}, {}


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for the server."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a message."""
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "id" not in message:
            self.reply(202, b"", {})
            return
        if (self.server.kind, message["method"]) == ("hangs", "server/discover"):
            self.server.over.wait(30)
        with self.server.lock:
            found = self.server.answer(message["method"], self.headers.get("Mcp-Session-Id", ""))
        status, result, headers = found
        if isinstance(result, bytes):
            self.reply(status, result, headers)
        else:
            body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            self.reply(status, json.dumps(body).encode(), headers)

    def do_DELETE(self) -> None:
        """Forget a session."""
        with self.server.lock:
            named = self.headers.get("Mcp-Session-Id")
            self.server.sessions = [one for one in self.server.sessions if one != named]
        self.reply(204, b"", {})

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Write a response."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture
def started():
    """Start servers, each for one test."""
    servers = []

    def start(kind: str) -> Server:
        servers.append(Server(kind))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.over.set()
        server.shutdown()
        server.server_close()


CASES = {
    "evicts": (90, "sessions_lost", "evicted", "the server evicts them"),
    "forgets": (99, "sessions_lost", "restarted", "no longer knows the session"),
    "refuses": (99, "users_without_session", "refused", "3 of 6 users of mcp had no session"),
    "hangs": (0, "passed", "", "server/discover failed"),
}


@pytest.mark.parametrize("kind", CASES)
def test_promise_30_what_became_of_the_sessions_is_said_and_judged(
    kind, started, run_cli, report, tmp_path
):
    """Healed and refused runs do not pass; a hanging probe is not a failure.

    In each of them, an odd tool and an endless cursor have no effect.
    """
    code, reason, how, says = CASES[kind]
    server = started(kind)
    path = tmp_path / "case.yaml"
    url = f"http://127.0.0.1:{server.server_address[1]}/mcp"
    path.write_text(SCENARIO.replace("URL", url))
    # A session may be evicted before its first call is made.
    more = ("--set", "limits.errors=50%") if kind == "evicts" else ()
    ended = run_cli("run", path, *more, "--out", tmp_path / "run", timeout=120)
    document = report(tmp_path / "run")
    assert ended.code == code, ended.output
    assert reason in [one["code"] for one in document["reasons"]]
    text = ended.output + " ".join(document["notes"])
    assert says in text
    assert "the tool 'odd' cannot be called" in text
    assert "the cursor 'again' came again" in text
    arm = document["arms"]["mcp"]
    assert set(arm["sessions_lost_by"]) == ({how} if how else set())
    assert (arm["session_loss_rate"] > 0) is (kind in ("evicts", "forgets"))
    assert server.counts["initialize"] < 200 + arm["sessions_lost"]
