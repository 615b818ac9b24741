"""Real systems in real processes, started once for all tests in this folder."""

import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from mcp_targets.launcher.systems import Systems
from mcp_targets.serving.httpd import Request
from mcp_targets.serving.processes import Child
from mcp_targets.upstream.provider import load
from mcp_targets.upstream.simulator import Simulator


@pytest.fixture(scope="session")
def systems(tmp_path_factory, _processes) -> Iterator[Systems]:
    """Start systems on first use, for the whole session."""
    with Systems(tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture(scope="session")
def echo(systems) -> Iterator[httpx.Client]:
    """Return a client of an echo system without switches."""
    with httpx.Client(base_url=systems.face("echo/rest").url) as client:
        yield client


@pytest.fixture(scope="session")
def start(tmp_path_factory, _processes) -> Iterator[Callable[..., str]]:
    """Start a system's process with switches, once per set of switches; return its address."""
    folder: Path = tmp_path_factory.mktemp("processes")
    children: dict[tuple[str, ...], Child] = {}

    def run(module: str, *arguments: str) -> str:
        key = (module, *arguments)
        if key not in children:
            name = f"{module}-{len(children)}"
            log = folder / f"{name}.log"
            children[key] = Child(name, module, arguments, folder / f"{name}.json", log)
        return f"http://127.0.0.1:{children[key].port()}"

    yield run
    for child in children.values():
        child.stop()


class Peer:
    """Send requests to a simulator like a client, on one connection; without sockets."""

    def __init__(self, simulator):
        self.simulator = simulator
        self.tags = set()

    def ask(self, method, target, form=None, json=None):
        """Return status, decoded body and the whole reply."""
        body = urllib.parse.urlencode(form or {}).encode()
        headers = {}
        if json is not None:
            body = json if isinstance(json, bytes) else msgspec.json.encode(json)
            headers[b"content-type"] = b"application/json"
        path = target.partition("?")[0].encode()
        request = Request(
            method=method.encode(),
            target=target.encode(),
            path=path,
            headers=headers,
            repeated=frozenset(),
            body=body,
            too_large=False,
            keep_alive=True,
            tags=self.tags,
        )
        server = self.simulator.server
        reply = (server._admin if path.startswith(b"/_") else server._handler)(request)
        if request.done is not None:
            request.done()
        try:
            decoded = msgspec.json.decode(reply.body)
        except msgspec.DecodeError:
            decoded = None
        return reply.status, decoded, reply

    def get(self, target):
        """Return status and decoded body."""
        return self.ask("GET", target)[:2]

    def post(self, target, **form):
        """Return status and decoded body."""
        return self.ask("POST", target, form)[:2]


@pytest.fixture
def peer() -> type[Peer]:
    """Return the class of a simulator's clients."""
    return Peer


@pytest.fixture
def twilio() -> Peer:
    """Return a client of a fresh Twilio."""
    return Peer(Simulator(load("twilio")))
