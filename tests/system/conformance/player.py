"""Plays the scenarios of the conformance suite with our client."""

import json
from collections.abc import Mapping
from typing import Any

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.lists import list_all
from mcp_perf.client.mcp.oauth import OAuthCredentials, Registration
from mcp_perf.client.mcp.streamable_http import Call, HttpClient, Request
from mcp_perf.client.protocol.answers import Responder
from mcp_perf.client.protocol.requests import LIST_KEYS, LISTS
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.outcomes import OK, TOOL_ERROR

ACCEPT = Responder(elicitation={"action": "accept", "content": {"confirmed": True}})
DEFAULTS = Responder(elicitation={"action": "accept"})


class Trusting(OAuthCredentials):
    """Follows a server to any authorization server: the suite's has another port."""

    def _is_named(self, _asked: Any) -> bool:
        return True


def credentials(url: str, scenario: str, context: dict[str, Any]):
    """Return the client's credentials in an authorization scenario."""
    who = {
        "client_id": context.get("client_id", ""),
        "client_secret": context.get("client_secret", ""),
        "private_key": context.get("private_key_pem", ""),
    }
    if not scenario.startswith("auth/client-credentials"):
        who["grant"] = "authorization_code"
        who["metadata_url"] = "https://conformance-test.local/client-metadata.json"
    return Trusting(url, Registration(**who))


def ask(client: HttpClient, method: str, params: dict[str, Any]) -> None:
    """Send any request, which has to succeed."""
    reply = client.call(Request(method, params, answers=ACCEPT))
    assert reply.outcome == OK, f"{method}: {reply.detail}"


def call(client: HttpClient, tool: Tool, arguments: dict[str, Any], answers: Responder) -> None:
    """Call a tool; an error of the tool is accepted."""
    reply = client.call(Call(tool, arguments, answers=answers))
    assert reply.outcome in (OK, TOOL_ERROR), f"{tool.name}: {reply.detail}"


def arguments_of(tool: Tool) -> dict[str, Any]:
    """Return arguments that a tool's schema allows."""
    samples = {"string": "text", "integer": 3, "number": 5, "boolean": True}
    properties = tool.input_schema.get("properties", {})
    return {name: samples.get(field.get("type"), "text") for name, field in properties.items()}


def visit(client: HttpClient, tools: dict[str, Tool], context: dict[str, Any]) -> None:
    """Call the tools that the scenario names, or all tools if it names none."""
    wanted = [(tools[one["name"]], one["arguments"]) for one in context.get("toolCalls", [])]
    if "json_schema_echo" in tools:
        focal = tools["json_schema_2020_12_tool"].input_schema
        wanted = [(tools["json_schema_echo"], {"schema": focal})]
    for tool, arguments in wanted or [(tool, arguments_of(tool)) for tool in tools.values()]:
        answers = ACCEPT if tool.name.startswith("test_mrtr") else DEFAULTS
        call(client, tool, arguments, answers)


def everything(client: HttpClient) -> None:
    """Send one request of each method."""
    for name, method in LISTS.items():
        reply = list_all(client, method, LIST_KEYS[name])
        assert reply.outcome == OK, reply.detail
        for item in reply.json()["result"][LIST_KEYS[name]]:
            if name == "prompts":
                ask(client, "prompts/get", {"name": item["name"]})
            elif name == "resources":
                ask(client, "resources/read", {"uri": item["uri"]})


def play(url: str, env: Mapping[str, str]) -> None:
    """Play one scenario. Raises if our client could not do its part."""
    scenario = env["MCP_CONFORMANCE_SCENARIO"]
    version = env.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "auto")
    context = json.loads(env.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    who = credentials(url, scenario, context) if scenario.startswith("auth/") else None
    client = HttpClient(Endpoint.of(url), version, answers=DEFAULTS, credentials=who)
    try:
        client.negotiate()
        tools = client.list_tools()
        if scenario == "http-standard-headers":
            everything(client)
        if scenario not in ("initialize", "json-schema-ref-no-deref"):
            visit(client, tools, context)
    finally:
        client.close()
        if who is not None:
            who.close()
