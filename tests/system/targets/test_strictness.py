"""What the SDK's server leaves open is answered as specified, by the echo and the SDK's systems.

Tested with bytes on a socket: an HTTP client would not send some of them.
"""

import json
import socket
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.process

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
CALLS = {
    "echo/mcp": {"name": "echo", "arguments": {"message": "x"}},
    "ladder/mcp": {"name": "price", "arguments": {"item": "tea", "quantity": 3}},
}


@pytest.fixture(params=CALLS)
def ask(request, systems):
    """Send a request with exactly this `Mcp-Name`; return the status and the body."""
    where = urlsplit(systems.face(request.param).url)

    def send(method: str, params: dict, name: str = "") -> tuple[int, dict]:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
        body = json.dumps(message).encode()
        head = (
            f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n"
            "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
            f"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\nMcp-Name:{name}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection((where.hostname, where.port), 10) as peer:
            peer.sendall(head.encode() + body)
            reply = b"".join(iter(lambda: peer.recv(65536), b""))
        start, _, answer = reply.partition(b"\r\n\r\n")
        return int(start.split()[1]), json.loads(answer)

    send.call = CALLS[request.param]
    return send


@pytest.mark.parametrize("around", ["", " ", "\t", " \t  "], ids=repr)
def test_white_space_around_a_name_is_no_part_of_it(ask, around):
    """RFC 9110, 5.5: it is stripped before the header is compared."""
    status, answer = ask("tools/call", ask.call, f"{around}{ask.call['name']}{around}")
    assert (status, answer["result"]["isError"]) == (200, False)


def test_a_name_with_white_space_needs_its_encoding(ask):
    """Without it, the header has another name."""
    name = f" {ask.call['name']}"
    status, answer = ask("tools/call", {**ask.call, "name": name}, name)
    assert (status, answer["error"]["code"]) == (400, -32020)


def test_an_unknown_prompt_is_a_mistake_in_the_params(ask):
    """-32602, and not an internal error."""
    status, answer = ask("prompts/get", {"name": "nobody"}, "nobody")
    assert (status, answer["error"]["code"]) == (400, -32602)


@pytest.mark.parametrize("responses", [None, 7, {"answer": 7}], ids=repr)
def test_answers_that_are_no_objects_are_refused(ask, responses):
    """In any call: nobody can have asked for them."""
    params = {**ask.call, "inputResponses": responses}
    status, answer = ask("tools/call", params, ask.call["name"])
    assert (status, answer["error"]["code"]) == (400, -32602)
