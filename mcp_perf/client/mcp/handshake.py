"""What a client and its server agree on, over any transport: first of all a version."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from mcp_perf.client.errors import NegotiationError, TargetError
from mcp_perf.client.http.dialing import Clock
from mcp_perf.client.protocol import jsonrpc
from mcp_perf.client.protocol import versions as eras
from mcp_perf.client.protocol.answers import Responder
from mcp_perf.client.protocol.identity import Strays
from mcp_perf.client.protocol.jsonrpc import RequestId
from mcp_perf.client.protocol.multiplex import Hear
from mcp_perf.client.protocol.subscriptions import Inbox
from mcp_perf.client.protocol.tasks import offered
from mcp_perf.client.rate_limits import TOO_MANY_REQUESTS
from mcp_perf.client.reply import Reply, clipped, ignore, members
from mcp_perf.outcomes import OK

Observer = Callable[[str, Reply], None]
"""Gets every request that is not a call: its method, its reply."""
Sleep = Callable[[float], None]

PROBE_S: Final = 5.0
"""How long to wait for the answer to the era probe if the version is not settled."""
_PROBES: Final = 3
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 5.0
_LONGEST_NAME: Final = 200
_VERSION_UNKNOWN: Final = -32022
_BUSY: Final = (TOO_MANY_REQUESTS, 502, 503, 504)
"""Statuses by which the server, or a proxy before it, says that it will answer later."""
_ABOUT_HOST: Final = re.compile(r"\b(?:http_)?hosts?\b|\borigins?\b|localhost|dns.?rebinding")


class Ask(Protocol):
    """A way to send a request that is not a call."""

    def __call__(
        self, method: str, params: dict[str, Any], *, modern: bool, timeout_s: float | None = None
    ) -> Reply:
        """Send it, tell the observer. Raises ConnectError and CallTimeout.

        It waits for the reply at most `timeout_s`, if that is given, and never longer than the
        client.
        """


def pause(seconds: float) -> None:
    """Sleep. `time.sleep` is looked up now: gevent may have replaced it since this was imported."""
    time.sleep(seconds)


@dataclass(eq=False)
class Terms:
    """What a client brings to its session, and what came of it."""

    protocol: str
    """The version that is asked for, or `auto`."""
    answers: Responder
    """The answers for a call that does not have its own."""
    observe: Observer
    clock: Clock
    sleep: Sleep
    strays: Strays
    in_progress: dict[RequestId, Hear] = field(default_factory=dict)
    """What hears the progress of calls in flight, by token: the id that a call began with."""
    inbox: Inbox | None = None
    """Where the notifications of subscriptions go; None if nobody listens."""
    server: str = ""
    """The name and the version by which the server introduced itself."""
    tools_list_bytes: int = 0
    """The size of the last `tools/list`, all pages together."""
    tasks: bool = False
    """Whether the server has tasks for tools."""
    hide: Callable[[str], None] = ignore
    """Gets the id of each session, because anybody who knows it can speak in the session."""

    def __post_init__(self) -> None:
        self.version = "" if self.protocol == "auto" else self.protocol
        """The version in use; empty until it is negotiated."""
        self.capabilities = self.answers.capabilities
        self.remarks: list[str] = []
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
        """Return the messages of a batch; anything else is the only message."""
        return (jsonrpc.batch_of(event) if self.batches else []) or [event]

    def meet(self, hello: dict[str, Any]) -> None:
        """Remember who answered `initialize` or `server/discover`."""
        info = eras.server_info(hello)
        named = (str(info[key]) for key in ("name", "version") if key in info)
        self.server = clipped(" ".join(named), _LONGEST_NAME)

    def tell(self, method: str, reply: Reply) -> None:
        self.setup_bytes[0] += reply.bytes_in
        self.setup_bytes[1] += reply.bytes_out
        self.observe(method, reply)

    def remark(self, *texts: str) -> None:
        for text in map(clipped, texts):
            if text not in self.remarks:
                self.remarks.append(text)

    def miss(self, reason: str) -> None:
        """Let whoever awaits a notification know that it may never come."""
        if self.inbox is not None:
            self.inbox.end(reason)

    def left_s(self, since_ns: int, timeout_s: float) -> float:
        """Return what is left of a call's time, in seconds; never 0."""
        return max(0.001, timeout_s - (self.clock() - since_ns) / 1e9)


def discover(terms: Terms, ask: Ask) -> bool:
    """Probe for 2026-07-28 (the specification's "Era probe"); tell whether the server speaks it.

    If the version is not settled, any failure means that it does not, and `initialize` is tried.
    Raises NegotiationError if only this version is asked for, or none is common.
    """
    if terms.protocol == eras.MODERN:
        return _discovered(terms, _probe(terms, ask), ask)
    try:
        reply = _probe(terms, ask, PROBE_S)
    except TargetError as error:
        terms.remark(_not_modern(str(error)))
        return False
    if reply.status >= 500:
        terms.remark(_not_modern(reply.detail))
    return _discovered(terms, reply, ask)


