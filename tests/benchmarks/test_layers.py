"""One tool through each layer: its Python function in this process, its REST path, its MCP tool."""

import asyncio
from typing import Any

import pytest

from mcp_perf.client.http.endpoint import Endpoint, with_body
from mcp_perf.client.http.rest import RestClient, encode_fields, encode_line
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import OK
from mcp_targets.echo import tools
from mcp_targets.twilio import accounts
from mcp_targets.twilio.tools import OPERATIONS, Provider

LIST = "TwilioApiV2010--ListIncomingPhoneNumber"
ECHO = {
    "echo": ({"message": "hello"}, b'{"message":"hello"}'),
    "add": ({"a": 1, "b": 2}, b'{"a":1,"b":2}'),
}


def good(reply: Reply) -> Reply:
    """Return the reply to a call that has to succeed."""
    assert reply.outcome == OK, reply.detail
    return reply


def mcp_call(client: HttpClient, tool: str, arguments: dict[str, Any]):
    """Return a function that calls a tool."""
    client.negotiate()
    call = Call(client.list_tools()[tool], arguments)
    return lambda: good(client.call(call))


def rest_call(client: RestClient, method: str, path: str, body: bytes = b""):
    """Return a function that makes a request."""
    head = encode_line(client.endpoint, method, path)
    fields = [("Content-Type", "application/json")] if body else []
    head += encode_fields(client.endpoint, fields)
    request = with_body(head, body) if body else head + b"\r\n"
    return lambda: good(client.send(request))


def info(system: str, tool: str) -> dict[str, dict[str, str]]:
    """Describe each side for pytest-benchmark."""
    layers = ("in-process", "rest", "mcp")
    return {layer: {"system": system, "layer": layer, "tool": tool} for layer in layers}


@pytest.mark.process
@pytest.mark.parametrize("tool", ECHO)
def test_echo(tool, systems, benchmark, side_by_side):
    """A tool of the calibration system, whose time is all spent on the way to it."""
    benchmark.group = f"layers: echo {tool}"
    arguments, body = ECHO[tool]
    rest = RestClient(Endpoint.of(systems.face("echo/rest").url))
    mcp = HttpClient(Endpoint.of(systems.face("echo/mcp").url))
    returned = side_by_side(
        {
            "in-process": lambda: getattr(tools, tool)(**arguments),
            "rest": rest_call(rest, "POST", f"/{tool}", body),
            "mcp": mcp_call(mcp, tool, arguments),
        },
        info=info("echo", tool),
    )
    rest.close()
    mcp.close()
    value = returned["in-process"]
    assert returned["rest"].json() == value
    assert returned["mcp"].json()["result"]["structuredContent"] == value


@pytest.mark.process
def test_twilio(systems, simulated, benchmark, side_by_side):
    """The tool that lists numbers: called directly, at the provider, and through the server."""
    benchmark.group = f"layers: twilio {LIST}"
    benchmark.extra_info["simulated"] = simulated("twilio")
    upstream = systems.face("twilio/rest")
    rest = RestClient(Endpoint.of(upstream.url))
    mcp = HttpClient(Endpoint.of(systems.face("twilio/mcp").url))
    operation = next(found for found in OPERATIONS if found.tool == LIST)
    path = operation.path.format_map(upstream.variables)
    with asyncio.Runner() as runner:
        provider = Provider()
        pool = provider.connect(upstream.url, accounts.MCP)
        returned = side_by_side(
            {
                "in-process": lambda: runner.run(provider.perform(operation, {"PageSize": 20})),
                "rest": rest_call(rest, operation.method, f"{path}?PageSize=20"),
                "mcp": mcp_call(mcp, LIST, {"PageSize": 20}),
            },
            info=info("twilio", LIST),
        )
        runner.run(pool.aclose())
    rest.close()
    mcp.close()
    assert "incoming_phone_numbers" in returned["rest"].json()
    result = returned["mcp"].json()["result"]["structuredContent"]
    assert result == returned["in-process"]
