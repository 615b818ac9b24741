"""The official conformance suite: it drives our client as a process, or tests a bundled system."""

import json
import re
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from mcp_targets.launcher.systems import Systems
from tests.support import foreign

_HERE: Final = Path(__file__).parent
_RESULT: Final = re.compile(r"^([✓✗]) (\S+): (\d+) passed, (\d+) failed(.*)$", re.MULTILINE)
_PATIENT: Final = ("--timeout", "240000")
"""The default is half a minute, but all scenarios and other work share the machine."""
_STAMP: Final = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        from tests.system.conformance.player import play

        url, env = json.loads(self.rfile.readline())
        try:
            play(url, env)
        except Exception as error:  # noqa: BLE001 -- the suite has to see any error
            self.wfile.write(f"{type(error).__name__}: {error}".encode())


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


@pytest.fixture(scope="session")
def player(tmp_path_factory) -> Iterator[str]:
    """Serve scenarios on a Unix socket; return its path."""
    path = str(tmp_path_factory.mktemp("player") / "socket")
    with _Server(path, _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield path
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def suite(environment, player, _foreign_servers) -> Callable[..., dict[str, str]]:
    """Run client scenarios of a version of the suite; return the output of each."""

    def run(version: str, *options: str) -> dict[str, str]:
        client = f"{sys.executable} -S {_HERE / 'client.py'}"
        env = {**environment, "MCP_PERF_PLAYER": player}
        ended = _run(version, env, "client", "--command", client, *_PATIENT, *options)
        said = {found[2]: found[0] for found in _RESULT.finditer(ended.stdout)}
        assert said, ended.stdout + ended.stderr
        return said

    return run


@pytest.fixture(scope="session")
def systems(tmp_path_factory, _processes) -> Iterator[Systems]:
    """Start the bundled systems on first use."""
    with Systems(tmp_path_factory.mktemp("systems")) as running:
        yield running


@pytest.fixture
def checks(environment, tmp_path, _foreign_servers) -> Callable[..., dict[str, list[dict]]]:
    """Run server scenarios of a version of the suite; return the checks of each."""

    def run(version: str, url: str, *options: str) -> dict[str, list[dict]]:
        out = tempfile.mkdtemp(dir=tmp_path)
        ended = _run(version, environment, "server", "--url", url, "-o", out, *options)
        found = {
            _STAMP.sub("", folder.name).removeprefix("server-"): json.loads(
                (folder / "checks.json").read_text("utf-8")
            )
            for folder in Path(out).iterdir()
        }
        assert found, ended.stdout + ended.stderr
        return found

    return run


def _run(
    version: str, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run the suite to its end."""
    return subprocess.run(
        [*foreign.suite(version), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
