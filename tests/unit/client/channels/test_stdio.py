"""Servers as processes: their streams, their ends, and that nothing is left of them."""

import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest

from mcp_perf.client.channels import process_group
from mcp_perf.client.channels.server_log import MAX_LINE_BYTES, ErrorLines, Log
from mcp_perf.client.channels.stdio import INHERITED, Command, StdioChannel
from mcp_perf.client.errors import ConnectError, OwnLimit
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.streamable_http import Call
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.results.journal.redact import SHORTEST, Redactor
from tests.support import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.process

ECHO = Tool("echo", {"type": "object"})
SERVER = """
import json, os, signal, sys, time
def answer(message, **what):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], **what}) + "\\n")
    sys.stdout.flush()
def text(said):
    return {"content": [{"type": "text", "text": str(said)}]}
INFO = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {}}
%s
for line in sys.stdin:
    message = json.loads(line)
    method = message.get("method")
    if method == "initialize":
        answer(message, result=INFO)
    elif method == "tools/call":
        call(message, message["params"]["arguments"])
"""
PLAIN = "def call(message, arguments): answer(message, result=text(arguments))"


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Start clients of a server that is written in the test; all are closed with it."""
    monkeypatch.setattr(process_group, "GRACE_S", 0.3)
    clients = []

    def run(code=PLAIN, **options):
        source = tmp_path / f"server-{len(clients)}.py"
        source.write_text(SERVER % textwrap.dedent(code))
        options = {"cwd": str(tmp_path), "timeout_s": 10.0, **options}
        command = Command((sys.executable, str(source)), **options)
        clients.append(SessionClient(StdioChannel(command), "2025-11-25"))
        clients[-1].negotiate()
        return clients[-1]

    yield run
    for client in clients:
        client.close()


def call(client, timeout_s=None, **arguments):
    """Call the server's only tool."""
    return client.call(Call(ECHO, arguments), timeout_s=timeout_s)


def said(reply):
    """Return the text of a result."""
    assert reply.outcome == "ok", reply.detail
    return reply.json()["result"]["content"][0]["text"]


def gone(pid):
    """Tell whether a process has ended; one that only waits to be reaped has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_calls_of_any_size_arrive_whole_both_ways(serve):
    """Lines are longer than any buffer between the two processes."""
    client = serve()
    for size in (0, 1, 100_000, 3_000_000):
        assert len(said(call(client, text="ü" * size))) == len(str({"text": "ü" * size}))


def test_a_server_gets_its_folder_and_little_of_our_environment(serve, monkeypatch, tmp_path):
    """Our secrets stay here, unless the arm passes one on."""
    monkeypatch.setenv("OUR_SECRET", "x")
    monkeypatch.setenv("LANG", "C.UTF-8")
    code = """
    def call(message, arguments):
        answer(message, result=text([os.getcwd(), sorted(os.environ), os.environ["GIVEN"]]))
    """
    folder, names, given = eval(said(call(serve(code, env={"GIVEN": "value"}))))
    assert (folder, given) == (str(tmp_path), "value")
    assert {"GIVEN", "LANG", "PATH"} <= set(names)
    assert set(names) <= {"GIVEN", *INHERITED}


@pytest.mark.parametrize("argv", [("no-such-command-at-all",), ("./not-there",)])
def test_a_command_that_is_not_there_is_named(argv):
    """The message says what is missing, and no thread or process stays behind."""
    with pytest.raises(ConnectError, match="there is no command"):
        SessionClient(StdioChannel(Command(argv))).negotiate()


def test_a_file_that_cannot_be_executed_is_named(tmp_path):
    """The system's own reason is passed on."""
    (tmp_path / "plain").write_text("x")
    with pytest.raises(ConnectError, match="plain' cannot be started: Permission denied"):
        SessionClient(StdioChannel(Command(("./plain",), cwd=str(tmp_path)))).negotiate()


def test_what_a_process_wrote_last_counts_without_the_end_of_its_line(serve):
    """It may be the answer; if it is not, it says why the process ended."""
    code = """
    def call(message, arguments):
        answered = {"jsonrpc": "2.0", "id": message["id"], "result": text("bye")}
        sys.stdout.write(json.dumps(answered) if arguments.get("last") else "no config")
        sys.stdout.flush()
        sys.exit(5)
    """
    assert said(call(serve(code), last=True)) == "bye"
    reply = call(serve(code))
    assert (reply.outcome, reply.detail) == (
        "transport_error",
        "the server exited with status 5: no config",
    )


