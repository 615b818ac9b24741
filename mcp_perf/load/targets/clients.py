"""The clients of arms: their types, and how to make one for a target."""

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from mcp_perf.client.channels.channel import Channel
from mcp_perf.client.channels.inprocess import Code, MemoryChannel, PythonClient, find
from mcp_perf.client.channels.legacy_sse import SseChannel
from mcp_perf.client.channels.server_log import Log
from mcp_perf.client.channels.stdio import Command, StdioChannel
from mcp_perf.client.http.dialing import WaitFactory
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.http.rest import RestClient
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.handshake import Observer
from mcp_perf.client.mcp.lifetime import StreamObserver
from mcp_perf.client.mcp.messenger import Credentials
from mcp_perf.client.mcp.streamable_http import HttpClient
from mcp_perf.client.protocol.answers import SILENT, Responder
from mcp_perf.client.protocol.identity import StrayObserver
from mcp_perf.client.reply import ignore
from mcp_perf.load.hub.bridge import bridge
from mcp_perf.load.hub.redaction import clean, redactor
from mcp_perf.load.targets.personal import Destination, of_users, shared_by_all, tls_of
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model.scenario import Arm
from mcp_perf.scenario.model.targets import split_target, words


class SharedSession:
    """One session with one process for all users of this node; it ends with the last of them."""

    has_stream = False

    def __init__(self, session: SessionClient) -> None:
        self._session = session
        self._users = 0
        self.terms = session.terms
        self.timeout_s = session.timeout_s
        self.ready = session.ready
        self.call = session.call
        self.cancelled_call = session.cancelled_call

    def join(self) -> "SharedSession":
        self._users += 1
        return self

    @property
    def has_session(self) -> bool:
        return self._session.has_session

    @property
    def is_open(self) -> bool:
        return self._session.is_open

    def close(self) -> None:
        self._users -= 1
        if not self._users:
            self._session.close()


McpSession = HttpClient | SessionClient
ToolClient = HttpClient | SessionClient | SharedSession
ArmClient = ToolClient | RestClient | PythonClient
TOOL_CLIENTS: Final = (HttpClient, SessionClient, SharedSession)


def destination(name: str, arm: Arm, loaded: Loaded, line: str, logs: Path | None) -> Destination:
    """Read what a target's line names. Raises Refusal, and ConnectError if code does not exist.

    `logs` is the folder for the standard error of stdio servers; None keeps nothing.
    """
    transport, rest = split_target(line)
    if transport == "stdio":
        return Command(
            words(rest),
            cwd=str(loaded.base / arm.cwd),
            env=shared_by_all(arm.env, loaded),
            timeout_s=arm.timeout,
            start_timeout_s=arm.start_timeout,
            log=Log(None if logs is None else logs / f"stdio-{name}.log", clean),
        )
    if transport == "python":
        return _code(rest, arm, loaded)
    return _endpoint(name, arm, loaded, rest)


def session(
    line: str,
    destination: Destination,
    protocol: str,
    *,
    observe: Observer = ignore,
    stray: StrayObserver = ignore,
    stream: StreamObserver = ignore,
    waits: WaitFactory | None = None,
    answers: Responder = SILENT,
    credentials: Credentials | None = None,
    listens: bool = False,
    no_delete: bool = False,
    waiting: Callable[[str], None] = ignore,
) -> McpSession:
    """Make an MCP client for a destination, by the transport that its target's line names.

    `waiting` is called from time to time while a server is still starting.
    Over streamable HTTP, a client with `listens` keeps the stream of its session open, and one with
    `no_delete` leaves its session without a DELETE request.
    """
    if isinstance(destination, Endpoint) and split_target(line)[0] == "http":
        client = HttpClient(
            destination,
            protocol,
            observe=observe,
            stray=stray,
            stream=stream,
            waits=waits,
            answers=answers,
            credentials=credentials,
            listens=listens,
            no_delete=no_delete,
        )
        client.terms.hide = redactor.add_passing
        return client
    channel: Channel
    if isinstance(destination, Command):
        channel = StdioChannel(destination)
    elif isinstance(destination, Code):
        channel = MemoryChannel(destination, bridge())
    else:
        channel = SseChannel(destination, waits=waits)
    return SessionClient(
        channel, protocol, observe=observe, stray=stray, answers=answers, waiting=waiting
    )


def remarks_of(client: ArmClient) -> list[str]:
    """Return what was odd about a client's target, after the client is closed."""
    if isinstance(client, RestClient):
        return client.remarks()
    return [] if isinstance(client, PythonClient) else client.terms.remarks


def for_bursts(
    client: ArmClient, number: int, waits: WaitFactory | None = None
) -> Sequence[ArmClient]:
    """Return this many clients for one user's calls at once. In plain HTTP, each has a connection.

    The first is the user's own client. An MCP session carries many calls at once, so it serves all
    of them; over HTTP it gets as many connections.
    """
    if isinstance(client, HttpClient):
        client.pool.widen(number)
    if isinstance(client, RestClient):
        more = (
            RestClient(client.endpoint, waits=waits, shared=client.cookies)
            for _ in range(number - 1)
        )
        return [client, *more][:number]
    return [client] * number


def _code(name: str, arm: Arm, loaded: Loaded) -> Code:
    """Import an arm's object, from an installed package or from the scenario's folder."""
    folder = str(loaded.base.resolve())
    if folder not in sys.path:
        sys.path.append(folder)
    silenced = logging.root.manager.disable
    try:
        return Code(name, find(name), arm.timeout)
    finally:
        logging.disable(silenced)  # a module may silence its own log, but not ours


def _endpoint(name: str, arm: Arm, loaded: Loaded, url: str) -> Endpoint:
    try:
        return Endpoint.of(
            url,
            headers=shared_by_all(arm.headers, loaded),
            timeout_s=arm.timeout,
            tls=tls_of(arm.tls, loaded),
            host=arm.host,
            proxy=arm.proxy,
            personal=of_users(arm.headers),
        )
    except ValueError as error:
        raise Refusal(f"arm {name}: {error}") from error
