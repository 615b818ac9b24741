"""Where recorded calls go: to a disk that may be full, and a session API that may be away."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mcp_perf.agent.recording.sinks import RecordingFile, SessionApi
from mcp_perf.scenario.problems.wording import InputError
from mcp_perf.scenario.values.recordings import SCHEMA, RecordedCall, RecordingHead, read_recording

HEAD = RecordingHead(schema=SCHEMA, started="2026-11-30T00:00:00+00:00", target="x", arguments=True)


def call(session="s", outcome="ok", method="tools/call"):
    """Return a call."""
    made = {"transport": "http", "ms": 1.5, "bytes_out": 3, "tokens_in": 4, "arguments": {}}
    return RecordedCall(
        at_ms=0, session=session, outcome=outcome, method=method, tool="echo", **made
    )


def test_a_recording_goes_on_behind_another(tmp_path):
    """The other one's last line may be torn; nobody else can read the file."""
    path = tmp_path / "calls.jsonl"
    path.write_bytes(b'{"schema":"' + SCHEMA.encode() + b'","started":"2026-11-30","target":"x",')
    for session in ("a", "b"):
        file = RecordingFile(path, HEAD, print)
        file.write(call(session))
        assert (file.calls, file.sessions) == (1, {session})
    lines = path.read_bytes().split(b"\n", 1)
    path.write_bytes(lines[1])
    assert [*read_recording(path).sessions] == ["a", "b"]
    new = tmp_path / "new.jsonl"
    RecordingFile(new, HEAD, print)
    assert new.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_told_once():
    """Calls that are not in the file are not counted."""
    said = []
    file = RecordingFile(Path("/dev/full"), HEAD, said.append)
    file.write(call())
    file.write(call())
    assert (len(said), file.calls) == (1, 0)
    assert "No space left on device. Traffic continues" in said[0]


@pytest.fixture
def api():
    """Serve a session API that keeps what it receives."""
    told = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append((self.path, self.headers["Authorization"], body))
            self.send_response(201)
            self.end_headers()
            self.wfile.write(json.dumps({"sessionId": f"id-{len(told)}"}).encode())

        def log_message(self, *_args):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", told
        server.shutdown()


def test_the_session_api_hears_of_the_calls_of_tools(api):
    """Each of the agent's sessions gets one, complete at the end; the key is in the address."""
    address, told = api
    sink = SessionApi(f"{address}/?key=k-1", {"mode": "mcp", "taskNumber": 2}, print)
    for one in (call("a"), call("a", method="ping"), call("b", "tool_error"), call("a")):
        sink.write(one)
    sink.close()
    assert [path.removeprefix("/api/metrics/sessions") for path, _, _ in told] == [
        *("", "/id-1/api-calls", "", "/id-3/api-calls", "/id-1/api-calls"),
        *("/id-1/complete", "/id-3/complete"),
    ]
    assert {key for _, key, _ in told} == {"Bearer k-1"}
    assert told[0][2] == {"mode": "mcp", "taskNumber": 2}
    assert told[3][2] == {
        "endpoint": "echo",
        "method": "tools/call",
        "success": False,
        "details": {"outcome": "tool_error"},
        "durationMs": 1.5,
        "tokensIn": 4,
        "tokensOut": 0,
    }
    assert [body["success"] for _, _, body in told[-2:]] == [True, False]


def test_a_session_api_that_is_away_is_told_once(monkeypatch):
    """The number of calls does not matter."""
    monkeypatch.setenv("MCP_PERF_AGENT_KEY", "k-2")
    said = []
    sink = SessionApi("http://127.0.0.1:1", {}, said.append)
    sink.write(call("a"))
    sink.write(call("b"))
    sink.close()
    assert len(said) == 1
    assert "Connection refused" in said[0]


def test_a_session_api_that_does_not_speak_http_is_told_once():
    """The thread that sends goes on, and so does the traffic."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(2):
                with server.accept()[0] as connection:
                    connection.recv(65536)
                    connection.sendall(b"220 mail.example.com\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        said = []
        sink = SessionApi(f"http://127.0.0.1:{server.getsockname()[1]}", {}, said.append)
        sink.write(call("a"))
        sink.write(call("b"))
        sink.close()
        thread.join(5)
    assert len(said) == 1
    assert "does not accept the calls (220 mail.example.com" in said[0]


@pytest.mark.parametrize("url", ["127.0.0.1:1", "http://[::1", "http://127.0.0.1:http", "http:///"])
def test_a_session_api_without_an_address_is_refused(url):
    """The message says that it is not an address."""
    with pytest.raises(InputError, match="is not an address"):
        SessionApi(url, {}, print)
