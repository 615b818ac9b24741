"""A server's process and everything it starts: one process group, which never outlives us.

The group is stopped as the specification says for stdio: standard input is closed, then SIGTERM,
then SIGKILL. A guard, one small separate process, does the same for every group that is left when
this process ends, however it ends.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

GRACE_S: Final = 2.0
"""How long a server may take to end, at each step."""
_POLL_S: Final = 0.01
_LONGEST_POLL_S: Final = 0.1
_MOMENT_S: Final = 0.2
_COMMAND_LETTERS: Final = 80
_GUARD: Final = Path(__file__).with_name("process_guard.py")


class ProcessGroup:
    """One process, the leader of its group."""

    def __init__(
        self, argv: Sequence[str], *, cwd: str, env: Mapping[str, str], streams: Sequence[int]
    ) -> None:
        """Start it; `streams` are the descriptors of its input, output, errors. Raises OSError."""
        _guard.start()
        stdin, stdout, stderr = streams
        self._ends = {f"socket:[{os.fstat(stream).st_ino}]" for stream in streams}
        # A new session is also out of reach of the terminal's Ctrl-C.
        self._process = subprocess.Popen(  # noqa: S603 -- a list from the scenario, never a shell
            argv,
            cwd=cwd,
            env=env,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.left: list[str] = []
        """What the leader left behind when it ended on its own, or because its input was closed."""
        _guard.tell("+", self.pid)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def exit_text(self, within_s: float) -> str:
        """Say how the process ended, or that it has not, some time after its output has."""
        try:
            code = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return "the server closed its output"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"the server was killed by {signal.Signals(-code).name}"
        return f"the server exited with status {code}"

    def left_behind(self) -> list[str]:
        """Name, by pid and command, the processes that outlive the leader by more than a moment."""
        if self.alive:
            return []
        self._gone_within(_MOMENT_S)
        return [_named(pid) for pid in psutil.pids() if self._began(pid)]

    def _began(self, pid: int) -> bool:
        """Tell whether a process lives that the leader started, by its group, session or streams.

        On Linux, a process in another session is found by the streams that it got from the leader.
        """
        with contextlib.suppress(OSError, psutil.Error):
            found = self.pid in (os.getpgid(pid), os.getsid(pid))
            found = found or str(Path(f"/proc/{pid}/fd/2").readlink()) in self._ends
            return found and _lives(pid)
        return False

    def wait(self) -> None:
        """Wait until the leader has ended."""
        self._process.wait()

    def stop(self) -> None:
        """End the group, whose standard input has been closed. Nothing of it is left then.

        A group that we may not signal (`sudo`) is left alone. If this is interrupted, the group is
        killed at once.
        """
        try:
            self._wait()
            self.left = self.left or self.left_behind()
            if self._signal(signal.SIGTERM) and not self._gone_within(GRACE_S):
                self._signal(signal.SIGKILL)
                self._gone_within(GRACE_S)  # at once; the limit is for a kernel in trouble
        except BaseException:
            self._signal(signal.SIGKILL)
            raise
        finally:
            self._wait()
            _guard.tell("-", self.pid)

    def _wait(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S)

    def _gone_within(self, seconds: float) -> bool:
        deadline, pause_s = time.monotonic() + seconds, _POLL_S
        while time.monotonic() < deadline:
            self._process.poll()  # an ended leader stays in its group until it is waited for
            if not self._signal(0) or not any(map(self._is_member, psutil.pids())):
                return True
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_POLL_S)
        return False

    def _is_member(self, pid: int) -> bool:
        """Tell whether a process lives in the group; one that only was not reaped does not.

        In a container nobody may ever reap what the leader left.
        """
        with contextlib.suppress(OSError, psutil.Error):
            return os.getpgid(pid) == self.pid and _lives(pid)
        return False

    def _signal(self, number: int) -> bool:
        """Signal the group; tell whether anybody is in it."""
        self._process.poll()
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def _lives(pid: int) -> bool:
    return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def _named(pid: int) -> str:
    command = ""
    with contextlib.suppress(psutil.Error):
        command = " ".join(psutil.Process(pid).cmdline())
    return f"{pid} ({command[:_COMMAND_LETTERS]})"


class _Guard:
    """Our end of the pipe to the guard; when its last holder dies, the guard acts."""

    def __init__(self) -> None:
        self._pipe = -1
        self._starting = threading.Lock()

    def start(self) -> None:
        """Start the guard, once per process."""
        with self._starting:
            if self._pipe >= 0:
                return
            reading, writing = os.pipe()
            argv = [sys.executable, "-I", "-S", str(_GUARD)]
            silent = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
            actions = [(os.POSIX_SPAWN_DUP2, reading, 0), silent, (os.POSIX_SPAWN_DUP2, 1, 2)]
            try:
                os.posix_spawn(sys.executable, argv, {}, file_actions=actions)
            finally:
                os.close(reading)
            self._pipe = writing

    def tell(self, what: str, group: int) -> None:
        """Say that a group has begun (+) or ended (-)."""
        with contextlib.suppress(OSError):  # somebody killed the guard: the load goes on
            os.write(self._pipe, f"{what}{group}\n".encode())

    def disown(self) -> None:
        """Let go of a parent's guard in a forked child, which has no groups yet."""
        if self._pipe >= 0:
            os.close(self._pipe)
        self._pipe = -1
        self._starting = threading.Lock()


_guard: Final = _Guard()
os.register_at_fork(after_in_child=_guard.disown)
