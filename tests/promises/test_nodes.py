"""A process without the run key takes no part in a run, and processes exchange no secrets."""

import re
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator

import msgpack
import pytest
import zmq

from tests.support import ROOT
from tests.support.waiting import answers, free_port, until

KEY = "canary-key-of-the-run"
STORE = "canary-of-the-store"
ENV = "canary-of-the-environment-0a1b2c"
"""JSON, URLs and messages all write it unchanged."""
SCENARIO = """
name: canary
title: Secrets that a master and its workers know
env: [CANARY]
vars: {secret: "${env:CANARY}"}
identities:
  provision:
    post: BASE/echo
    json: {message: "brought-${identity.number}-${env:CANARY}"}
    take: {token: message}
arms:
  rest:
    http: BASE
    headers: {X-Custom: "${identity.token}", Authorization: "Bearer ${env:CANARY}"}
journeys:
  one:
    steps: [{post: /echo, json: {message: "${secret} ${identity.token}"}}, {get: "/no/${secret}"}]
load: {users: 2, rounds: 500, round: 400ms, warmup: 0s}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%, errors: 100%}
"""


class Wire:
    """Forwards the traffic of a port in both directions, and keeps all of it."""

    def __init__(self, port: int) -> None:
        self.seen = bytearray()
        self.losing = threading.Event()
        """While it is set, what is read is not passed on. Connections are closed when it ends."""
        self._to = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, *ends: socket.socket) -> None:
        with ends[0], ends[1]:
            lost = False
            while not (lost and not self.losing.is_set()):
                for end in select.select(ends, [], [])[0]:
                    try:
                        data = end.recv(65536)
                        lost = lost or self.losing.is_set()
                        if not lost:
                            ends[end is ends[0]].sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
                    self.seen += data


@pytest.fixture
def start(command, environment, echo, tmp_path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start Locust in a role, for the scenario; its output goes to `name`."""
    started: list[subprocess.Popen] = []
    path = tmp_path / "canary.yaml"
    path.write_text(SCENARIO.replace("BASE", echo))

    def begin(name: str, *options: object, key: str = KEY) -> subprocess.Popen:
        argv = [*command("locust"), "-f", str(ROOT / "locustfiles"), "--scenario", str(path)]
        with (tmp_path / name).open("w") as said:
            process = subprocess.Popen(
                [*argv, *map(str, options)],
                env={**environment, "CANARY": ENV, "MCP_PERF_RUN_KEY": key},
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(60)


@pytest.fixture
def rogue() -> Iterator[Callable[..., list[bytes]]]:
    """Send messages to a master as a plain Locust worker does; return what comes back."""
    context = zmq.Context()

    def send(port: int, *messages: tuple) -> list[bytes]:
        with context.socket(zmq.DEALER) as opened:
            opened.setsockopt(zmq.IDENTITY, b"rogue")
            opened.setsockopt(zmq.RCVTIMEO, 60_000)
            opened.connect(f"tcp://127.0.0.1:{port}")
            for message in messages:
                opened.send(msgpack.packb(message))
            return [opened.recv() for _ in messages]

    yield send
    context.destroy(linger=0)


@pytest.mark.load
def test_promise_24_only_who_has_the_run_key_takes_part_and_no_secret_is_sent(
    start, rogue, report, tmp_path
):
    """A stranger, a late worker and forged records are reported; the run goes on without them."""
    port, out = free_port(), tmp_path / "run"
    roles = ("--master", "--master-bind-port", port, "--expect-workers", 1, "--headless")
    store = f"postgresql://me:{STORE}@127.0.0.1:1/runs"
    master = start("master.log", *roles, "--out", out, "--store", store)
    until(lambda: answers(port), "the master does not listen")
    as_worker = ("--worker", "--master-port")
    stranger = start("stranger.log", *as_worker, port, key="canary-key-of-another")
    assert stranger.wait(120) == 104
    assert "has a different run key: set" in (tmp_path / "stranger.log").read_text()
    assert not (out / "journal.jsonl").exists()

    wire = Wire(port)
    worker = start("worker.log", *as_worker, wire.port)
    journal = out / "journal.jsonl"
    until(
        lambda: journal.exists() and journal.read_text("utf-8").count('"kind":"call"') >= 3,
        lambda: (tmp_path / "master.log").read_text() + (tmp_path / "worker.log").read_text(),
    )
    late = start("late.log", *as_worker, port)
    assert late.wait(120) == 92
    assert "connected after the run had begun: start" in (tmp_path / "late.log").read_text()
    records = b'[{"type":"note","at_s":1,"code":"worker_lost","text":"forged","node":"x"}]'
    forged = (("client_ready", "2.47", "rogue"), ("mcp-perf-records", records, "rogue"))
    assert rogue(port, *forged) == [b"S", b"S"]

    master.send_signal(signal.SIGINT)
    assert master.wait(120) == 105, (tmp_path / "master.log").read_text()
    worker.wait(120)
    wire.close()
    document = report(out)
    assert document["generator"]["workers_lost"] == []
    assert document["arms"]["rest"]["classes"]["ok"] > 0
    refused = [note for note in document["notes"] if "is ignored:" in note]
    assert re.fullmatch(
        r"(?s)\S+ at 127\.0\.0\.1 is ignored: it has a different run key, or none \(.*"
        r"\S+ at 127\.0\.0\.1 is ignored: it connected after the run had begun \(.*"
        r"rogue at 127\.0\.0\.1 is ignored: it has a different run key, or none \(2 messages\)\.",
        "\n".join(refused),
    ), refused
    assert b"canary" in wire.seen  # the scenario's name: this is what went by
    for secret in (KEY, STORE, ENV, "brought-1"):
        assert secret.encode() not in wire.seen, secret


@pytest.mark.load
def test_promise_16_messages_lost_on_the_way_make_the_run_invalid(start, report, tmp_path):
    """The connection breaks within a round and comes back; what was on its way is missing."""
    port, out = free_port(), tmp_path / "run"
    roles = ("--master", "--master-bind-port", port, "--expect-workers", 1, "--headless")
    load = ("--set", "load.rounds=1", "--set", "load.round=8s")
    master = start("master.log", *roles, "--out", out, *load)
    until(lambda: answers(port), "the master does not listen")
    wire = Wire(port)
    worker = start("worker.log", "--worker", "--master-port", wire.port)
    journal = out / "journal.jsonl"
    log = tmp_path / "master.log"
    until(lambda: journal.exists() and '"kind":"call"' in journal.read_text("utf-8"), log.read_text)
    wire.losing.set()
    before = len(wire.seen)
    until(lambda: len(wire.seen) > before + 500, "the worker sends nothing")
    wire.losing.clear()
    assert master.wait(120) == 92, log.read_text()
    worker.wait(120)
    wire.close()
    [lost] = report(out)["generator"]["workers_lost"]
    assert re.fullmatch(r"\S+ \(\d+ messages? did not arrive\)", lost)


@pytest.mark.process
@pytest.mark.parametrize("role", [("--master", "--headless"), ("--worker",)])
def test_without_a_key_neither_role_begins(role, start, tmp_path):
    """104 with a message, at once."""
    ended = start("it.log", *role, "--master-port", free_port(), key="")
    assert ended.wait(120) == 104
    assert (
        "MCP_PERF_RUN_KEY is not set: set it to the same key" in (tmp_path / "it.log").read_text()
    )
