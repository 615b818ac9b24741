"""Commands that start at once: forked from a process that has imported what they need.

Each is a process of its own all the same, with arguments, environment, folder and streams of its
own, and ends as it would. What is spared is the better part of a second, hundreds of times.
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
"""Commands that can be forked, and where their `main` is."""
HEAVY = ("mcp_perf.cli.output.screen",)
"""What most of them import beside it, but only when it is needed."""


class Forge:
    """A process that forks a command whenever it is asked to; the commands may go on at once."""

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
        """Run a command to its end; return its exit code, and what it wrote to both streams."""
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
        """End it; every command has ended before."""
        self._asked.close()
        self._process.wait()


def _text() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8")


def serve(asked: socket.socket) -> list[str]:
    """Fork as long as somebody asks; return, in a process of its own, the command to run.

    What Python had before Locust has patched it is used throughout: what gevent would start here
    must not be handed on.
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
    """Take note of one that has ended: what it used counts as this process's from then on."""
    try:
        return waitpid(-1, os.WNOHANG)[0] > 0
    except ChildProcessError:
        return False


def _tell(pid: int, told: int) -> NoReturn:
    os.write(told, b"%d" % pid)
    code = os.waitstatus_to_exitcode(waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
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
    """Import what commands need, and then be what is asked for."""
    asked = socket.socket(fileno=int(sys.argv[1]))
    sys.path[0] = str(Path(sys.executable).parent)  # as of a command
    mains: dict[str, Callable[[], object]] = {
        name: import_module(module).main for name, module in NAMES.items()
    }
    for name in HEAVY:
        import_module(name)
    gc.freeze()  # else each of them would tidy up all of it when it ends
    sys.argv = serve(asked)
    sys.exit(mains[Path(sys.argv[0]).name]())


if __name__ == "__main__":
    main()
