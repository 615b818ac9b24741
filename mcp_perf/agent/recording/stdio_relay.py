"""A relay between an agent and a server over stdio: it passes every byte on unchanged.

Two blocking threads do this, because they can read any kind of file; an event loop cannot.
"""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from types import FrameType
from typing import Final

from mcp_perf.agent.recording.pieces import LineCutter, Piece

Take = Callable[[Piece, int], object]
_CHUNK: Final = 65536
_PATIENCE_S: Final = 2.0
"""How long it waits for a server that was signalled, and for the last bytes of one that ended."""

_STEP_S: Final = 0.5


class _Signalled(Exception):  # noqa: N818 -- not an error
    """Somebody wants us to end."""


def relay(command: Sequence[str], sent: Take, came: Take) -> tuple[int, bool]:
    """Start a server, and pass on until it has ended.

    Return its exit code, and whether it ended on its own, while its input was still open. It shares
    our standard error. Raises OSError if it cannot be started.
    """
    (its_input, to_server), (from_server, its_output) = os.pipe(), os.pipe()
    try:
        server = subprocess.Popen([*command], stdin=its_input, stdout=its_output)  # noqa: S603
    finally:
        os.close(its_input)
        os.close(its_output)
    for fd in (0, 1):
        with contextlib.suppress(OSError):
            os.set_blocking(fd, True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _signalled)
    ways = [
        threading.Thread(target=_pump, args=ends, daemon=True)
        for ends in ((0, to_server, sent), (from_server, 1, came))
    ]
    try:
        for way in ways:
            way.start()
        code, by_itself = _ended(server), ways[0].is_alive()
        _ignore_signals()
    except _Signalled as told:
        code, by_itself = _end(server, told.args[0]), False
    ways[1].join(_PATIENCE_S)
    return code if code >= 0 else 128 - code, by_itself


def _ended(server: subprocess.Popen[bytes]) -> int:
    """Wait for a server in a thread, and in steps for the thread.

    A signal that comes just before a blocking call, or to another thread, does not interrupt it.
    """
    waiting = threading.Thread(target=server.wait, daemon=True)
    waiting.start()
    while waiting.is_alive():
        waiting.join(_STEP_S)
    return server.wait()


def _signalled(number: int, _frame: FrameType | None) -> None:
    _ignore_signals()
    raise _Signalled(number)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _end(server: subprocess.Popen[bytes], number: int) -> int:
    server.send_signal(number)
    for last in (signal.SIGTERM, signal.SIGKILL):
        try:
            return server.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            server.send_signal(last)
    return server.wait()


def _pump(source: int, sink: int, watch: Take) -> None:
    lines = LineCutter()
    with contextlib.suppress(OSError):
        while data := os.read(source, _CHUNK):
            now_ns = perf_counter_ns()
            # First, because the other thread may see the answer, or the end, as soon as it is sent.
            for piece in lines.feed(data):
                watch(piece, now_ns)
            left = memoryview(data)
            while left:
                left = left[os.write(sink, left) :]
    # So the other end learns that its input has ended, or that nobody reads its output.
    _close(source)
    _close(sink)


def _close(fd: int) -> None:
    """Close a file. Our standard files become null, so no new file gets their numbers."""
    if fd > 2:
        os.close(fd)
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, fd)
    os.close(nothing)
