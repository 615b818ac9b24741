"""Starting and stopping the bundled systems: nothing may be left running in any case."""

import ast
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

import mcp_targets
from mcp_targets.launcher import catalog
from mcp_targets.launcher import systems as launcher
from mcp_targets.launcher.systems import Systems, UnknownSystem, available
from mcp_targets.serving.processes import SystemFailed
from tests.support.waiting import until

pytestmark = pytest.mark.process

DEADLINE_S = 120


def gone(pid):
    """Return whether a process has ended, reaped or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_gone(pids):
    """Poll until all processes have ended; fail at the deadline."""
    until(lambda: all(gone(pid) for pid in pids), f"still there: {pids}", DEADLINE_S)


def test_a_system_starts_when_a_face_is_asked_for(tmp_path):
    """Not before, and only what the face needs; each process logs to its own file."""
    with Systems(tmp_path / "logs") as systems:
        assert systems.pids() == {}
        face = systems.face("twilio/rest")
        assert sorted(systems.pids()) == ["twilio-upstream"]
        assert httpx.get(f"{face.url}/_counters").status_code == 200
        assert systems.face("twilio/rest") == face
        assert systems.face("twilio/mcp").url.endswith("/mcp")
        assert sorted(systems.pids()) == ["twilio-mcp", "twilio-upstream"]
        assert systems.dead() == []
    logs = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert logs == ["twilio-mcp.log", "twilio-upstream.log"]


def test_stopping_leaves_nothing_behind(tmp_path):
    """Stopping twice is harmless; a stopped system can be started again."""
    systems = Systems(tmp_path)
    systems.face("echo/mcp")
    pids = list(systems.pids().values())
    systems.stop()
    assert all(gone(pid) for pid in pids)
    assert systems.pids() == {}
    systems.stop()
    assert httpx.get(f"{systems.face('echo/rest').url}/_counters").status_code == 200
    systems.stop()


def test_faces_bring_what_scenarios_look_up(systems):
    """Each face works in its own account."""
    rest = systems.face("twilio/rest").variables
    mcp = systems.face("twilio/mcp").variables
    assert set(rest) == set(mcp) == {"account", "workspace", "from_number"}
    assert not set(rest.values()) & set(mcp.values())
    assert systems.face("echo/mcp").variables == {}


def test_a_stdio_face_is_told_where_its_simulator_is(systems):
    """All users share the simulator, which is reported like the one of other faces."""
    face = systems.face("twilio/stdio")
    rest = systems.face("twilio/rest")
    assert face.url.startswith("stdio:")
    assert "stdio.py twilio --upstream-ready" in face.url
    assert face.upstream == rest.upstream == rest.url
    assert face.pids == rest.pids == {"twilio-upstream": systems.pids()["twilio-upstream"]}
    assert face.variables != rest.variables


def test_flags_reach_the_program_of_a_stdio_face(systems):
    """As options after its own."""
    face = systems.face("dual_runtime/stdio?preset=control&pool=on")
    assert face.url.endswith("--pool on --preset control")
    assert list(face.pids) == ["dual-upstream"]


def test_what_is_simulated_is_said_in_sentences(tmp_path):
    """Only for systems that were started."""
    with Systems(tmp_path) as systems:
        assert systems.simulated() == []
        systems.face("echo/mcp")
        assert systems.simulated() == []
        systems.face("twilio/mcp")
        assert systems.simulated() == [
            "Twilio REST API (upstream simulator; log-normal service time, median 4 ms)",
        ]
        systems.face("dual_runtime/mcp?preset=dual&rtt=20ms")
        systems.face("dual_runtime/mcp?preset=dual&rtt=5ms")
        systems.face("dual_runtime/mcp?preset=control&rtt=5ms")
        told = systems.simulated()[1:]
        assert len(told) == len({one.partition(" (")[0] for one in told}) == 9
        assert all("RTT 20 ms or 5 ms, 3 more round trips" in one for one in told)


def test_systems_are_listed_without_starting_any():
    """Name, summary, faces."""
    listed = {info.name: info for info in available()}
    assert listed["twilio"].faces == listed["echo"].faces == ("mcp", "rest", "stdio")
    assert all(info.summary for info in listed.values())


@pytest.mark.parametrize(
    ("ref", "complaint"),
    [
        (
            "twilo/mcp",
            (
                r"there is no bundled system 'twilo'; did you mean twilio\? \(there "
                r"are echo, twilio, ladder, "
            ),
        ),
        (
            "nothing/mcp",
            "there is no bundled system 'nothing'; there are echo, twilio, ladder, dual_runtime",
        ),
        (
            "echo/grpc",
            "no face 'grpc' for system 'echo'; there are mcp, rest, stdio. Write echo/mcp",
        ),
        ("echo", "no face given for system 'echo'; there are mcp, rest, stdio. Write echo/mcp"),
        ("twilio/res", "did you mean rest"),
        ("", "no bundled system ''"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(tmp_path, ref, complaint):
    """Nothing is started."""
    with Systems(tmp_path) as systems:
        with pytest.raises(UnknownSystem, match=complaint):
            systems.face(ref)
        assert systems.pids() == {}


def test_a_system_that_does_not_start_says_why(tmp_path, monkeypatch):
    """The log's name and its last lines are in the message, and nothing is left running."""
    broken = catalog.System(
        "broken",
        (
            catalog.Process("good", "echo"),
            catalog.Process("bad", "echo", ("--delay", "soon", "{good}")),
        ),
        {"mcp": catalog.FaceSpec("bad")},
    )
    monkeypatch.setitem(catalog.SYSTEMS, "broken", broken)
    started = []
    original = launcher.Child

    def recording(*arguments):
        started.append(original(*arguments))
        return started[-1]

    monkeypatch.setattr(launcher, "Child", recording)
    with Systems(tmp_path) as systems:
        with pytest.raises(SystemFailed) as failed:
            systems.face("broken/mcp")
        assert systems.pids() == {}
    message = str(failed.value)
    assert "the process bad ended before it was ready" in message
    assert str(tmp_path / "bad.log") in message
    assert "'soon' is not a duration" in message
    assert [gone(child.pid) for child in started] == [True, True]


