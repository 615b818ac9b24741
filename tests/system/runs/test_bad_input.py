"""Mistakes of users and targets are refused with a plain message, before anything is sent."""

import socket
import sys

import pytest

from tests.support.waiting import free_port

pytestmark = pytest.mark.process

CASE = """
name: case
title: A case
arms:
  control: {http: "REST", timeout: 1s}
  mcp: {mcp: "MCP", timeout: 1s}
journeys:
  one:
    control: [{get: /echo, query: {message: hi}}]
    mcp: [{call: echo, arguments: {message: hi}}]
load: {users: 2, rounds: 1, round: 1s, warmup: 0s}
"""
BROKEN = """
name: Broken
title: A broken scenario
arms:
  mcp: {mcp: "MCP", timeout: 10}
  mcp: {mcp: "MCP"}
journeys:
  one:
    mcp: [{call: echo, argumnets: {message: "${nmae}"}}]
load: {users: many}
gates: [mcp.p59 < 10ms, mcp.p95 < 10]
"""


@pytest.fixture
def listener():
    """Listen, accept connections and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def dead() -> str:
    """Return an address that nobody listens on."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def refuse(run_cli, tmp_path):
    """Run a command that has to be refused; return its exit code and output."""

    def run(*arguments: object, name: str = "mcp-perf") -> tuple[int, str]:
        ended = run_cli(*arguments, name=name, cwd=tmp_path, timeout=300)
        assert "Traceback" not in ended.output
        return ended.code, ended.output

    return run


def write(folder, text: str, **addresses: str):
    """Write a scenario with its addresses filled in; return its path."""
    for name, address in addresses.items():
        text = text.replace(name.upper(), address)
    path = folder / "case.yaml"
    path.write_text(text)
    return path


def test_targets_that_are_not_there_are_all_named(dead, refuse, tmp_path):
    """Exit code 108, with the address and the reason for each arm; no folder is left."""
    path = write(tmp_path, CASE, rest=dead, mcp=f"{dead}/mcp")
    code, said = refuse("run", path, "--out", tmp_path / "run")
    assert code == 108
    assert f"control: cannot reach {dead} (" in said
    assert f"mcp: cannot reach {dead}/mcp (" in said
    assert said.count("connection refused") == 2
    assert not (tmp_path / "run").exists()


def test_an_mcp_endpoint_that_is_none_is_told_from_a_dead_one(systems, refuse, tmp_path):
    """A server that answers without speaking MCP is 108 with a hint about the path."""
    base = systems.face("echo/rest").url
    path = write(tmp_path, CASE, rest=base, mcp=f"{base}/nothing-here")
    code, said = refuse("run", path)
    assert code == 108
    assert "is reachable, but not as an MCP server" in said
    assert "often ends with /mcp" in said


def test_a_server_whose_handshake_is_not_utf_8_is_refused(refuse, tmp_path):
    """108 and the received bytes, not a traceback: a name in Latin-1 is a common server mistake."""
    (tmp_path / "server.py").write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    number = json.loads(line).get('id')\n"
        '    answer = \'{"jsonrpc":"2.0","id":%d,"result":{"protocolVersion":\'\n'
        '    answer += \'"2025-11-25","serverInfo":{"name":"caf\\xe9"}}}\\n\'\n'
        "    sys.stdout.buffer.write((answer % number).encode('latin-1'))\n"
        "    sys.stdout.flush()\n"
    )
    path = write(tmp_path, CASE, rest="http://127.0.0.1:1", mcp="http://127.0.0.1:1")
    server = f"mcp=stdio:{sys.executable} server.py"
    code, said = refuse("run", path, "--arm", "mcp", "--target", server)
    assert code == 108, said
    assert "not UTF-8" in said


def test_a_target_that_never_answers_is_given_up_after_its_timeout(listener, refuse, tmp_path):
    """It accepts the connection and stays silent: 108, with the time that the run waited."""
    silent = f"http://127.0.0.1:{listener.getsockname()[1]}"
    path = write(tmp_path, CASE, rest=silent, mcp=f"{silent}/mcp")
    code, said = refuse("run", path)
    assert code == 108
    assert f"mcp: {silent}/mcp is reachable, but does not answer within 1 s" in said


