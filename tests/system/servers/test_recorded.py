"""Third-party agents and servers with the recorder between them: recorded and replayed.

Relays before and behind the recorder check that both sides see the same bytes.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_perf.agent.recording.journeys import made
from mcp_perf.client.channels.legacy_sse import SseChannel
from mcp_perf.client.channels.stdio import Command, StdioChannel
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.load.survey.given import of_recording
from mcp_perf.scenario.values.recordings import read_recording
from tests.support import foreign
from tests.support.wire import Relay

pytestmark = [pytest.mark.load, pytest.mark.network]

RECORD = (
    "import sys; from pathlib import Path; from mcp_perf.agent.recording.command import record; "
    "file, url, *argv = sys.argv[1:]; "
    "sys.exit(record(argv, url or None, output=Path(file), keep_arguments=True)[0])"
)
MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
SUM = "get-sum", {"a": 2, "b": 3}
GREET = "greet", {"name": "Ada"}
APP = (sys.executable, str(Path(__file__).with_name("transports_app.py")))
LIMITS = {"loop_lag_p99": "10s", "lost_time": "100%", "generator_cpu": "100%"}


def talk(client, tool, arguments):
    """Act as an agent: list the tools, and call one of them twice."""
    client.negotiate()
    tools = client.list_tools()
    for _ in range(2):
        assert client.call(Call(tools[tool], arguments)).outcome == "ok"
    client.close()


def recorded_over_http(file, server, path, said, protocol, environment):
    """Record an agent that uses a path; return the bytes before and behind the recorder."""
    behind = Relay(server.port)
    argv = [sys.executable, "-c", RECORD, file, f"http://127.0.0.1:{behind.port}{path}"]
    recorder = subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True)
    shown = recorder.stderr.readline().split()[-1]
    before = Relay(int(shown.rsplit(":", 1)[1].partition("/")[0]))
    where = Endpoint.of(f"http://127.0.0.1:{before.port}{path}", timeout_s=30.0)
    if path == "/sse":
        talk(SessionClient(SseChannel(where)), *said)
    else:
        talk(HttpClient(where, protocol), *said)
    recorder.send_signal(signal.SIGINT)
    recorder.communicate(timeout=30)
    assert recorder.returncode == 0
    before.stop()
    wire = [sorted(map(tuple, map(freeze, relay._connections))) for relay in (before, behind)]
    return (*wire, behind)


def freeze(kept):
    """Return the bytes of a connection, both ways."""
    return [bytes(way) for way in kept]


@pytest.fixture
def rerun(tmp_path, run_cli, report):
    """Make a scenario from a recording and run it, unchanged or as a replay; return the arm."""

    def run(file, *, replay):
        recording = read_recording(file)
        text, _ = made(recording, of_recording(file, recording), file, tmp_path)
        if replay:
            text = text.replace("load: {", f"load: {{replay: {file.name}}} # {{", 1)
        path, out = tmp_path / "made.yaml", tmp_path / "out"
        path.write_text(text)
        short = {} if replay else {"load.rounds": 1, "load.round": "1s", "load.warmup": "0s"}
        ended = run_cli("run", path, "--out", out, *settings(short))
        assert ended.code == 0, ended.output
        return report(out)["arms"]["mcp"]

    return run


def settings(given):
    """Return options that set these values and wide limits."""
    limits = {f"limits.{name}": value for name, value in LIMITS.items()}
    return [
        part for item in {**given, **limits}.items() for part in ("--set", f"{item[0]}={item[1]}")
    ]


PEERS = {
    "everything": ("streamableHttp", "/mcp", HANDSHAKE, SUM),
    "everything-sse": ("sse", "/sse", HANDSHAKE, SUM),
    "sdk": ("", "/mcp", MODERN, GREET),
    "sdk-2025": ("", "/mcp", HANDSHAKE, GREET),
}


@pytest.mark.parametrize("name", PEERS)
def test_both_sides_see_the_same_bytes_and_what_was_recorded_is_made_again(
    name, tmp_path, environment, start, start_everything, rerun
):
    """In either era, over HTTP and HTTP+SSE; the scenario runs without an edit."""
    transport, path, protocol, said = PEERS[name]
    server = start_everything(transport) if transport else start("sdk_app.py")
    file = tmp_path / "calls.jsonl"
    before, behind, relay = recorded_over_http(file, server, path, said, protocol, environment)
    assert before == behind
    assert any(said[0].encode() in up for up, _ in before)
    recording = read_recording(file)
    [calls] = recording.sessions.values()
    assert [call.tool for call in calls] == ["", said[0], said[0]]
    assert recording.protocol == protocol
    if name in ("everything", "sdk"):
        arm = rerun(file, replay=name == "sdk")
        assert (arm["protocol"], arm["error_rate"]) == (protocol, 0)
        assert arm["calls"] == 3 if name == "sdk" else arm["calls"] > 3
    relay.stop()


@pytest.mark.parametrize(
    ("argv", "said", "protocol"),
    [((foreign.EVERYTHING, "stdio"), SUM, HANDSHAKE), (APP, GREET, MODERN)],
)
def test_over_stdio_an_agent_notices_nothing(
    argv, said, protocol, tmp_path, environment, node_server
):
    """Its calls are ok, and each is recorded."""
    command = [*node_server(argv[0]), *argv[1:]] if argv != APP else argv
    file = tmp_path / "calls.jsonl"
    through = (sys.executable, "-c", RECORD, str(file), "", *command)
    channel = StdioChannel(Command(through, env={**environment}, timeout_s=30.0))
    talk(SessionClient(channel, "auto"), *said)
    recording = read_recording(file)
    [calls] = recording.sessions.values()
    assert [call.tool for call in calls] == ["", said[0], said[0]]
    assert recording.protocol == protocol