def test_a_process_that_ends_before_it_answers_is_told_with_its_last_words():
    """Its author needs to see the status and the last line of standard error."""
    code = "import sys; print('a'); print('no config\\n', file=sys.stderr); sys.exit(3)"
    client = SessionClient(StdioChannel(Command((sys.executable, "-c", code))))
    with pytest.raises(ConnectError, match="the server exited with status 3: no config"):
        client.negotiate()
    client.close()


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("print('boom', file=sys.stderr); sys.exit(4)", "exited with status 4: boom"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
        ("os.close(1); time.sleep(60)", "the server closed its output"),
    ],
)
def test_a_death_in_a_call_is_a_transport_error_and_the_next_call_starts_it_again(
    code, detail, serve
):
    """The reason is in the detail; the server is new for the next call."""
    client = serve(f"""
    def call(message, arguments):
        if arguments.get("die"):
            {code}
        answer(message, result=text(os.getpid()))
    """)
    first = said(call(client))
    reply = call(client, die=True)
    assert reply.outcome == "transport_error"
    assert detail in reply.detail
    again = call(client)
    assert again.session_lost
    assert said(again) != first
    assert client.pids() == [int(said(again))]
    assert gone(int(first))


def test_what_a_server_prints_to_its_output_is_passed_over(serve):
    """A banner, log lines and blank lines between the messages cost nothing."""
    client = serve("""
    print("Listening!\\n\\n[info] started", flush=True)
    def call(message, arguments):
        print("[debug] called", flush=True)
        answer(message, result=text("fine"))
    """)
    assert [said(call(client)) for _ in range(3)] == ["fine"] * 3


def test_a_server_that_floods_its_output_is_cut_off(serve, monkeypatch):
    """A line without an end does not fill our memory."""
    monkeypatch.setattr("mcp_perf.client.channels.stdio.MAX_REPLY_BYTES", 100_000)
    client = serve("""
    def call(message, arguments):
        while True:
            sys.stdout.write("x" * 4096)
    """)
    reply = call(client)
    assert reply.outcome == "transport_error"
    assert "a line of more than 100000 bytes" in reply.detail


def test_standard_error_is_drained_and_kept_up_to_a_limit(serve, tmp_path):
    """A server that writes a lot there goes on; its log does not fill the disk."""
    path = tmp_path / "logs" / "arm.log"
    client = serve(
        """
        def call(message, arguments):
            sys.stderr.write("e" * 3_000_000)
            answer(message, result=text("fine"))
        """,
        log=Log(path, left=1000),
    )
    assert said(call(client)) == "fine"
    client.close()
    assert path.read_bytes() == b"e" * 1000 + b"\n(the log is full; the rest was dropped)\n"


def test_a_server_that_does_not_read_is_a_timeout_and_is_replaced(serve):
    """A line that was sent in part cannot be followed by another."""
    client = serve("""
    def call(message, arguments):
        answer(message, result=text("fine"))
        time.sleep(60)
    """)
    assert said(call(client)) == "fine"
    reply = call(client, timeout_s=0.2, text="x" * 3_000_000)
    assert (reply.outcome, reply.detail) == ("timeout", "the server does not read its input")
    assert said(call(client)) == "fine"


def test_a_call_that_is_given_up_is_cancelled(serve):
    """The server hears of it, and its next answer goes to the next call."""
    client = serve("""
    def call(message, arguments):
        if arguments.get("silent"):
            cancelled = json.loads(sys.stdin.readline())
            assert cancelled["method"] == "notifications/cancelled"
            assert cancelled["params"]["requestId"] == message["id"]
        else:
            answer(message, result=text("fine"))
    """)
    assert call(client, timeout_s=0.2, silent=True).outcome == "timeout"
    assert said(call(client)) == "fine"


