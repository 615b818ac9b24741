"""The recorder as a process: it takes a server's place, and nobody notices."""

import json
import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_perf.agent.recording import stdio_relay
from tests.support import ROOT

pytestmark = pytest.mark.process

RECORD = (
    "import sys; from mcp_perf.cli.main import main; "
    "main(['agent', 'record', '-o', sys.argv[1], '--', *sys.argv[2:]])"
)
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}\n'


def recorder(file, *command):
    """Start a server through the recorder."""
    return subprocess.Popen(
        [sys.executable, "-c", RECORD, str(file), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def outcomes(file):
    """Return the classes of what was recorded."""
    return [json.loads(line)["outcome"] for line in file.read_text().splitlines()[1:]]


def test_every_byte_goes_on_and_the_exit_code_is_the_servers(tmp_path):
    """Binary bytes, a line of megabytes, and no line end at the end."""
    said = CALL + random.Random(2).randbytes(100_000) + b"\n" + b"x" * 3_000_000
    process = recorder(tmp_path / "calls.jsonl", "sh", "-c", "echo hello >&2; cat; exit 7")
    output, error = process.communicate(said, timeout=60)
    assert output == said
    assert process.returncode == 7
    assert error.startswith(b"hello\n")
    assert b"1 request in 1 session" in error


def test_a_message_is_known_before_it_is_passed_on():
    """Otherwise a server that answers or ends at once would do so to a call that nobody knows."""
    (source, agent), (server, sink) = os.pipe(), os.pipe()
    os.write(agent, CALL)
    os.close(agent)
    passed_on = []
    stdio_relay._pump(
        source, sink, lambda *_: passed_on.append(select.select([server], [], [], 0)[0])
    )
    assert passed_on == [[]]
    assert os.read(server, 1000) == CALL
    os.close(server)


def test_a_server_that_dies_fails_its_calls(tmp_path):
    """The agent sees the end of the output, although its own input is open."""
    file = tmp_path / "calls.jsonl"
    process = recorder(file, "sh", "-c", "read line; exit 3")
    process.stdin.write(CALL)
    process.stdin.flush()
    assert process.stdout.read() == b""
    assert process.wait(60) == 3
    assert outcomes(file) == ["transport_error"]
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_both_and_the_recording_is_whole(tmp_path, number):
    """The calls under way are interrupted."""
    file = tmp_path / "calls.jsonl"
    process = recorder(file, "sh", "-c", "read line; echo here; exec sleep 60")
    process.stdin.write(CALL)
    process.stdin.flush()
    assert process.stdout.readline() == b"here\n"
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert outcomes(file) == ["interrupted"]
    process.communicate()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux names the threads")
def test_a_signal_that_comes_to_another_thread_ends_both(tmp_path):
    """It does not interrupt what the main thread waits for, like one that comes just before."""
    process = recorder(tmp_path / "calls.jsonl", "sh", "-c", "echo here; exec cat")
    assert process.stdout.readline() == b"here\n"
    threads = {int(path.name) for path in Path(f"/proc/{process.pid}/task").iterdir()}
    os.kill(max(threads - {process.pid}), signal.SIGTERM)
    try:
        assert process.wait(30) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.communicate()


def test_traffic_goes_on_where_the_disk_is_full():
    """There is a single message about it."""
    answer = b'{"jsonrpc":"2.0","id":1,"result":{}}\n'
    process = recorder("/dev/full", "sh", "-c", f"read line; printf '%s' '{answer.decode()}'; cat")
    output, error = process.communicate(CALL + b"more\n", timeout=60)
    assert (output, process.returncode) == (answer + b"more\n", 0)
    assert error.count(b"No space left on device") == 1


def test_a_command_that_is_not_there_is_refused(tmp_path):
    """A file that cannot be written is refused, too."""
    for file, command, said in (
        (tmp_path / "calls.jsonl", "no-such-command", b"no-such-command cannot be started"),
        (tmp_path / "gone" / "calls.jsonl", "cat", b"cannot be written"),
    ):
        process = recorder(file, command)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 104
        assert said in error
        assert b"Traceback" not in error
