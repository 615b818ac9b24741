"""What every MCP client does alike, whatever carries its messages: agree on a version, list."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final

import msgspec

from mcp_perf.client.errors import NegotiationError, ReadError, TargetError
from mcp_perf.client.http.connection import Clock
from mcp_perf.client.protocol import jsonrpc
from mcp_perf.client.protocol import versions as eras
from mcp_perf.client.protocol.answers import Answers, NoAnswer
from mcp_perf.client.protocol.input_rounds import Rounds
from mcp_perf.client.protocol.requests import Arguments, Params, Prepared, Request
from mcp_perf.client.protocol.subscriptions import Inbox, Wanted
from mcp_perf.client.protocol.tools import Tool, read_tools
from mcp_perf.client.reply import CHECK_FAILED, OK, Reply

Observer = Callable[[str, Reply], None]
"""Is told of every request that is not a call: its method, its reply."""

Sleep = Callable[[float], None]

MAX_PAGES: Final = 1000
NOTHING: Final[dict[str, Any]] = {}
_VERSION_UNKNOWN: Final = -32022


def ignore(_method: str, _reply: Reply) -> None:
    """Observe nothing."""


class BaseClient(ABC):
    """One virtual user's session with one MCP server."""

    def __init__(
        self, protocol: str, answers: Answers, observe: Observer, clock: Clock, sleep: Sleep
    ) -> None:
        self.protocol = protocol
        self._observe = observe
        self._clock = clock
        self._sleep = sleep
        self.version = "" if protocol == "auto" else protocol
        """The protocol version in use; empty until it is negotiated."""
        self.tools_list_bytes = 0
        """The size of the last `tools/list`, all pages together."""
        self.setup_bytes = [0, 0]
        """Received and sent by all requests that are not calls."""
        self._script = answers
        """What is answered where a call brings no answers of its own; it says what is declared."""
        self._capabilities = answers.capabilities
        self._ids = itertools.count(1)
        self._inbox: Inbox | None = None
        """None where nobody listens."""
        self._subscribed: list[str] = []
        """Resources that the session has to be told to forget (up to 2025-11-25)."""

    @property
    def modern(self) -> bool:
        return self.version == eras.MODERN

    @property
    @abstractmethod
    def has_session(self) -> bool: ...

    @property
    @abstractmethod
    def has_stream(self) -> bool:
        """Whether a stream is open beside the calls, for what the server says by itself."""

    @property
    @abstractmethod
    def timeout_s(self) -> float:
        """How long a call may take that says nothing else."""

    @abstractmethod
    def ready(self) -> None:
        """Open the session where there is none. Raises TargetError."""

    @abstractmethod
    def close(self) -> None:
        """End the session, saying goodbye where the transport has a way to."""

    @abstractmethod
    def drop(self) -> None:
        """Leave the session without a goodbye, where the transport lets it live on."""

    @abstractmethod
    def call(
        self, call: Prepared, arguments: Arguments = None, timeout_s: float | None = None
    ) -> Reply: ...

    @abstractmethod
    def _request(self, method: str, params: Params, *, modern: bool) -> Reply:
        """Send a request that is not a call, tell the observer. Raises TargetError."""

    @abstractmethod
    def _again(
        self,
        first: Reply,
        call: Prepared,
        arguments: Arguments,
        timeout_s: float,
        added: Params = NOTHING,
    ) -> Reply:
        """Repeat a call; all attempts are one call to the one who waits."""

    # Calls that take more than one exchange.

    def _answer(
        self, reply: Reply, call: Prepared, arguments: Arguments, timeout_s: float
    ) -> Reply:
        rounds = Rounds(call.answers or self._script)
        while jsonrpc.wants_input(reply):
            try:
                added, pause_s = rounds.following(jsonrpc.result_of(reply))
            except NoAnswer as error:
                return reply.fail(CHECK_FAILED, str(error))
            if pause_s:
                self._sleep(min(pause_s, self._left_s(reply, timeout_s)))
            reply = self._again(reply, call, arguments, timeout_s, added)
        return reply

    def _left_s(self, first: Reply, timeout_s: float) -> float:
        return max(0.001, timeout_s - (self._clock() - first.start_ns) / 1e9)

    # Sessions as what is measured.

    def open_session(self) -> Reply:
        """Open a new session: connection, and handshake where the version has one, as one call.

        A session that is still open, because what used it broke off, is dropped before.
        """
        self.drop()
        return self._timed(self.ready, "no session")

    def close_session(self) -> Reply:
        return self._timed(self._leave, "not closed")

    def _leave(self) -> None:
        """Close the session. Raises RefusedError where the server does not let it go."""
        self.close()

    def _timed(self, act: Callable[[], None], otherwise: str) -> Reply:
        received, sent = self.setup_bytes
        reply = Reply(self._clock())
        try:
            act()
        except TargetError as error:
            reply.fail(error.outcome, f"{otherwise}: {error}")
        reply.end_ns = self._clock()
        reply.bytes_in = self.setup_bytes[0] - received
        reply.bytes_out = self.setup_bytes[1] - sent
        return reply

    def _tell(self, method: str, reply: Reply) -> None:
        self.setup_bytes[0] += reply.bytes_in
        self.setup_bytes[1] += reply.bytes_out
        self._observe(method, reply)

    # Lists.

    def list_all(self, method: str, key: str, timeout_s: float | None = None) -> Reply:
        """List all of a kind, page by page, as one call; its body is that of a single page."""
        timeout = self.timeout_s if timeout_s is None else timeout_s
        request = Request(method, None)
        whole = self.call(request, {}, timeout)
        listed: list[Any] = []
        for _ in range(MAX_PAGES):
            if whole.outcome != OK:
                return whole
            result = jsonrpc.result_of(whole)
            page = result.get(key)
            if not isinstance(page, list):
                return whole.fail(CHECK_FAILED, f"{method}: the result has no list of {key}")
            listed += page
            cursor = result.get("nextCursor")
            if not isinstance(cursor, str):
                whole.body = msgspec.json.encode({"result": {**result, key: listed}})
                return whole
            left_s = self._left_s(whole, timeout)
            whole = joined(whole, self.call(request, {"cursor": cursor}, left_s))
        return whole.fail(CHECK_FAILED, f"{method} does not end after {MAX_PAGES} pages")

    def list_tools(self) -> dict[str, Tool]:
        """List all tools, page by page. Raises ReadError when the list cannot be had."""
        tools: dict[str, Tool] = {}
        params: Params = {}
        self.tools_list_bytes = 0
        for _ in range(MAX_PAGES):
            reply = self._request("tools/list", params, modern=self.modern)
            if reply.outcome != OK:
                raise ReadError(f"tools/list failed: {reply.detail}")
            self.tools_list_bytes += len(reply.body)
            result = jsonrpc.result_of(reply)
            tools |= read_tools(result.get("tools"), modern=self.modern)
            cursor = result.get("nextCursor")
            if not isinstance(cursor, str):
                return tools
            params = {"cursor": cursor}
        raise ReadError(f"tools/list does not end after {MAX_PAGES} pages")

    # Finding a version that both sides speak.

    def _discover(self) -> bool:
        """Probe for 2026-07-28, after the specification's "Era probe"."""
        reply = self._request("server/discover", {}, modern=True)
        error = jsonrpc.error_of(reply)
        if error is not None and error.code == _VERSION_UNKNOWN:
            supported = _supported(error)
            if eras.MODERN in supported:
                reply = self._request("server/discover", {}, modern=True)
            elif supported and not supported & {*eras.HANDSHAKE}:
                shown = ", ".join(sorted(supported))
                raise NegotiationError(f"the server speaks only {shown}, unknown here")
        if _offers_modern(reply):
            self.version = eras.MODERN
            return True
        if self.protocol == eras.MODERN:
            raise NegotiationError(
                f"the server does not speak {eras.MODERN}: {reply.detail or reply.excerpt()}"
                f"{_hint(reply)}"
            )
        return False

    def _agree(self) -> None:
        wanted = self.protocol if self.protocol in eras.HANDSHAKE else eras.HANDSHAKE[0]
        params = eras.initialize_params(wanted, self._capabilities)
        reply = self._request("initialize", params, modern=False)
        if reply.outcome != OK:
            raise NegotiationError(f"initialize failed: {reply.detail}{_hint(reply)}")
        result = jsonrpc.result_of(reply)
        if not result:
            raise NegotiationError(f"the result of initialize cannot be read: {reply.excerpt()}")
        version = result.get("protocolVersion")
        if version not in eras.HANDSHAKE:
            raise NegotiationError(f"the server offers protocol version {version!r}, unknown here")
        if self.protocol not in ("auto", version):
            raise NegotiationError(f"asked for {self.protocol}, the server speaks {version}")
        self.version = version

    # Encoding.

    def _listen_message(self, wanted: Wanted) -> tuple[str, Params, bytes]:
        """Encode a `subscriptions/listen` (2026-07-28); return it with its id and its params."""
        request_id = f"listen-{next(self._ids)}"
        asked: Params = {"notifications": wanted.notifications()}
        params = eras.modern_params(asked, self._capabilities, NOTHING)
        tail = eras.encode_tail(eras.LISTEN, params)
        return request_id, params, eras.encode_named(request_id, tail)

    def _params(self, params: Params, call: Prepared) -> dict[str, Any]:
        if self.modern:
            return eras.modern_params(params, self._capabilities, call.meta)
        return eras.handshake_params(params, call.meta)


def joined(first: Reply, reply: Reply) -> Reply:
    """Make two exchanges one call: it began with the first, and ended as the second did."""
    reply.start_ns = first.start_ns
    reply.bytes_in += first.bytes_in
    reply.bytes_out += first.bytes_out
    reply.session_lost = reply.session_lost or first.session_lost
    return reply


def _supported(error: jsonrpc.RpcError) -> set[str]:
    listed = error.data.get("supported") if isinstance(error.data, dict) else None
    return {str(version) for version in listed} if isinstance(listed, list) else set()


def _offers_modern(reply: Reply) -> bool:
    if reply.outcome != OK:
        return False
    versions = jsonrpc.result_of(reply).get("supportedVersions")
    return isinstance(versions, list) and eras.MODERN in versions


def _hint(reply: Reply) -> str:
    if reply.status in (401, 403):
        return " (the server wants credentials: set `headers:` or `auth:` of the arm)"
    if reply.status in (404, 405):
        return " (is this the address of the MCP endpoint? It often ends with /mcp)"
    return ""
