"""MCP over the standard input and output of a process that we start: one JSON object per line."""

import contextlib
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mcp_perf.client.channels.channel import Ended, Receive
from mcp_perf.client.channels.process_group import ProcessGroup
from mcp_perf.client.channels.server_log import ErrorLines, Log
from mcp_perf.client.errors import CallTimeout, ConnectError, ReadError, SendError, not_opened
from mcp_perf.client.http.endpoint import DEFAULT_TIMEOUT_S
from mcp_perf.client.http.http1 import MAX_REPLY_BYTES
from mcp_perf.client.protocol.multiplex import Lines
from mcp_perf.client.reply import beginning

INHERITED: Final = (
    *("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ"),
    "USER",
)
"""All that a server gets from our environment, so it gets none of our secrets."""
_RECEIVE_BYTES: Final = 65536
_MOST_NAMED: Final = 3
_END_S: Final = 1.0
"""How long after the end of its output a process may take to be seen dead."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started. Shared by all users of an arm."""

    argv: tuple[str, ...]
    cwd: str = "."
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """In addition to what is `INHERITED`."""
    timeout_s: float = DEFAULT_TIMEOUT_S
    start_timeout_s: float = 60.0
    """How long the first answer may take: many servers fetch what they need when they start."""
    log: Log = field(default_factory=lambda: Log(None))
    pids: set[int] = field(default_factory=set, compare=False)
    """The processes that we have started with it and not stopped."""
    left: list[str] = field(default_factory=list, compare=False)
    """What the first of them to leave processes behind left when it ended."""

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return {**kept, **self.env}


class StdioChannel:
    """One process at a time, and its three streams.

    The streams are sockets, as with any host on Node: in a process that gevent has patched, waiting
    for a socket is cooperative, and waiting for a pipe is not.
    """

    probes = True
    starting = "start process"

    def __init__(self, command: Command) -> None:
        self.command = command
        self.timeout_s = command.timeout_s
        self.start_timeout_s = command.start_timeout_s
        self._running: _Running | None = None
        self._remarks: list[str] = []

    def open(self, receive: Receive, ended: Ended) -> None:
        self.close()
        self._running = _Running(self.command, receive, ended)

    def send(self, message: bytes, timeout_s: float) -> None:
        if self._running is None:
            raise SendError("the server's process is not running")
        self._running.send(message + b"\n", timeout_s)

    def close(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.stop()
            if running.group.left and not self.command.left:
                self.command.left.extend(running.group.left)
                self._remarks.append(_behind(running.group.left))

    def remarks(self) -> list[str]:
        """Report what was left behind; of all channels of an arm, only the first to see it does."""
        return self._remarks

    def last_line(self) -> str:
        """Return the last line that the running process wrote to its standard error."""
        running = self._running
        said = "" if running is None else running.said.last
        return beginning(said.encode("utf-8", "replace"), 300)

    def pids(self) -> list[int]:
        running = self._running
        return [running.group.pid] if running is not None and running.group.alive else []


class _Running:
    def __init__(self, command: Command, receive: Receive, ended: Ended) -> None:
        self._receive = receive
        self._ended = ended
        self.said = ErrorLines(command.log)
        self._writing = threading.Lock()
        self._stopping = False
        self._rest = b""
        """What the server wrote last to its output, without ending the line."""
        self._input, self._output, self._errors = self._start(command)
        self._pids = command.pids
        self._pids.add(self.group.pid)
        runs = (self._drain, self._read, self._watch)
        self._threads = [threading.Thread(target=run, daemon=True) for run in runs]
        for thread in self._threads:
            thread.start()

    def _start(self, command: Command) -> list[socket.socket]:
        pairs: list[tuple[socket.socket, socket.socket]] = []
        try:
            for _ in range(3):
                pairs.append(socket.socketpair())  # noqa: PERF401 -- pairs made are closed below
            streams = [theirs.fileno() for _, theirs in pairs]
            self.group = ProcessGroup(
                command.argv, cwd=command.cwd, env=command.environment, streams=streams
            )
        except BaseException as error:
            for ours, _ in pairs:
                ours.close()
            if isinstance(error, OSError):
                raise _no_start(command, error) from error
            raise
        finally:
            for _, theirs in pairs:
                theirs.close()
        return [ours for ours, _ in pairs]

    def send(self, line: bytes, timeout_s: float) -> None:
        """Write a line; it is never mixed with another caller's."""
        with self._writing:
            try:
                if self._input.gettimeout() != timeout_s:
                    self._input.settimeout(timeout_s)
                self._input.sendall(line)
            except TimeoutError as error:
                # A part of the line may be written: nothing can follow it.
                self._ended(reason := "the server does not read its input")
                raise CallTimeout(reason) from error
            except OSError as error:
                self._ended(reason := self._words(f"the server's input is closed ({error})"))
                raise SendError(reason) from error

    def stop(self) -> None:
        self._stopping = True
        with contextlib.suppress(OSError):
            self._input.close()
        try:
            self.group.stop()
        finally:
            self._pids.discard(self.group.pid)
            self._shut()
            for thread in self._threads:
                thread.join(_END_S)
            self._output.close()
            self._errors.close()

    def _shut(self) -> None:
        for end in (self._output, self._errors):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # wakes its reader, which still reads what came

    def _read(self) -> None:
        lines = Lines(MAX_REPLY_BYTES)
        reason = ""
        try:
            while data := self._output.recv(_RECEIVE_BYTES):
                for line in lines.feed(data):
                    self._receive(line)
            for self._rest in lines.feed(b"\n"):  # what was written last may lack its end
                self._receive(self._rest)
        except ReadError as error:
            reason = str(error)
        except OSError:
            pass  # this is the end, too
        finally:
            if self._stopping:
                reason = "the server was stopped"
            self._ended(reason or self._words(""))

    def _watch(self) -> None:
        """End the output with the process: what the process left behind may hold it open."""
        self.group.wait()
        self._shut()

    def _drain(self) -> None:
        """Keep the standard error flowing: a server that cannot write there hangs."""
        with contextlib.suppress(OSError):
            while data := self._errors.recv(_RECEIVE_BYTES):
                self.said.feed(data)
        self.said.end()

    def _words(self, otherwise: str) -> str:
        said = self.group.exit_text(_END_S)
        if otherwise and self.group.alive:
            return otherwise
        self._threads[0].join(_END_S)
        last = beginning(self.said.last.encode("utf-8", "replace") or self._rest, 300)
        self.group.left = left = self.group.left_behind()
        said = f"{said}: {last}" if last else said
        return f"{said}; {_behind(left)}" if left else said


def _behind(left: list[str]) -> str:
    shown = ", ".join(left[:_MOST_NAMED])
    more = f" and {len(left) - _MOST_NAMED} more" if len(left) > _MOST_NAMED else ""
    return f"when the server ended, it left behind the processes {shown}{more}"


def _no_start(command: Command, error: OSError) -> ConnectError:
    name = repr(command.argv[0])
    if isinstance(error, FileNotFoundError):
        hint = "install it, or write its path"
        return ConnectError(f"there is no command {name} on the PATH: {hint}")
    return not_opened(f"{name} cannot be started", error)