def test_pings_are_answered_also_when_no_call_waits(serve):
    """A server that checks on its client hears from it at any time."""
    client = serve("""
    def call(message, arguments):
        answer(message, result=text("fine"))
        sys.stdout.write('{"jsonrpc":"2.0","id":"p","method":"ping"}\\n')
        sys.stdout.flush()
        pong = json.loads(sys.stdin.readline())
        assert pong == {"jsonrpc": "2.0", "id": "p", "result": {}}
        with open("pong", "w"):
            pass
    """)
    assert said(call(client)) == "fine"
    until((Path(client.channel.command.cwd) / "pong").exists)


STUBBORN = """
import subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
def call(message, arguments):
    answer(message, result=text([os.getpid(), child.pid]))
    time.sleep(600)
"""


def test_closing_ends_the_whole_group_also_against_its_will(serve):
    """A server that ignores the end of its input and SIGTERM is killed with its children."""
    client = serve(STUBBORN)
    server, child = eval(said(call(client)))
    assert client.pids() == [server]
    client.close()
    assert client.pids() == []
    assert gone(server)
    assert gone(child)


def test_a_child_that_outlives_its_server_is_ended_with_it(serve):
    """A server that exits alone may leave something behind in its group."""
    client = serve("""
    import subprocess
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    def call(message, arguments):
        answer(message, result=text(child.pid))
    """)
    child = int(said(call(client)))
    client.close()
    assert gone(child)


LEAVES = """
import subprocess
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
def call(message, arguments):
    if arguments.get("die"):
        sys.exit(3)
    answer(message, result=text(child.pid))
"""


def test_what_a_server_leaves_behind_is_named_by_pid_and_command(serve):
    """Its call ends with the process, though what it left holds its output open."""
    client = serve(LEAVES)
    child = int(said(call(client)))
    reply = call(client, die=True)
    assert reply.outcome == "transport_error"
    assert "the server exited with status 3; when the server ended, it left behind" in reply.detail
    assert f"the processes {child} ({sys.executable} -c import time" in reply.detail
    assert client.channel.remarks() == []
    assert call(client).session_lost
    assert gone(child)
    client.close()
    assert [f"left behind the processes {child} " in one for one in client.terms.remarks] == [True]


def test_what_is_left_when_the_input_is_closed_is_a_remark_of_one_client(serve):
    """The arm's other clients do not repeat it; a process that ends unasked does not count."""
    client = serve(LEAVES)
    child = int(said(call(client)))
    other = SessionClient(StdioChannel(client.channel.command), "2025-11-25")
    other.negotiate()
    for one in (client, other):
        one.close()
    assert [f"{child} (" in one for one in client.terms.remarks] == [True]
    assert other.terms.remarks == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
def test_who_is_dead_and_not_reaped_is_not_waited_for(serve):
    """So it is in a container whose first process reaps nobody; this process plays it here."""
    prctl, subreaper = ctypes.CDLL(None).prctl, 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h
    client = serve(LEAVES)
    child = int(said(call(client)))
    prctl(subreaper, 1)
    try:
        assert call(client, die=True).outcome == "transport_error"
        group = client.channel._running.group
        os.kill(child, signal.SIGKILL)
        assert group._gone_within(600)
        assert os.waitpid(child, 0)[0] == child
    finally:
        prctl(subreaper, 0)


def test_what_has_left_the_group_is_named_too(serve):
    """It is found by the standard error that it got from the server; we may not end it."""
    client = serve(LEAVES.replace('time.sleep(600)"]', 'time.sleep(600)"], start_new_session=True'))
    child = int(said(call(client)))
    client.close()
    os.kill(child, signal.SIGKILL)
    assert [f"{child} (" in one for one in client.terms.remarks] == [True]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_the_generator_is_killed(number, tmp_path):
    """However this process ends, the guard ends what it started."""
    (tmp_path / "server.py").write_text(SERVER % STUBBORN)
    code = """
import sys, time
from mcp_perf.client.mcp.streamable_http import Call
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.channels.stdio import Command, StdioChannel
from mcp_perf.client.protocol.tools import Tool
client = SessionClient(StdioChannel(Command((sys.executable, "server.py"))), "2025-11-25")
client.negotiate()
reply = client.call(Call(Tool("echo", {}), {}))
print(reply.json()["result"]["content"][0]["text"], flush=True)
time.sleep(600)
"""
    generator = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        left = eval(generator.stdout.readline())
        assert not any(gone(pid) for pid in left)
        generator.send_signal(number)
        generator.wait(10)
        until(lambda: all(gone(pid) for pid in left))
    finally:
        generator.kill()
        generator.wait()
        generator.stdout.close()


