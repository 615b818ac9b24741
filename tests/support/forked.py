"""Commands that start at once, because they are forked from a process that imported their modules.

Each is still a separate process with its own arguments, environment, folder and streams, and ends
as usual. This saves most of a second, hundreds of times.
"""

import contextlib
import gc
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from os import fork, waitpid
from pathlib import Path
from select import select
from typing import IO, NoReturn

NAMES = {"mcp-perf": "mcp_perf.cli.main", "locust": "locust.main"}
"""Commands that can be forked, with the places of their `main`."""
HEAVY = ("mcp_perf.cli.output.screen",)
"""Modules that most of them also import, but only when needed."""


class Forge:
    """A process that forks commands on request; several may run at the same time."""

    def __init__(self, env: dict[str, str]) -> None:
        self._asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, __file__, str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command,
                env=env,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def run(
        self, argv: list[str], *, env: dict[str, str], cwd: str, timeout: float
    ) -> tuple[int, str, str]:
        """Run a command to its end; return its exit code and the output on both streams."""
        wanted = json.dumps({"argv": argv, "env": env, "cwd": cwd}).encode()
        told, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with told, _text() as out, _text() as err:
            with theirs:
                socket.send_fds(self._asked, [wanted], [one.fileno() for one in (out, err, theirs)])
            pid = int(told.recv(100))
            told.settimeout(timeout)
            try:
                code = int(told.recv(100))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(argv, timeout) from None
            out.seek(0)
            err.seek(0)
            return code, out.read(), err.read()

    def close(self) -> None:
        """End the process, after every command has ended."""
        self._asked.close()
        self._process.wait()


def _text() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8")


def serve(asked: socket.socket) -> list[str]:
    """Fork on each request; return the command to run, in the forked process.

    Uses only Python's functions from before Locust's patches: children must not inherit what
    gevent would start here.
    """
    while True:
        while _reaped():
            pass
        if not select([asked], [], [], 0.05)[0]:
            continue
        wanted, fds, _, _ = socket.recv_fds(asked, 1 << 20, 3)
        if not wanted:
            os._exit(0)
        if fork() == 0:
            pid = fork()
            if pid == 0:
                asked.close()
                return _become(json.loads(wanted), *fds)
            _tell(pid, fds[2])
        for one in fds:
            os.close(one)


def _reaped() -> bool:
    """Reap an ended command; its processor time counts as this process's from then on."""
    try:
        return waitpid(-1, os.WNOHANG)[0] > 0
    except ChildProcessError:
        return False


def _tell(pid: int, told: int) -> NoReturn:
    os.write(told, b"%d" % pid)
    code = os.waitstatus_to_exitcode(waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):  # nobody waits for the answer any more
        os.write(told, b"%d" % code)
    os._exit(0)


def _become(wanted: dict, out: int, err: int, told: int) -> list[str]:
    os.dup2(out, 1)
    os.dup2(err, 2)
    for one in (out, err, told):
        os.close(one)
    os.environ.clear()
    os.environ.update(wanted["env"])
    os.chdir(wanted["cwd"])
    random.seed()
    return wanted["argv"]


def main() -> None:
    """Import what commands need, then become the requested command."""
    asked = socket.socket(fileno=int(sys.argv[1]))
    sys.path[0] = str(Path(sys.executable).parent)  # like a command's
    mains: dict[str, Callable[[], object]] = {
        name: import_module(module).main for name, module in NAMES.items()
    }
    for name in HEAVY:
        import_module(name)
    gc.freeze()  # otherwise each command would clean up all of it at its end
    sys.argv = serve(asked)
    sys.exit(mains[Path(sys.argv[0]).name]())


if __name__ == "__main__":
    main()