def _probe(terms: Terms, ask: Ask, timeout_s: float | None = None) -> Reply:
    for number in range(_PROBES):
        reply = ask("server/discover", {}, modern=True, timeout_s=timeout_s)
        error = jsonrpc.error_of(reply)
        later = error is not None and error.code == jsonrpc.HEADER_MISMATCH
        if not (later or reply.status in _BUSY) or number == _PROBES - 1:
            break
        pause_s = max(_FIRST_PAUSE_S * 2**number, reply.retry_after_s)
        terms.sleep(min(pause_s, _LONGEST_PAUSE_S))
    return reply


def _not_modern(why: str) -> str:
    said = why.removeprefix("server/discover: ")
    return f"uses a version of MCP older than {eras.MODERN}, because server/discover failed: {said}"


def _discovered(terms: Terms, reply: Reply, ask: Ask) -> bool:
    error = jsonrpc.error_of(reply)
    if error is not None and error.code == _VERSION_UNKNOWN:
        supported = _supported(error)
        if eras.MODERN in supported:
            reply = ask("server/discover", {}, modern=True)
        elif supported and not supported & {*eras.HANDSHAKE}:
            only = f"the server only speaks MCP {', '.join(sorted(supported))}"
            raise NegotiationError(f"{only}, which mcp-perf does not know")
    result = jsonrpc.result_of(reply) if reply.outcome == OK else {}
    versions = result.get("supportedVersions")
    if isinstance(versions, list) and eras.MODERN in versions:
        terms.version = eras.MODERN
        terms.tasks = offered(result.get("capabilities"), modern=True)
        terms.meet(result)
        return True
    if terms.protocol == eras.MODERN:
        said = f"{reply.detail or reply.excerpt()}{_hint(reply)}"
        refused = NegotiationError(f"the server does not speak MCP {eras.MODERN}: {said}")
        raise refused.told_by(reply)
    return False


def agree(terms: Terms, ask: Ask) -> bool:
    """Send `initialize`, take the version that the server chooses. Raises NegotiationError.

    If the server refuses the version and lists others, the best common one is tried. Returns False
    if that is 2026-07-28, which has no handshake.
    """
    wanted = terms.protocol if terms.protocol in eras.HANDSHAKE else eras.HANDSHAKE[0]
    reply = _initialized(terms, ask, wanted)
    if reply.outcome != OK and terms.protocol == "auto":
        best = next((one for one in eras.VERSIONS if one in _listed(reply, wanted)), "")
        if best:
            why = f"the server refused {wanted} and lists this version"
            terms.remark(f"uses MCP {best}, because {why}")
        if best == eras.MODERN and discover(terms, ask):
            return False
        if best in eras.HANDSHAKE:
            reply = _initialized(terms, ask, best)
    if reply.outcome != OK:
        raise NegotiationError(f"initialize failed: {reply.detail}{_hint(reply)}").told_by(reply)
    result = jsonrpc.result_of(reply)
    if not result:
        raise NegotiationError(f"the result of initialize cannot be read: {reply.excerpt()}")
    version = result.get("protocolVersion")
    if version not in eras.HANDSHAKE:
        raise NegotiationError(f"the server offers MCP {version!r}, which mcp-perf does not know")
    if terms.protocol not in ("auto", version):
        asked = f"asked for MCP {terms.protocol}, the server answered with {version}"
        raise NegotiationError(f"{asked} (write protocol: auto for the arm, or --protocol auto)")
    terms.version = version
    terms.tasks = offered(result.get("capabilities"), modern=False)
    terms.meet(result)
    return True


def _initialized(terms: Terms, ask: Ask, version: str) -> Reply:
    return ask("initialize", eras.initialize_params(version, terms.capabilities), modern=False)


def _listed(reply: Reply, refused: str) -> set[str]:
    """Return the versions that a refusal lists, in its data or in its words."""
    error = jsonrpc.error_of(reply)
    named = set() if error is None else _supported(error)
    if not named and "version" in reply.detail.lower():
        named = set(re.findall(r"\b\d{4}-\d\d-\d\d\b", reply.excerpt()))
    return named - {refused}


def _supported(error: jsonrpc.RpcError) -> set[str]:
    listed = members(error.data).get("supported")
    return {str(version) for version in listed} if isinstance(listed, list) else set()


def _hint(reply: Reply) -> str:
    said = reply.excerpt().lower()
    if " is redirected to " in reply.detail:
        followed = "only redirects 307 and 308 to the same host and port are followed"
        return f" (write that address; {followed})"
    if reply.status == 421 or (reply.status in (400, 403) and _ABOUT_HOST.search(said)):
        return " (the server checks the Host or Origin header: write `host: NAME` for the arm)"
    if reply.status == 407:
        return " (the proxy needs a login: write headers: {Proxy-Authorization: …} for the arm)"
    if reply.status in (401, 403):
        cure = "write `headers:` or `auth:` for the arm, or --bearer-env"
        return f" (the server needs credentials: {cure})"
    if reply.status in (404, 405):
        return " (check the address of the MCP endpoint: it often ends with /mcp)"
    return ""
