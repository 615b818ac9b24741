"""Real servers in separate processes, on free ports of this machine."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from shlex import join
from typing import Final

import pytest

from tests.support import foreign
from tests.support.waiting import answers, free_port, until

_HERE: Final = Path(__file__).parent
_READY_S: Final = 120.0


class Server:
    """A server's process; its output goes into a file."""

    def __init__(self, argv: list[str], env: dict[str, str], log: Path, port: int) -> None:
        self.argv = argv
        self.env = env
        self.log = log
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self.url = f"{self.base}/mcp"
        self.start()

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._takes_connections, f"{self.argv} is not ready", _READY_S)

    def stop(self) -> None:
        """Kill its whole process group; no clean shutdown is needed."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def get(self, path: str) -> dict:
        """Send a GET request; return the JSON."""
        return self._ask(urllib.request.Request(f"{self.base}{path}"))

    def post(self, path: str, value: object = None) -> dict:
        """Send a POST request."""
        data = json.dumps(value).encode()
        return self._ask(urllib.request.Request(f"{self.base}{path}", data, method="POST"))

    def _ask(self, request: urllib.request.Request) -> dict:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=10) as reply:
            return json.load(reply)

    def _takes_connections(self) -> bool:
        assert self.process.poll() is None, self.log.read_text("utf-8", "replace")
        return answers(self.port)


@pytest.fixture(scope="session", name="until")
def until_() -> Callable[..., None]:
    """Wait for something to become true, with a deadline."""
    return until


@pytest.fixture(scope="session", name="free_port")
def free_port_() -> Callable[[], int]:
    """Find a port that nobody listens on."""
    return free_port


@pytest.fixture(scope="session")
def start(tmp_path_factory, environment, _processes) -> Iterator[Callable[..., Server]]:
    """Start an app of this folder on a free port; all end with the session."""
    folder = tmp_path_factory.mktemp("servers")
    servers: list[Server] = []

    def run(app: str, *switches: str) -> Server:
        port = free_port()
        argv = [sys.executable, str(_HERE / app), str(port), *switches]
        servers.append(Server(argv, environment, folder / f"{app}-{port}.log", port))
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def start_system(tmp_path_factory, environment, _processes) -> Iterator[Callable[..., Server]]:
    """Start a separate echo system; all end with the session."""
    folder = tmp_path_factory.mktemp("systems")
    servers: list[Server] = []

    def run(*switches: str) -> Server:
        port = free_port()
        argv = [sys.executable, "-m", "mcp_targets.echo", "--port", str(port), *switches]
        servers.append(Server(argv, environment, folder / f"echo-{port}.log", port))
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def node_server(_foreign_servers) -> Callable[[str], list[str]]:
    """Return the command of an npm server."""
    return foreign.node_server


@pytest.fixture(scope="session")
def start_everything(tmp_path_factory, environment, node_server) -> Iterator[Callable[..., Server]]:
    """Start the official reference server of the TypeScript SDK with the named transport."""
    servers: list[Server] = []

    def run(transport: str) -> Server:
        port = free_port()
        # The one tool that can reach other hosts is allowed none, and fails instead.
        env = {**environment, "PORT": str(port), "GZIP_ALLOWED_DOMAINS": "nowhere.invalid"}
        log = tmp_path_factory.mktemp("node") / "everything.log"
        servers.append(Server([*node_server(foreign.EVERYTHING), transport], env, log, port))
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def everything(start_everything) -> Server:
    """Start the reference server over streamable HTTP."""
    return start_everything("streamableHttp")


@pytest.fixture(scope="session")
def start_foreign(tmp_path_factory, environment, _foreign_servers) -> Iterator[Callable]:
    """Start a third-party server by its command, in which PORT stands for its port."""
    folder = tmp_path_factory.mktemp("foreign")
    servers: list[Server] = []

    def run(name: str, command: Sequence[str]) -> Server:
        port = free_port()
        argv = [str(port) if word == "PORT" else word for word in command]
        env = {**environment, "PORT": str(port)}
        servers.append(Server(argv, env, folder / f"{name}.log", port))
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def proxy(_foreign_servers) -> list[str]:
    """Return the command of mcp-proxy."""
    return foreign.proxy()


@pytest.fixture(scope="session")
def start_proxy(tmp_path_factory, environment, proxy) -> Iterator[Callable[..., Server]]:
    """Start mcp-proxy over HTTP in front of servers over stdio: named ones, or a single one."""
    servers: list[Server] = []

    def run(*app: str, **named: list[str]) -> Server:
        port = free_port()
        behind = [
            part for name, argv in named.items() for part in ("--named-server", name, join(argv))
        ]
        argv = [*proxy, "--port", str(port), *behind, *(("--", *app) if app else ())]
        log = tmp_path_factory.mktemp("proxy") / "proxy.log"
        servers.append(Server(argv, environment, log, port))
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def sdk_sse(start) -> Server:
    """Start a server of the Python SDK that keeps sessions and replies by event streams."""
    return start("sdk_app.py")


@pytest.fixture(scope="session")
def sdk_json(start) -> Server:
    """Start a server of the Python SDK that keeps sessions and replies by JSON."""
    return start("sdk_app.py", "--json")


@pytest.fixture(scope="session")
def sdk_stateless(start) -> Server:
    """Start a server of the Python SDK without sessions."""
    return start("sdk_app.py", "--stateless")


@pytest.fixture(scope="session")
def fastmcp(start, _foreign_servers) -> Server:
    """Start a server of fastmcp."""
    return start("fastmcp_app.py")
