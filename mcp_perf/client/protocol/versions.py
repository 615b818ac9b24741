"""The two eras of MCP over streamable HTTP: what each adds to a request, as pure functions.

2026-07-28 ("modern") is stateless: an envelope in `_meta` and routing headers on every request.
Up to 2025-11-25 ("handshake") a session is opened by `initialize`, and its id and version go into
headers.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mcp_perf.client.protocol.tools import encode_header_value
from mcp_perf.client.reply import members

MODERN: Final = "2026-07-28"
HANDSHAKE: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
BATCHING: Final = "2025-03-26"
"""The only version in which messages may come as a batch."""
VERSIONS: Final = (MODERN, *HANDSHAKE)
CLIENT_INFO: Final = {"name": "mcp-perf", "version": "0.1.0"}

_BASE: Final = [
    ("Content-Type", "application/json"),
    ("Accept", "application/json, text/event-stream"),
    ("Accept-Encoding", "identity"),
]
_SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"
_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
_META: Final = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    _CAPABILITIES: {},
    "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
}
LISTEN: Final = "subscriptions/listen"
_NAMED: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    **dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), "taskId"),
}


def server_info(hello: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a server calls itself in its answer to `initialize` or `server/discover`."""
    return members(hello.get("serverInfo") or members(hello.get("_meta")).get(_SERVER_INFO))


def modern_headers(method: str, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the headers of a request of 2026-07-28, without its `Mcp-Param-*`."""
    headers = [*_BASE, ("MCP-Protocol-Version", MODERN), ("Mcp-Method", method)]
    key = _NAMED.get(method)
    if key is not None:
        headers.append(("Mcp-Name", encode_header_value(str(params[key]))))
    return headers


def modern_params(
    params: Mapping[str, Any], capabilities: Mapping[str, Any], meta: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the params of a request of 2026-07-28, envelope included."""
    return {**params, "_meta": {**_META, _CAPABILITIES: capabilities, **meta}}


def handshake_headers(version: str, session: str) -> list[tuple[str, str]]:
    """Return the headers of a request in a session; before `initialize` both are empty."""
    headers = list(_BASE)
    if version:
        headers.append(("MCP-Protocol-Version", version))
    if session:
        headers.append(("Mcp-Session-Id", session))
    return headers


def stream_headers(version: str, session: str, last_event: str = "") -> list[tuple[str, str]]:
    """Return the headers of the GET that opens a session's stream, or resumes one."""
    headers = [("Accept", "text/event-stream"), *handshake_headers(version, session)[2:]]
    if last_event:
        headers.append(("Last-Event-ID", last_event))
    return headers


def initialize_params(version: str, capabilities: Mapping[str, Any]) -> dict[str, Any]:
    """Return the params of `initialize`; a server does not ask for what is not declared."""
    return {"protocolVersion": version, "capabilities": capabilities, "clientInfo": CLIENT_INFO}


def encode_tail(method: str, params: dict[str, Any] | None) -> bytes:
    """Encode a request without its beginning `{"jsonrpc":"2.0","id":N`."""
    encoded = b"" if params is None else b',"params":' + msgspec.json.encode(params)
    return b',"method":' + msgspec.json.encode(method) + encoded + b"}"


def encode_message(request_id: int, tail: bytes) -> bytes:
    """Join a request's id to its tail."""
    return b'{"jsonrpc":"2.0","id":%d%b' % (request_id, tail)


INITIALIZED: Final = b'{"jsonrpc":"2.0"' + encode_tail("notifications/initialized", None)


def encode_listen(
    request_id: str, notifications: Mapping[str, Any], capabilities: Mapping[str, Any]
) -> bytes:
    """Encode the request of a subscription (2026-07-28)."""
    params = modern_params({"notifications": notifications}, capabilities, {})
    named = b'{"jsonrpc":"2.0","id":' + msgspec.json.encode(request_id)
    return named + encode_tail(LISTEN, params)


def encode_cancel(request_id: int | str, reason: str) -> bytes:
    """Encode the notification that cancels a request."""
    params = {"requestId": request_id, "reason": reason}
    return b'{"jsonrpc":"2.0"' + encode_tail("notifications/cancelled", params)
