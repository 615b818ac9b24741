"""A system's processes, from the parent's side: start, wait until ready, stop.

Uses plain subprocesses and polls with time.sleep, which also works if gevent has patched both. A
child's standard input is a pipe that only this process holds open: however this process ends, the
pipe closes and the child exits (see entry.py).
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mcp_targets.serving.entry import HOST

_ROOT: Final = Path(__file__).resolve().parents[2]
_READY_WITHIN_S: Final = 30.0
_STOP_WITHIN_S: Final = 3.0
_POLL_S: Final = 0.01
_LOG_LINES: Final = 15

_children: "weakref.WeakSet[Child]" = weakref.WeakSet()


class SystemFailed(Exception):  # noqa: N818 -- the system failed, not the program
    """A system's process did not start, or died."""


class Child:
    """One process, started at once: `python -m mcp_targets.<module> <arguments>`."""

    def __init__(
        self, name: str, module: str, arguments: Sequence[str], ready_file: Path, log: Path | None
    ) -> None:
        """`log` gets the child's output; with None it goes where this process's output goes."""
        self.name = name
        self.ready_file = ready_file
        self.log = log
        self._owner = os.getpid()
        reading, self._pipe = os.pipe()
        command = [sys.executable, "-P", "-m", f"mcp_targets.{module}", *arguments]
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, reading)
            output = stack.enter_context(log.open("wb")) if log is not None else None
            self._process = subprocess.Popen(  # noqa: S603 -- our own modules, no shell
                [*command, "--ready-file", str(ready_file)],
                stdin=reading,
                stdout=output,
                stderr=subprocess.STDOUT if log is not None else None,
                env=_environment(),
                # Out of the terminal's reach: on Ctrl-C the parent drains the load first.
                start_new_session=True,
            )
        self.pid = self._process.pid
        _children.add(self)

    def dead(self) -> bool:
        return self._process.poll() is not None

    def port(self) -> int:
        """Wait until the process is ready and return its port. Raises SystemFailed."""
        try:
            return wait_for_port(self.ready_file, self)
        except SystemFailed as error:
            raise SystemFailed(f"{error}{self.last_words()}") from None

    def last_words(self) -> str:
        """Return the log's name and last lines, to append to a message."""
        if self.log is None:
            return ""
        lines = self.log.read_text("utf-8", "replace").splitlines()[-_LOG_LINES:]
        shown = "\n  ".join(lines) if lines else "(empty)"
        return f". Its log is {self.log}, its last lines:\n  {shown}"

    def ask_to_stop(self) -> None:
        """Send SIGTERM and end the child's standard input; return at once."""
        if self._owner == os.getpid() and not self.dead():
            self._process.terminate()
        self.disown()

    def stop(self) -> None:
        """Stop the process: terminate, wait, kill. It has ended when this returns."""
        self.ask_to_stop()
        if self._owner != os.getpid():
            return
        deadline = time.monotonic() + _STOP_WITHIN_S
        while not self.dead() and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        if not self.dead():
            self._process.kill()
            self._process.wait()

    def disown(self) -> None:
        """Close our end of the pipe; the child ends when the last process that holds it does."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1


def wait_for_port(ready_file: Path, child: Child | None = None) -> int:
    """Wait for a ready file and return its port. Raises SystemFailed if the child dies first."""
    deadline = time.monotonic() + _READY_WITHIN_S
    while not ready_file.exists():
        name = child.name if child is not None else ready_file.stem
        if child is not None and child.dead():
            raise SystemFailed(f"the process {name} ended before it was ready")
        if time.monotonic() > deadline:
            raise SystemFailed(f"the process {name} was not ready after {_READY_WITHIN_S:g} s")
        time.sleep(_POLL_S)
    return int(msgspec.json.decode(ready_file.read_bytes())["port"])


def add_upstream(parser: argparse._ActionsContainer) -> None:
    """Add the option that `upstream` takes."""
    parser.add_argument(
        "--upstream-ready",
        type=Path,
        metavar="FILE",
        help="use the running simulator that wrote this ready file (default: start one)",
    )


def providers(names: Sequence[str]) -> tuple[str, ...]:
    """Return the simulator's arguments for playing these providers."""
    return tuple(part for name in names for part in ("--provider", name))


@contextlib.contextmanager
def upstream(names: Sequence[str], ready_file: Path | None) -> Iterator[dict[str, str]]:
    """Give the providers' addresses in the simulator, which is started if none is given."""
    with contextlib.ExitStack() as stack:
        if ready_file is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mcp-perf-"))
            ready_file = Path(folder) / "upstream.json"
            child = Child("upstream", "upstream", providers(names), ready_file, None)
            stack.callback(child.stop)
        yield addresses(ready_file)


def addresses(ready_file: Path) -> dict[str, str]:
    """Wait for a ready file; return the address of each server in it. Raises SystemExit."""
    try:
        wait_for_port(ready_file)
    except SystemFailed as error:
        raise SystemExit(str(error)) from error
    ports: dict[str, int] = msgspec.json.decode(ready_file.read_bytes())["ports"]
    return {name: f"http://{HOST}:{port}" for name, port in ports.items()}


def _environment() -> dict[str, str]:
    """Return the child's environment: ours, with this package importable and telemetry off."""
    folders = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(folders),
        "PYTHONUNBUFFERED": "1",
        "OTEL_SDK_DISABLED": "true",
    }


def _after_fork() -> None:
    # A forked worker must not keep a system alive that its parent left behind.
    for child in list(_children):
        child.disown()


os.register_at_fork(after_in_child=_after_fork)