def test_a_process_that_dies_is_noticed(tmp_path):
    """By name, and when one of its faces is requested."""
    with Systems(tmp_path) as systems:
        systems.face("echo/mcp")
        pid = systems.pids()["echo"]
        os.kill(pid, signal.SIGKILL)
        until(lambda: systems.dead() == ["echo"], "nobody noticed", DEADLINE_S)
        with pytest.raises(SystemFailed, match=r"the process echo has ended. Its log is .*echo"):
            systems.face("echo/rest")


PARENT = """
import os, signal, sys, time
{patch}
from pathlib import Path
from mcp_targets.launcher.systems import Systems
systems = Systems(Path(sys.argv[1]))
for face in {faces}: systems.face(face)
print(*systems.pids().values(), systems.face("echo/rest").url, flush=True)
{then}
"""
GEVENT = "from gevent import monkey; monkey.patch_all()"
WAIT = "time.sleep(60)"
FORK = "child = os.fork()\nif child: print(child, flush=True)\ntime.sleep(60)"


@contextlib.contextmanager
def parent(tmp_path, then, patch="", faces=("echo/rest",)):
    """Run a program that starts systems; give it, the systems' pids and echo's address."""
    script = PARENT.format(then=then, patch=patch, faces=faces)
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        *pids, url = run.stdout.readline().split()
        try:
            yield run, [int(pid) for pid in pids], url
        finally:
            run.kill()


@pytest.mark.parametrize("patch", ["", GEVENT], ids=["plain", "gevent"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_systems_end_when_their_parent_is_killed(tmp_path, how, patch):
    """In any way, and also if gevent has patched the standard library."""
    faces = ("twilio/mcp", "echo/rest")
    with parent(tmp_path, WAIT, patch, faces) as (run, pids, _):
        assert len(pids) == 3
        assert not any(gone(pid) for pid in pids)
        os.kill(run.pid, how)
        wait_until_gone(pids)


@pytest.mark.parametrize("patch", ["", GEVENT], ids=["plain", "gevent"])
@pytest.mark.parametrize("then", ["", "raise SystemExit(3)", "systems.stop()"])
def test_systems_end_with_their_parent(tmp_path, then, patch):
    """Whether or not it remembers to stop them."""
    with parent(tmp_path, then, patch) as (run, pids, _):
        run.wait(DEADLINE_S)
        wait_until_gone(pids)


def test_a_forked_worker_neither_keeps_systems_alive_nor_stops_them(tmp_path):
    """The worker lives on while its parent, and with it the systems, are gone."""
    with parent(tmp_path, FORK) as (run, pids, _):
        worker = int(run.stdout.readline())
        os.kill(run.pid, signal.SIGKILL)
        wait_until_gone(pids)
        assert not gone(worker)
        os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize("patch", ["", GEVENT], ids=["plain", "gevent"])
def test_a_forked_worker_that_ends_leaves_the_systems_running(tmp_path, patch):
    """Its exit handlers are copies of the parent's."""
    then = "child = os.fork()\nif not child: sys.exit()\nos.waitpid(child, 0)\nprint('waited')\n"
    with parent(tmp_path, then + "sys.stdout.flush()\n" + WAIT, patch) as (run, pids, url):
        assert run.stdout.readline() == "waited\n"
        assert not any(gone(pid) for pid in pids)
        assert httpx.get(f"{url}/_counters").status_code == 200


def test_ctrl_c_is_for_the_parent_only(tmp_path):
    """The parent must drain the load while the systems still answer."""
    then = "signal.signal(signal.SIGINT, lambda *_: print('caught', flush=True))\n"
    then += "print('ready', flush=True)\nwhile True: time.sleep(60)"
    with parent(tmp_path, then) as (run, pids, url):
        assert run.stdout.readline() == "ready\n"
        os.killpg(run.pid, signal.SIGINT)
        assert run.stdout.readline() == "caught\n"
        assert httpx.post(f"{url}/echo", json={"message": "x"}).status_code == 200
        assert not any(gone(pid) for pid in pids)


@pytest.mark.parametrize(
    ("module", "arguments", "names"),
    [
        ("echo", [], ["mcp", "rest"]),
        ("upstream", ["--provider", "twilio"], ["twilio"]),
        ("twilio", [], ["mcp", "rest"]),
    ],
)
def test_a_system_can_be_started_by_hand(module, arguments, names):
    """It prints its addresses, ignores its standard input, and ends quietly on Ctrl-C."""
    command = [sys.executable, "-m", f"mcp_targets.{module}", *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        try:
            lines = list(iter(run.stdout.readline, "Ctrl-C stops it.\n"))
            found = dict(line.split()[:2] for line in lines[1:])
            children = [child.pid for child in psutil.Process(run.pid).children()]
            assert list(found) == names
            for url in found.values():
                assert httpx.get(url).status_code in {400, 404, 405, 406}
            run.send_signal(signal.SIGINT)
            assert run.wait(DEADLINE_S) == 0
            assert run.stderr.read() == ""
        finally:
            run.kill()
    wait_until_gone(children)


def test_systems_share_no_code_with_the_client_nor_with_locust():
    """A shared bug could hide itself."""
    folder = Path(mcp_targets.__file__).parent
    forbidden = ("mcp_perf", "locust", "gevent")
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [name for name in names if name.startswith(forbidden)], path
