"""`mcp-perf agent record`: a relay, and the recording of what it has seen."""

import asyncio
import contextlib
import secrets
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final

import uvloop

from mcp_perf.agent.recording import stdio_relay
from mcp_perf.agent.recording.http_relay import HttpRelay, Upstream
from mcp_perf.agent.recording.http_watch import HttpSessions
from mcp_perf.agent.recording.pieces import Piece
from mcp_perf.agent.recording.sessions import SeenSession, messages_of
from mcp_perf.agent.recording.sinks import RecordingFile, Say, SessionApi
from mcp_perf.client.reply import clipped
from mcp_perf.numbers import counted
from mcp_perf.outcomes import INTERRUPTED, TRANSPORT_ERROR
from mcp_perf.results.document.text import shown
from mcp_perf.results.journal.redact import Redactor
from mcp_perf.scenario.problems.wording import InputError
from mcp_perf.scenario.values.recordings import SCHEMA, RecordedCall, RecordingHead

_NAME: Final = 200
"""The most characters of a name in the session API."""
_STOPPED: Final = "the recording ended"


@dataclass(frozen=True)
class Recorded:
    """The result of a recording."""

    file: str
    calls: int
    sessions: int


@dataclass(frozen=True, kw_only=True)
class RecordOptions:
    """How to record."""

    output: Path | None = None
    """The file; by default a new one in the current folder, with the time in its name."""
    keep_arguments: bool = False
    port: int = 0
    """The HTTP relay's port; 0 is any free one."""
    session_api: str = ""
    task: int = 1
    model: str = ""


def record(
    command: Sequence[str] | None, url: str | None, *, quiet: bool = False, **how: Any
) -> tuple[int, Recorded]:
    """Record by a server's command, or its address, until it or a signal ends it.

    `how` has the fields of `RecordOptions`. Return the exit code, and what was recorded. Messages
    go to standard error, because standard output is the server's. Raises InputError.
    """
    say = (lambda _line: None) if quiet else _say
    if url is None:
        return record_command(command or (), RecordOptions(**how), say)
    return 0, record_url(url, RecordOptions(**how), say)


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"mcp-perf: {shown(line)}\n")
        sys.stderr.flush()


class AgentRecorder:
    """Keeps the calls of all sessions of a recording."""

    def __init__(self, target: str, options: RecordOptions, say: Say) -> None:
        """Begin a recording. Raises InputError if the file cannot be written."""
        now = datetime.now(UTC)
        head = RecordingHead(
            schema=SCHEMA,
            started=now.isoformat(timespec="microseconds"),
            target=Redactor().text(target),
            cwd=str(Path.cwd()),
            arguments=options.keep_arguments,
        )
        self._api: SessionApi | None = None
        if options.session_api:
            server = clipped(head.target, _NAME - 1)
            about = {"mode": "mcp", "taskNumber": options.task, "server": server}
            self._api = SessionApi(options.session_api, {**about, "model": options.model}, say)
        path = options.output or Path(f"recording-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}.jsonl")
        try:
            self.file = RecordingFile(path, head, say)
        except OSError as error:
            message = f"{path} cannot be written: {error.strerror}"
            raise InputError(message, "name another") from None
        self._keep = options.keep_arguments
        self._say = say
        self._run = secrets.token_hex(4)
        self._zero_ns = perf_counter_ns()
        self._sessions: list[SeenSession] = []

    def open(self, transport: str) -> SeenSession:
        name = f"{self._run}-{len(self._sessions) + 1}"
        session = SeenSession(name, transport, self._emit, self._keep, self._zero_ns)
        self._sessions.append(session)
        return session

    def close(self, outcome: str = INTERRUPTED, detail: str = _STOPPED) -> Recorded:
        """End the calls under way, and say what was recorded."""
        for session in self._sessions:
            session.end(None, outcome, detail, perf_counter_ns())
        if self._api is not None:
            self._api.close()
        path, calls, sessions = self.file.path, self.file.calls, len(self.file.sessions)
        self._say(f"{path}: {counted(calls, 'request')} in {counted(sessions, 'session')}")
        made = f"To make a scenario of it: mcp-perf init --from {path} -o my.yaml"
        hint = "To make a scenario of a recording, record with --keep-arguments"
        self._say(made if self._keep else hint)
        return Recorded(str(path), calls, sessions)

    def _emit(self, call: RecordedCall) -> None:
        self.file.write(call)
        if self._api is not None:
            self._api.write(call)


def record_command(
    command: Sequence[str], options: RecordOptions, say: Say
) -> tuple[int, Recorded]:
    """Record an agent and a server over stdio; return the exit code, and what was recorded.

    Raises InputError, also if the server cannot be started.
    """
    recorder = AgentRecorder(f"stdio:{shlex.join(command)}", options, say)
    session = recorder.open("stdio")
    alone = threading.Lock()

    def watch(take: Callable[[Iterable[Any], int], Any]) -> Callable[[Piece, int], None]:
        def locked(piece: Piece, now_ns: int) -> None:
            with alone, contextlib.suppress(Exception):  # traffic goes on, whatever it is
                take(messages_of(piece), now_ns)

        return locked

    try:
        code, by_itself = stdio_relay.relay(command, watch(session.sent), watch(session.came))
    except OSError as error:
        hint = "write its command after --"
        raise InputError(f"{shlex.join(command)} cannot be started: {error}", hint) from None
    with alone:
        ended = (TRANSPORT_ERROR, f"the server ended ({code})") if by_itself else ()
        return code, recorder.close(*ended)


def record_url(url: str, options: RecordOptions, say: Say) -> Recorded:
    """Record agents and a server over HTTP, until a signal comes. Raises InputError."""
    upstream = Upstream.of(url)
    recorder = AgentRecorder(url, options, say)
    relay = HttpRelay(upstream, HttpSessions(recorder.open), say)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(relay, options.port, say))
    except OSError as error:
        message = f"port {options.port} cannot be used: {error.strerror}"
        raise InputError(message, "choose another with --port") from None
    return recorder.close()


async def _serve(relay: HttpRelay, port: int, say: Say) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server = await relay.start(port)
    say(f"Point the agent at {relay.upstream.at(server.sockets[0].getsockname()[1])}")
    with contextlib.closing(server):
        await ended.wait()
    relay.stop()