def test_a_wrong_file_is_refused_with_all_its_problems_and_nothing_is_sent(
    listener, refuse, tmp_path
):
    """104, each problem with its line; no folder is made, no connection opened."""
    path = write(tmp_path, BROKEN, mcp=f"http://127.0.0.1:{listener.getsockname()[1]}/mcp")
    for command in (("run", path), ("validate", path)):
        code, said = refuse(*command)
        assert code == 104
        assert f"{path.name}:6" in said
        assert "mcp" in said
    code, said = refuse("run", write(tmp_path, BROKEN.replace('  mcp: {mcp: "MCP"}\n', "")))
    assert code == 104
    for part in ("Broken", "timeout", "argumnets", "many", "p59", "mcp.p95 < 10"):
        assert part in said
    assert {entry.name for entry in tmp_path.iterdir()} == {"case.yaml"}
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("run", "ehco"), "echo"),
        (("run", "echo", "--target", "mcp"), "write ARM=URL, such as rest=http://"),
        (("run", "echo", "--target", "mcp=127.0.0.1:80/mcp"), "write ARM=http://127.0.0.1:80/mcp"),
        (("run", "echo", "--target", "mpc=http://127.0.0.1:1/mcp"), "the arms are rest, mcp"),
        (("run", "echo", "--arm", "mcp", "--target", "mcp=system:ecoh/mcp"), "did you mean echo?"),
        (
            ("run", "echo", "--arm", "mcp", "--target", "mcp=http://127.0.0.1:99999/mcp"),
            "0-65535",
        ),
        (("run", "echo", "--arm", "mpc"), "did you mean 'mcp'?"),
        (("run", "echo", "--set", "load.usres=5"), "did you mean 'users'?"),
        (("run", "echo", "--set", "load.users"), "load.users=50"),
        (("run", "echo", "--set", "load.round=5"), "unit"),
        (("run", "echo", "--format", "pdfx"), "choose from html, json, md, csv, junit"),
        (("run", "echo", "--out", "case.txt"), "is a file; name a folder"),
        (("run", "echo", "--out", "/proc/none/run"), "name another"),
        (("report", "."), "name the folder of a run"),
        (("report", ".", "--format", "pdfx"), "choose from html, json, md, csv, junit"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused_with_a_hint(arguments, hint, refuse, tmp_path):
    """104, with the mistake and what to write instead; nothing is created."""
    (tmp_path / "case.txt").touch()
    code, said = refuse(*arguments)
    assert code == 104, said
    assert hint in said
    assert {entry.name for entry in tmp_path.iterdir()} == {"case.txt"}


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--scenario", "ehco"), "echo"),
        (("--scenario", "echo", "--target", "mpc=http://127.0.0.1:1"), "the arms are rest, mcp"),
        (("--scenario", "echo", "--set", "load.usres=5"), "did you mean 'users'?"),
    ],
    ids=str,
)
def test_locusts_own_command_refuses_in_the_same_way(arguments, hint, refuse, request):
    """`locust -f locustfiles` has the same exit code and the same words."""
    folder = request.config.rootpath / "locustfiles"
    code, said = refuse("-f", folder, "--headless", *arguments, name="locust")
    assert code == 104, said
    assert hint in said


def test_the_folder_of_another_run_is_not_written_to(refuse, tmp_path):
    """A run never mixes with an older one: 104, and the old journal is as it was."""
    old = tmp_path / "old"
    old.mkdir()
    (old / "journal.jsonl").write_text("precious")
    code, said = refuse("run", "echo", "--out", old)
    assert code == 104
    assert "name a new one" in said
    assert (old / "journal.jsonl").read_text() == "precious"


@pytest.mark.load
def test_a_tool_that_hangs_is_a_timeout_and_the_run_ends(run_cli, report, tmp_path):
    """All calls end by the step's timeout, in that class, and the run fails in time."""
    path = tmp_path / "hang.yaml"
    path.write_text(
        "name: hang\ntitle: A tool that hangs\narms: {mcp: {mcp: system:echo/mcp}}\n"
        "journeys: {one: {steps: [{call: sleep, arguments: {ms: 60000}, timeout: 300ms}]}}\n"
        "load: {users: 3, rounds: 2, round: 1s, warmup: 0s}\n"
        "limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}\n"
    )
    ended = run_cli("run", path, "--out", tmp_path / "run", timeout=300)
    assert ended.code == 99, ended.output
    arm = report(tmp_path / "run")["arms"]["mcp"]
    assert arm["classes"]["timeout"] == sum(arm["classes"].values()) > 0
    assert "Every call of mcp failed" in ended.output
