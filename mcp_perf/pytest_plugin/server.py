"""The object of the fixture `mcp_server`: starts HTTP servers, and stops them after the tests."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

_READY_S: Final = 60.0
_GRACE_S: Final = 5.0
_POLL_S: Final = 0.05
_LETTERS: Final = 2000
"""How much of a server's last output is shown if it does not start."""


@dataclass(eq=False)
class Servers:
    """Call it with the command of a server."""

    logs: Path
    """The folder for their output."""
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __call__(self, command: Sequence[str], path: str = "/mcp") -> str:
        """Start a server on this machine; return the address of its endpoint once it listens.

        `{port}` in a word stands for a free port, and `python` as the first word for the Python of
        the tests. The test fails if the server ends, or does not listen within a minute.
        """
        port = _free_port()
        argv = [word.replace("{port}", str(port)) for word in command]
        argv[0] = sys.executable if argv[0] == "python" else argv[0]
        log = self.logs / f"server-{port}.log"
        with log.open("wb") as told:
            server = subprocess.Popen(  # noqa: S603 -- the user's own command, no shell
                argv,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(server)
        end_s = time.monotonic() + _READY_S
        while not _listens(port):
            if server.poll() is not None or time.monotonic() > end_s:
                what = "ended" if server.poll() is not None else f"does not listen on {port}"
                said = log.read_text("utf-8", "replace")[-_LETTERS:]
                pytest.fail(f"the server {what}: {' '.join(argv)}\n{said}", pytrace=False)
            time.sleep(_POLL_S)
        return f"http://127.0.0.1:{port}{path}"

    def stop(self) -> None:
        """End all of them, with the processes that they have started."""
        for server in self._running:
            _signal(server, signal.SIGTERM)
        for server in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(_GRACE_S)
            _signal(server, signal.SIGKILL)
            server.wait()


def _signal(server: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, number)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
