"""What matters about a server under load: how it speaks, and how long each method takes."""

from pathlib import Path
from typing import Any, Final

from mcp_perf.client.errors import TargetError
from mcp_perf.client.mcp.lists import list_all
from mcp_perf.client.mcp.streamable_http import HttpClient
from mcp_perf.client.protocol.requests import LIST_KEYS, LISTS, Request
from mcp_perf.client.protocol.versions import HANDSHAKE, MODERN
from mcp_perf.client.reply import Reply, beginning
from mcp_perf.load.steps.compile import unusable_schemas
from mcp_perf.load.survey.choice import choose
from mcp_perf.load.survey.given import Given
from mcp_perf.load.survey.survey import Seen, opened, reached
from mcp_perf.load.survey.writing import TIMEOUT_S
from mcp_perf.load.targets.clients import McpSession
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.outcomes import OK, STRAYS
from mcp_perf.results.tally.metrics import tokens
from mcp_perf.scenario.model.targets import split_target

Details = dict[str, Any]
_TRANSPORTS: Final = {
    "http": "streamable HTTP",
    "sse": "HTTP+SSE",
    "stdio": "stdio",
    "python": "in process",
}


def facts(given: Given, folder: Path) -> Details:
    """Look at a server, without load. Raises Refusal."""
    seen, strays = Seen(), _Strays()
    with reached(given, folder) as target:
        listens = target.version != MODERN
        with opened(target, observe=seen, stray=strays, listens=listens) as client:
            offered = seen.result("server/discover", "initialize").get("capabilities") or {}
            methods = _methods(client, offered, target)
            session = _session(client)
            client.list_tools()
            listed = sum(method == "tools/list" for method, _ in seen.replies)
        other = _other_era(target)
    statuses = {method: reply.status for method, reply in seen.replies}
    return {
        **{key: seen.server().get(key) for key in ("name", "version")},
        "target": target.url,
        "transport": _TRANSPORTS[split_target(target.url)[0]],
        "versions": [*dict.fromkeys((target.version, *other))],
        "authorization": "authorization" in map(str.lower, given.headers),
        **session,
        "stream": statuses.get("GET stream"),
        "delete": statuses.get("DELETE session"),
        "tools": len(target.tools or ()),
        "tools_list_pages": listed,
        "tools_list_bytes": target.tools_list_bytes,
        "tools_list_tokens": round(tokens(target.tools_list_bytes)),
        "ms": methods,
        "faults": [*target.remarks, *_faults(target), *strays.told()],
        "listed": _tools(target),
    }


class _Strays:
    """Counts messages that belong to no call, such as lines of a log on stdout."""

    def __init__(self) -> None:
        self._seen: dict[str, list[bytes]] = {}

    def __call__(self, kind: str, message: bytes) -> None:
        self._seen.setdefault(kind, []).append(message)

    def told(self) -> list[str]:
        return [
            f"{STRAYS[kind]}: {len(messages)}, such as {beginning(messages[0])}"
            for kind, messages in self._seen.items()
        ]


def _other_era(target: ArmTarget) -> list[str]:
    """Return the version of the other era, if the server speaks that, too."""
    other = HANDSHAKE[0] if target.version == MODERN else MODERN
    seen = Seen()
    try:
        with opened(target, other, observe=seen) as client:
            return [client.terms.version]
    except TargetError:
        version = seen.result("initialize").get("protocolVersion")
        return [version] if isinstance(version, str) else []


def _methods(client: McpSession, capabilities: dict[str, Any], target: ArmTarget) -> Details:
    """Call each method that changes nothing once; return its time in ms, or how it failed."""
    timed: Details = {}
    for what, key in LIST_KEYS.items():
        method = LISTS[what]
        if method.partition("/")[0] in capabilities:
            timed[method] = _timed(list_all(client, method, key, TIMEOUT_S))
    if target.version != MODERN:
        timed["ping"] = _timed(client.call(Request("ping", None), {}, TIMEOUT_S))
    return timed


def _timed(reply: Reply) -> float | str:
    if reply.outcome != OK:
        return f"{reply.outcome}: {reply.detail}"
    return round((reply.end_ns - reply.start_ns) / 1e6, 2)


def _session(client: McpSession) -> Details:
    if not isinstance(client, HttpClient):
        return {"session": "the channel"}
    with client.pool.one() as connection:
        return {
            "session": "by id" if client.has_session else "none",
            "answers": "SSE" if connection.reader.streaming else "JSON",
            "keep_alive": connection.opened == 1,
        }


def _tools(target: ArmTarget) -> dict[str, Details]:
    tools = target.tools or {}
    kinds = vars(choose(tools)).items()
    return {
        name: {
            "use": next(kind for kind, names in kinds if name in names),
            "arguments": tool.input_schema.get("properties", {}),
        }
        for name, tool in tools.items()
    }


def _faults(target: ArmTarget) -> list[str]:
    return [
        f"tool {name}: its {kind} cannot be used: {why}"
        for name, tool in (target.tools or {}).items()
        for _, kind, why in unusable_schemas(tool)
    ]
