"""Open sessions in real runs: the report equals the server's counts, on one clock."""

import subprocess
import threading
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.load
SCENARIO = """
name: open-sessions
title: Users who hold a session each
arms:
  mcp: {mcp: "URL", protocol: 2025-11-25, stream: true}
journeys:
  echo: {steps: [{call: echo, arguments: {message: here}}]}
load: {shape: ramp, users: USERS, rounds: 6, round: 600ms, warmup: 0s, think: 300ms}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
gates: [mcp.sessions >= USERS, mcp.sessions <= USERS, mcp.session_kib < 1MiB]
"""


class Observer:
    """Polls the server's number of sessions and streams until it is stopped."""

    def __init__(self, server):
        self.seen = set()
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_error):
        self._over.set()
        self._thread.join()

    def _watch(self):
        while not self._over.wait(0.02):
            counters = self._server.get("/_counters")
            self.seen.add((counters["sessions_open"], counters["streams_open"]))


@pytest.fixture
def run(command, environment, tmp_path):
    """Run the scenario against a server; return exit code, output and folder."""

    def go(url, users, *options) -> tuple[int, str, Path]:
        (tmp_path / "open.yaml").write_text(
            SCENARIO.replace("URL", url).replace("USERS", str(users))
        )
        out = tmp_path / "out"
        argv = [*command("mcp-perf"), "run", str(tmp_path / "open.yaml"), "--out", str(out)]
        done = subprocess.run(
            [*argv, *options],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr, out

    return go


@pytest.mark.parametrize("spread", [(), ("--processes", "2")], ids=["one", "two"])
def test_the_servers_own_count_is_the_reports(start_system, run, report, spread):
    """At each level the server has the reported sessions and streams; at the end it has none."""
    server = start_system()
    with Observer(server) as observer:
        code, said, out = run(server.url, 60, *spread)
    assert code == 0, said
    told = report(out)
    arm = told["arms"]["mcp"]["sessions"]
    assert (arm["most"], arm["streams"], arm["left"], arm["levels"]) == (60, 60, 0, 6)
    assert max(observer.seen) == (60, 60)
    # The levels of the ramp, each with as many streams: both sides saw all of them.
    levels = {(n, n) for n in range(10, 61, 10)}
    assert levels <= observer.seen
    assert levels <= {(point["open"], point["streams"]) for point in told["sessions"]}
    counters = server.get("/_counters")
    assert (counters["sessions_open"], counters["streams_open"]) == (0, 0)
    assert told["sessions"][-1]["open"] == 0
    assert arm["kib_ci95"][0] <= arm["kib"] <= arm["kib_ci95"][1]
    assert told["generator"]["sessions"]["most"] == 60
    assert told["arms"]["mcp"]["setup"]["GET stream"]["classes"]["ok"] == 60


def test_a_thousand_sessions_in_one_process(start_system, run, report):
    """All have streams, the memory is known on both sides, and nothing is left at the end."""
    server = start_system()
    code, said, out = run(server.url, 1000, "--spawn-rate", "1000")
    assert code == 0, said
    assert "users, " in said
    told = report(out)
    arm, own = told["arms"]["mcp"]["sessions"], told["generator"]["sessions"]
    assert (arm["most"], arm["streams"], arm["left"]) == (1000, 1000, 0)
    assert arm["kib"] > 0
    assert own["kib"] > 0
    assert told["generator"]["processes"] == 1
    assert server.get("/_counters")["sessions_open"] == 0


def test_sessions_that_are_left_behind_end_by_themselves(start_system, until):
    """Without a DELETE, the server keeps them for its idle time and no longer."""
    server = start_system("--session-idle", "1s")
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    headers = {"Accept": "application/json, text/event-stream"}
    for _ in range(5):
        httpx.post(server.url, json=message, headers=headers, trust_env=False).raise_for_status()
    assert server.get("/_counters")["sessions_open"] > 0
    until(lambda: server.get("/_counters")["sessions_open"] == 0, "they are kept", 120)
