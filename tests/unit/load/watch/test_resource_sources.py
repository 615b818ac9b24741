"""Where resources are read: found automatically, or as the file says, or why they are not."""

import os
import socket
import stat
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.load.targets.refusal import CONFIGURATION, Refusal
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.load.watch import sources
from mcp_perf.load.watch.process_tree import ProcessTree
from mcp_perf.load.watch.prometheus import MetricsPage
from mcp_perf.load.watch.sources import Source, find_resources, shared
from mcp_perf.scenario.model.resources import Resources
from tests.support.waiting import free_port

pytestmark = pytest.mark.process

FORKING = """
import os, socket, sys
server = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def forking():
    """Start a server that has forked a worker, which listens on the same socket."""
    pipe = subprocess.PIPE
    server = subprocess.Popen([sys.executable, "-c", FORKING], stdin=pipe, stdout=pipe, text=True)
    yield server.pid, int(server.stdout.readline())
    server.communicate()


AUTO = Resources()


def found(resources=AUTO, url="http://127.0.0.1:9", pids=None):
    """Find the source of one arm."""
    arm = SimpleNamespace(resources=resources)
    loaded = SimpleNamespace(scenario=SimpleNamespace(arms={"mcp": arm}))
    target = ArmTarget("mcp", "mcp", url, Endpoint.of(url), {}, pids=pids or {})
    return find_resources(loaded, {"mcp": target})["mcp"]


def refused(resources):
    """Return the message about resources that cannot be read."""
    with pytest.raises(Refusal) as refusal:
        found(resources)
    assert refusal.value.exit_code == CONFIGURATION
    [line] = refusal.value.lines
    assert line.startswith("arms.mcp.resources: ")
    return line


def test_a_bundled_system_is_read_by_its_processes(systems):
    """Twilio has two faces: the API alone, and the MCP server with the API that it calls."""
    pids = systems.face("twilio/mcp").pids
    assert set(pids) == {"twilio-mcp", "twilio-upstream"}
    assert systems.face("twilio/rest").pids == {"twilio-upstream": pids["twilio-upstream"]}
    mcp = found(pids=pids)
    rest = found(pids=systems.face("twilio/rest").pids)
    assert mcp.shown == "twilio-mcp, twilio-upstream"
    assert set(pids.values()) <= mcp.reader.pids
    [note] = shared({"control": rest, "mcp": mcp})
    assert note.startswith("control and mcp are served by the same process")


def test_whoever_listens_on_the_port_is_read_with_its_workers(forking):
    """If a server and its worker share a socket, the server is the root of the tree."""
    pid, port = forking
    for host in ("127.0.0.1", "localhost"):
        source = found(url=f"http://{host}:{port}/mcp")
        assert source.shown == f"{psutil.Process(pid).name()} ({pid})"
        assert source.reader.read().processes == 2


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://192.0.2.1:80", "192.0.2.1 is another machine"),
        ("http://localhost.example:80", "localhost.example is another machine"),
    ],
)
def test_another_machine_cannot_be_seen(url, said):
    """A target elsewhere is not a mistake. It is not sampled, and the reason says what could be."""
    source = found(url=url)
    assert source.reader is None
    assert said in source.why_not
    assert "prometheus" in source.why_not


def test_a_target_without_a_port_of_its_own_is_not_looked_for(monkeypatch):
    """A process that listens on port 80 here is not the target."""
    assert "by a socket file" in found(url="http+unix://%2Frun%2Fa/mcp").why_not
    far = Endpoint.of("http://localhost/mcp", proxy="http://127.0.0.1:9")
    monkeypatch.setattr(Endpoint, "of", lambda _url: far)
    assert "through a proxy; write resources: {pid: PID}" in found().why_not


def test_a_port_whose_listener_is_hidden_is_said_so(monkeypatch):
    """Other users' sockets, and all sockets on macOS, do not show their process."""

    def denied(_kind):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", denied)
    assert "cannot be seen" in found().why_not


def test_who_only_passes_calls_on_is_not_taken_for_the_target(forking, monkeypatch):
    """The proxy of a container engine uses almost nothing, so that number would be false."""
    monkeypatch.setattr(sources, "_name", lambda _pid: "docker-proxy")
    source = found(url=f"http://127.0.0.1:{forking[1]}")
    assert source.reader is None
    assert "only forwards calls" in source.why_not


def test_a_target_within_the_load_generator_is_not_sampled():
    """A server in this process cannot be distinguished from the load."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = found(url=f"http://127.0.0.1:{server.getsockname()[1]}")
    assert source.reader is None
    assert "this is the load generator" in source.why_not


def test_none_switches_it_off():
    """It is off even if the target could be seen."""
    source = found(Resources("none"), pids={"echo": os.getppid()})
    assert source == Source(why_not="The scenario says resources: none.")


def test_a_process_is_read_by_its_id(forking):
    """The address does not matter."""
    source = found(Resources("pid", str(forking[0])), url="http://192.0.2.1:80")
    assert (source.shown, type(source.reader)) == (f"process {forking[0]}", ProcessTree)


def test_a_process_that_is_not_there_is_refused():
    """A process that the file names has to exist: exit code 104, before anything is sent."""
    assert "process 4194305: this process does not exist" in refused(Resources("pid", "4194305"))


def test_the_load_generators_own_parents_are_refused():
    """Their tree would hold the load generator."""
    assert "this is the load generator" in refused(Resources("pid", str(os.getppid())))


@pytest.fixture
def engines(tmp_path, monkeypatch):
    """Put container engines on the path, each with its name and a script."""

    def install(**scripts):
        for name, script in scripts.items():
            path = tmp_path / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path))

    return install


def test_a_container_is_read_by_its_main_process(forking, engines):
    """The engine that knows the container says which process that is; others are skipped."""
    asked = '[ "$1 $2 $5" = "container inspect web" ] && echo'
    engines(docker="exit 1", podman=f"{asked} {forking[0]}")
    source = found(Resources("container", "web"))
    assert source.shown == "container web"
    assert source.reader.read().processes == 2


@pytest.mark.parametrize(
    ("scripts", "said"),
    [
        ({}, "container web cannot be found, because docker and podman are missing."),
        ({"docker": "exit 1"}, "container web is not running here."),
        ({"docker": "echo 0"}, "container web is not running here."),
        ({"docker": "echo what"}, "container web is not running here."),
        ({"podman": "echo 4194305"}, "container web: this process does not exist"),
    ],
)
def test_a_container_that_does_not_run_here_is_refused(engines, scripts, said):
    """It may be unknown, stopped, or in a virtual machine; the message is a sentence."""
    engines(**scripts)
    assert said in refused(Resources("container", "web"))


def test_a_page_of_metrics_is_tried_before_any_load():
    """A page that nobody serves is refused."""
    url = f"http://127.0.0.1:{free_port()}/metrics"
    assert f"{url} cannot be fetched" in refused(Resources("prometheus", url))


def test_arms_with_sources_of_their_own_share_nothing(forking):
    """For two processes, two pages, or an unknown process there is no note."""
    tree = found(Resources("pid", str(forking[0])))
    page = Source("http://a/", MetricsPage("http://127.0.0.1:9/a"))
    other = Source("http://b/", MetricsPage("http://127.0.0.1:9/b"))
    assert shared({"a": tree, "b": page, "c": other, "d": Source(), "e": Source()}) == []
    assert len(shared({"a": page, "b": page})) == 1
