"""The command that the conformance suite drives our client by: `python client.py URL`.

The suite's contract: the scenario's name, the protocol version and what else there is to know come
in environment variables, the address comes last, and an exit code other than 0 is a failure.
"""

import json
import os
import sys
from typing import Any

from mcp_targets.client.answers import Answers
from mcp_targets.client.calls import LIST_KEYS, LISTS
from mcp_targets.client.exchange import Endpoint
from mcp_targets.client.mcp import Call, McpClient, Request
from mcp_targets.client.tools import Tool
from mcp_targets.reply import OK, TOOL_ERROR

ACCEPT = Answers(elicitation={"action": "accept", "content": {"confirmed": True}})
DEFAULTS = Answers(elicitation={"action": "accept"})


def credentials(url: str, scenario: str, context: dict[str, Any]):
    """Return who the client is in a scenario of authorization."""
    from mcp_targets.client.oauth import Identity, OAuth

    who = {
        "client_id": context.get("client_id", ""),
        "client_secret": context.get("client_secret", ""),
        "private_key": context.get("private_key_pem", ""),
    }
    if not scenario.startswith("auth/client-credentials"):
        who["grant"] = "authorization_code"
        who["metadata_url"] = "https://conformance-test.local/client-metadata.json"
    return OAuth(url, Identity(**who))


def ask(client: McpClient, method: str, params: dict[str, Any]) -> None:
    """Send any request; it has to succeed."""
    reply = client.call(Request(method, params, answers=ACCEPT))
    assert reply.outcome == OK, f"{method}: {reply.detail}"


def call(client: McpClient, tool: Tool, arguments: dict[str, Any], answers: Answers) -> None:
    """Call a tool; an error of the tool itself is the tool's affair."""
    reply = client.call(Call(tool, arguments, answers=answers))
    assert reply.outcome in (OK, TOOL_ERROR), f"{tool.name}: {reply.detail}"


def arguments_of(tool: Tool) -> dict[str, Any]:
    """Return arguments that a tool's schema allows."""
    samples = {"string": "text", "integer": 3, "number": 5, "boolean": True}
    properties = tool.input_schema.get("properties", {})
    return {name: samples.get(field.get("type"), "text") for name, field in properties.items()}


def visit(client: McpClient, tools: dict[str, Tool], context: dict[str, Any]) -> None:
    """Call what a scenario wants called."""
    for wanted in context.get("toolCalls", []):
        call(client, tools[wanted["name"]], wanted["arguments"], DEFAULTS)
    for name, tool in tools.items():
        answers = ACCEPT if name.startswith("test_mrtr") else DEFAULTS
        call(client, tool, arguments_of(tool), answers)


def everything(client: McpClient) -> None:
    """Send one request of each method."""
    for name, method in LISTS.items():
        reply = client.list_all(method, LIST_KEYS[name])
        assert reply.outcome == OK, reply.detail
        for item in reply.json()["result"][LIST_KEYS[name]]:
            if name == "prompts":
                ask(client, "prompts/get", {"name": item["name"]})
            elif name == "resources":
                ask(client, "resources/read", {"uri": item["uri"]})


def main() -> None:
    """Play one scenario."""
    url = sys.argv[-1]
    scenario = os.environ["MCP_CONFORMANCE_SCENARIO"]
    version = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "auto")
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    client = McpClient(
        Endpoint.of(url),
        version,
        capabilities=ACCEPT.capabilities,
        credentials=credentials(url, scenario, context) if scenario.startswith("auth/") else None,
    )
    client.negotiate()
    tools = client.list_tools()
    if scenario == "http-standard-headers":
        everything(client)
    if scenario not in ("initialize", "json-schema-ref-no-deref"):
        visit(client, tools, context)
    client.close()


main()
