"""What a client and its server agree on, over any transport: first of all a version."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from mcp_perf.client.errors import NegotiationError
from mcp_perf.client.http.dialing import Clock
from mcp_perf.client.protocol import jsonrpc
from mcp_perf.client.protocol import versions as eras
from mcp_perf.client.protocol.answers import Responder
from mcp_perf.client.protocol.identity import Strays
from mcp_perf.client.protocol.jsonrpc import RequestId
from mcp_perf.client.protocol.multiplex import Hear
from mcp_perf.client.protocol.subscriptions import Inbox
from mcp_perf.client.protocol.tasks import offered
from mcp_perf.client.reply import OK, Reply

Observer = Callable[[str, Reply], None]
"""Is told of every request that is not a call: its method, its reply."""
Sleep = Callable[[float], None]

_VERSION_UNKNOWN: Final = -32022


class Ask(Protocol):
    """A way to send a request that is not a call."""

    def __call__(self, method: str, params: dict[str, Any], *, modern: bool) -> Reply:
        """Send it, tell the observer. Raises ConnectError and CallTimeout."""


def ignore(_method: str, _reply: Reply) -> None:
    """Observe nothing."""


def pause(seconds: float) -> None:
    """Sleep. `time.sleep` is looked up now: gevent may have replaced it since this was imported."""
    time.sleep(seconds)


@dataclass(eq=False)
class Terms:
    """What a client brings to its session, and what has come of it."""

    protocol: str
    """The version that is asked for, or `auto`."""
    answers: Responder
    """What is answered if a call brings no answers of its own."""
    observe: Observer
    clock: Clock
    sleep: Sleep
    strays: Strays
    in_progress: dict[RequestId, Hear] = field(default_factory=dict)
    """What hears the progress of calls in flight, by its token: the id that they began with."""
    inbox: Inbox | None = None
    """Where the notifications of subscriptions go; None where nobody listens."""
    tools_list_bytes: int = 0
    """The size of the last `tools/list`, all pages together."""
    tasks: bool = False
    """Whether the server has tasks for tools."""

    def __post_init__(self) -> None:
        self.version = "" if self.protocol == "auto" else self.protocol
        """The version in use; empty until it is negotiated."""
        self.capabilities = self.answers.capabilities
        self.setup_bytes = [0, 0]
        """Received and sent by all requests that are not calls."""

    @property
    def modern(self) -> bool:
        return self.version == eras.MODERN

    @property
    def batches(self) -> bool:
        """Whether the server may send several messages as one."""
        return self.version == eras.BATCHING

    def messages_of(self, event: bytes) -> list[bytes]:
        """Return the messages of a batch; what is none, as the only message."""
        return (jsonrpc.batch_of(event) if self.batches else []) or [event]

    def tell(self, method: str, reply: Reply) -> None:
        self.setup_bytes[0] += reply.bytes_in
        self.setup_bytes[1] += reply.bytes_out
        self.observe(method, reply)

    def miss(self, reason: str) -> None:
        """Have whoever awaits a notification know that it may never come."""
        if self.inbox is not None:
            self.inbox.end(reason)

    def left_s(self, since_ns: int, timeout_s: float) -> float:
        """Return what is left of a call's time; never nothing."""
        return max(0.001, timeout_s - (self.clock() - since_ns) / 1e9)


def discover(terms: Terms, ask: Ask) -> bool:
    """Probe for 2026-07-28, after the specification's "Era probe". Raises NegotiationError."""
    reply = ask("server/discover", {}, modern=True)
    error = jsonrpc.error_of(reply)
    if error is not None and error.code == _VERSION_UNKNOWN:
        supported = _supported(error)
        if eras.MODERN in supported:
            reply = ask("server/discover", {}, modern=True)
        elif supported and not supported & {*eras.HANDSHAKE}:
            shown = ", ".join(sorted(supported))
            raise NegotiationError(f"the server speaks only {shown}, unknown here")
    if _offers_modern(reply):
        terms.version = eras.MODERN
        terms.tasks = offered(jsonrpc.result_of(reply).get("capabilities"), modern=True)
        return True
    if terms.protocol == eras.MODERN:
        raise NegotiationError(
            f"the server does not speak {eras.MODERN}: {reply.detail or reply.excerpt()}"
            f"{_hint(reply)}"
        ).told_by(reply.status, reply.outcome, reply.retry_after_s)
    return False


def agree(terms: Terms, ask: Ask) -> None:
    """Send `initialize`, take the version that the server chooses. Raises NegotiationError."""
    wanted = terms.protocol if terms.protocol in eras.HANDSHAKE else eras.HANDSHAKE[0]
    reply = ask("initialize", eras.initialize_params(wanted, terms.capabilities), modern=False)
    if reply.outcome != OK:
        failure = NegotiationError(f"initialize failed: {reply.detail}{_hint(reply)}")
        raise failure.told_by(reply.status, reply.outcome, reply.retry_after_s)
    result = jsonrpc.result_of(reply)
    if not result:
        raise NegotiationError(f"the result of initialize cannot be read: {reply.excerpt()}")
    version = result.get("protocolVersion")
    if version not in eras.HANDSHAKE:
        raise NegotiationError(f"the server offers protocol version {version!r}, unknown here")
    if terms.protocol not in ("auto", version):
        raise NegotiationError(f"asked for {terms.protocol}, the server speaks {version}")
    terms.version = version
    terms.tasks = offered(result.get("capabilities"), modern=False)


def _supported(error: jsonrpc.RpcError) -> set[str]:
    listed = error.data.get("supported") if isinstance(error.data, dict) else None
    return {str(version) for version in listed} if isinstance(listed, list) else set()


def _offers_modern(reply: Reply) -> bool:
    if reply.outcome != OK:
        return False
    versions = jsonrpc.result_of(reply).get("supportedVersions")
    return isinstance(versions, list) and eras.MODERN in versions


def _hint(reply: Reply) -> str:
    """Say what an HTTP status of a failed opening usually means."""
    if reply.status in (401, 403):
        return " (the server wants credentials: set `headers:` or `auth:` of the arm)"
    if reply.status in (404, 405):
        return " (is this the address of the MCP endpoint? It often ends with /mcp)"
    return ""
