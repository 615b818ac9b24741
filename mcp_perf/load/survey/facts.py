"""What matters of a server under load: how it speaks, and what each method of it takes."""

from pathlib import Path
from typing import Any, Final

from mcp_perf.client.errors import TargetError
from mcp_perf.client.mcp.lists import list_all
from mcp_perf.client.mcp.streamable_http import McpClient
from mcp_perf.client.protocol.requests import Request
from mcp_perf.client.protocol.versions import HANDSHAKE, MODERN
from mcp_perf.client.reply import OK, Reply
from mcp_perf.load.replies.output_check import unusable
from mcp_perf.load.survey.choice import choose
from mcp_perf.load.survey.given import Given
from mcp_perf.load.survey.survey import Seen, opened, reached
from mcp_perf.load.survey.writing import TIMEOUT_S
from mcp_perf.load.targets.clients import McpSession
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.results.tally.tokens import tokens
from mcp_perf.scenario.model.targets import split_target

Details = dict[str, Any]
_TRANSPORTS: Final = {
    "http": "streamable HTTP",
    "sse": "HTTP+SSE",
    "stdio": "stdio",
    "python": "in process",
}
_LISTS: Final = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}


def facts(given: Given, folder: Path) -> Details:
    """Look at a server, without load. Raises Refusal."""
    with reached(given, folder) as (_, target):
        found: Details = {
            "target": target.url,
            "transport": _TRANSPORTS[split_target(target.url)[0]],
        }
        seen = Seen()
        with opened(target, observe=seen, listens=target.version != MODERN) as client:
            hello = seen.result("server/discover", "initialize")
            offered = hello.get("capabilities") or {}
            found |= {
                "server": {key: seen.server().get(key) for key in ("name", "version")},
                "versions": [target.version, *_other_era(target)],
                "authorization": "sent" if _authorizes(given) else "none",
                "capabilities": sorted(offered),
                "methods": _methods(client, offered, target),
                **_session(client),
            }
            client.list_tools()
            listed = sum(method == "tools/list" for method, _ in seen.replies)
            found["tools_list"] = {
                "tools": len(target.tools or ()),
                "pages": listed,
                "bytes": target.tools_list_bytes,
                "tokens": round(tokens(target.tools_list_bytes)),
            }
        for name, method in (("delete", "DELETE session"), ("stream", "GET stream")):
            found[name] = next((it.status for said, it in seen.replies if said == method), None)
        found["tools"] = _tools(target)
        found["faults"] = [*target.remarks, *_faults(target)]
    return found


def _authorizes(given: Given) -> bool:
    return "authorization" in map(str.lower, given.headers)


def _other_era(target: ArmTarget) -> list[str]:
    """Return the version of the other era that the server speaks, too, if it does."""
    other = HANDSHAKE[0] if target.version == MODERN else MODERN
    seen = Seen()
    try:
        with opened(target, other, observe=seen) as client:
            return [client.terms.version]
    except TargetError:
        version = seen.result("initialize").get("protocolVersion")
        return [version] if isinstance(version, str) else []


def _methods(client: McpSession, capabilities: dict[str, Any], target: ArmTarget) -> Details:
    """Call each method once that changes nothing; return its time in ms, or how it failed."""
    timed: Details = {}
    for method, key in _LISTS.items():
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
    if not isinstance(client, McpClient):
        return {"session": "the channel"}
    with client.pool.one() as connection:
        return {
            "session": "by id" if client.has_session else "none",
            "answers": "SSE" if connection.reader.streaming else "JSON",
            "keep_alive": connection.opened == 1,
        }


def _tools(target: ArmTarget) -> list[Details]:
    tools = target.tools or {}
    choice = choose(tools)
    kinds = {
        name: kind for kind in ("called", "doubtful", "never") for name in getattr(choice, kind)
    }
    return [
        {"name": name, "use": kinds[name], "arguments": tool.input_schema.get("properties", {})}
        for name, tool in tools.items()
    ]


def _faults(target: ArmTarget) -> list[str]:
    return [
        f"tool {name}: its {kind} cannot be used: {why}"
        for name, tool in (target.tools or {}).items()
        for kind, schema in (
            ("inputSchema", tool.input_schema),
            ("outputSchema", tool.output_schema),
        )
        if (why := unusable(schema))
    ]