def test_a_reader_that_breaks_tells_its_end(monkeypatch):
    """Whatever goes wrong with a message, nobody waits for the next one."""
    monkeypatch.setattr(process_group, "GRACE_S", 0.3)
    failed, ends = [], []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    code = "import sys; print('{}', flush=True); sys.stdin.read()"
    channel = StdioChannel(Command((sys.executable, "-c", code)))
    channel.open({}.pop, ends.append)
    until(lambda: ends)
    channel.close()
    assert [failure.exc_type for failure in failed] == [KeyError]


def test_a_stop_that_is_interrupted_kills_the_group(serve, monkeypatch):
    """Nothing of a stubborn server is left, and its process counts until it is gone."""
    client = serve(STUBBORN)
    server, child = eval(said(call(client)))
    pids, counted = client.channel.command.pids, []

    def interrupt(_group, _seconds):
        counted.extend(pids)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(process_group.ProcessGroup, "_gone_within", interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.close()
    assert (counted, pids) == ([server], set())
    until(lambda: gone(server) and gone(child))


def test_a_group_that_may_not_be_signalled_is_left_to_itself(serve, monkeypatch):
    """Closing does not wait for ever, for example for a server that sudo has started."""
    client = serve("def call(message, arguments): time.sleep(600)")
    call(client, timeout_s=0.05)
    group = client.channel._running.group

    def refuse(*_signal):
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(os, "killpg", refuse)
        closing = threading.Thread(target=client.close, daemon=True)
        closing.start()
        closing.join(10)
    left = closing.is_alive()
    group.stop()
    assert not left


def test_a_start_without_free_descriptors_says_so_and_keeps_none(monkeypatch):
    """What was opened before the limit was reached is closed again."""
    pairs, make = [], socket.socketpair

    def scarce():
        if len(pairs) == 2:
            raise OSError(errno.EMFILE, "Too many open files")
        pairs.append(make())
        return pairs[-1]

    monkeypatch.setattr(socket, "socketpair", scarce)
    with pytest.raises(OwnLimit, match="too many open files in the load generator"):
        StdioChannel(Command(("x",))).open(print, print)
    assert [end.fileno() for pair in pairs for end in pair] == [-1] * 4


SECRET = "s3cr3t-välue-of-an-arm"


@pytest.fixture
def kept(tmp_path):
    """Return standard error that is kept without a secret, and a way to see the file."""
    path = tmp_path / "arm.log"
    return ErrorLines(Log(path, Redactor([SECRET]).text)), path.read_text


@pytest.mark.parametrize("size", [1, 5, 7, 65536])
def test_a_secret_on_standard_error_is_not_kept_in_pieces_of_any_size(kept, size):
    """Pieces are searched in whole lines, even if the last line does not end."""
    lines, read = kept
    data = f"first\nkey {SECRET} used\n\nlast {SECRET}".encode()
    for at in range(0, len(data), size):
        lines.feed(data[at : at + size])
    lines.end()
    assert read() == "first\nkey [redacted] used\n\nlast [redacted]\n"


@pytest.mark.parametrize("seen", range(SHORTEST, len(SECRET.encode())))
def test_a_secret_across_the_cut_of_a_long_line_is_not_kept(kept, seen):
    """The beginning of a secret is removed as well, wherever the line is cut."""
    lines, read = kept
    before = b"x" * (MAX_LINE_BYTES - seen)
    lines.feed(before + SECRET.encode() + b"y" * 100_000)
    lines.feed(b"y" * 10 + b"\nnext\n")
    assert read() == f"{before.decode()}[redacted]…\nnext\n"
    assert lines.last == "next"


def test_the_last_words_of_a_server_end_at_a_mark_where_they_are_cut():
    """The mark shows the redactor that a secret may begin there."""
    code = "import sys; sys.exit('e' * 1000)"
    client = SessionClient(StdioChannel(Command((sys.executable, "-c", code))))
    with pytest.raises(ConnectError, match=r"status 1: e{300}…$"):
        client.negotiate()
    client.close()
