"""The echo system's protocol of 2026-07-28, tested with an HTTP client."""

import httpx
import pytest

pytestmark = pytest.mark.process

MODERN = "2026-07-28"
VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META = {VERSION: MODERN, CAPABILITIES: {}}
BOTH = "application/json, text/event-stream"
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def rpc(method, params=None, meta=META):
    """Return a request's body."""
    params = dict(params or {}) | ({"_meta": meta} if meta is not None else {})
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def headers_for(body):
    """Return the headers that a conforming 2026-07-28 client sends with a body."""
    headers = {"Accept": BOTH, "MCP-Protocol-Version": MODERN}
    if isinstance(body, dict) and "method" in body:
        headers["Mcp-Method"] = body["method"]
        name = body.get("params", {}).get(NAMED.get(body["method"]))
        if name is not None:
            headers["Mcp-Name"] = name
    return headers


def modern(client, body, **changes):
    """Post a body as a conforming client would, with some headers changed (None: left out)."""
    headers = headers_for(body)
    for name, value in changes.items():
        header = name.replace("_", "-")
        headers = {key: old for key, old in headers.items() if key.lower() != header}
        if value is not None:
            headers[header] = value
    return client.post("/mcp", json=body, headers=headers)


def call(tool, meta=META, **arguments):
    """Return the body of a tools/call."""
    return rpc("tools/call", {"name": tool, "arguments": arguments}, meta)


def test_discovery_names_versions_capabilities_and_server(echo):
    """It is a client's first request, and the answer may be cached."""
    reply = modern(echo, rpc("server/discover"))
    result = reply.json()["result"]
    assert (reply.status_code, result["resultType"]) == (200, "complete")
    assert result["supportedVersions"] == [MODERN]
    assert set(result["capabilities"]) == {"tools", "resources", "prompts"}
    assert (result["ttlMs"], result["cacheScope"]) == (300_000, "public")
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "mcp-perf-echo"
    assert "mcp-session-id" not in reply.headers


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/list", {}),
        ("prompts/list", {}),
        ("resources/list", {}),
        ("resources/templates/list", {}),
        ("resources/read", {"uri": "echo://readme"}),
    ],
)
def test_lists_and_resources_may_be_cached(echo, method, params):
    """With a time and a scope."""
    result = modern(echo, rpc(method, params)).json()["result"]
    assert (result["ttlMs"], result["cacheScope"]) == (300_000, "public")


def test_a_call_answers_with_text_and_structure(echo):
    """It names its server, like every result of this era."""
    reply = modern(echo, call("echo", message="grüß"))
    assert reply.headers["content-type"] == "application/json"
    result = reply.json()["result"]
    assert result["content"] == [{"type": "text", "text": "grüß"}]
    assert result["structuredContent"] == {"message": "grüß"}
    assert (result["isError"], result["resultType"]) == (False, "complete")
    assert "ttlMs" not in result


def test_a_tool_that_fails_is_a_result_with_is_error(echo):
    """HTTP 200 and not a JSON-RPC error."""
    reply = modern(echo, call("fail", message="no"))
    assert reply.status_code == 200
    assert reply.json()["result"]["isError"] is True


@pytest.mark.parametrize(
    "arguments",
    [{}, {"message": 3}, {"message": "x", "more": 1}, {"message": None}],
)
def test_arguments_that_fail_the_schema_are_a_tool_error(echo, arguments):
    """The model can read and correct it."""
    result = modern(echo, call("echo", **arguments)).json()["result"]
    assert result["isError"] is True
    assert "Invalid arguments for echo" in result["content"][0]["text"]


ENVELOPE = [
    pytest.param("{", 400, -32700, id="not JSON"),
    pytest.param("[]", 400, -32600, id="a batch"),
    pytest.param('"x"', 400, -32600, id="a text"),
    pytest.param('{"id":1,"method":"ping"}', 400, -32600, id="no version"),
    pytest.param('{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600, id="id null"),
    pytest.param('{"jsonrpc":"2.0","id":1.5,"method":"ping"}', 400, -32600, id="id 1.5"),
    pytest.param('{"jsonrpc":"2.0","id":true,"method":"ping"}', 400, -32600, id="id true"),
    pytest.param('{"jsonrpc":"2.0","id":1,"method":7}', 400, -32600, id="method 7"),
    pytest.param('{"jsonrpc":"2.0","id":1,"method":"x","params":null}', 400, -32600, id="null"),
    pytest.param('{"jsonrpc":"2.0","id":1,"result":{}}', 400, -32600, id="a response"),
    pytest.param('{"jsonrpc":"2.0"}', 400, -32600, id="a notification without a method"),
]


@pytest.mark.parametrize(("body", "status", "code"), ENVELOPE)
def test_a_malformed_envelope_is_refused_without_an_id(echo, body, status, code):
    """The id cannot be trusted if the envelope is wrong."""
    headers = {"Accept": BOTH, "Content-Type": "application/json", "MCP-Protocol-Version": MODERN}
    reply = echo.post("/mcp", content=body, headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert reply.json()["id"] is None


OTHER = {**META, VERSION: "2099-01-01"}
LADDER = [
    pytest.param(rpc("tools/list", meta=None), {}, 400, -32602, id="no _meta"),
    pytest.param(rpc("tools/list", meta={VERSION: MODERN}), {}, 400, -32602, id="no capabilities"),
    pytest.param(rpc("tools/list", meta={CAPABILITIES: {}}), {}, 400, -32602, id="no version"),
    pytest.param(rpc("tools/list", meta=OTHER), {}, 400, -32020, id="versions differ"),
    pytest.param(
        rpc("tools/list", meta=OTHER),
        {"mcp_protocol_version": "2099-01-01"},
        400,
        -32022,
        id="version not served",
    ),
    pytest.param(rpc("tools/list"), {"mcp_method": None}, 400, -32020, id="no method"),
    pytest.param(rpc("tools/list"), {"mcp_method": "Tools/List"}, 400, -32020, id="method's case"),
    pytest.param(call("echo", message="x"), {"mcp_name": None}, 400, -32020, id="no name"),
    pytest.param(call("echo", message="x"), {"mcp_name": "add"}, 400, -32020, id="another name"),
    pytest.param(rpc("initialize"), {}, 404, -32601, id="initialize is gone"),
    pytest.param(rpc("ping"), {}, 404, -32601, id="ping is gone"),
    pytest.param(rpc("logging/setLevel"), {}, 404, -32601, id="not offered"),
    pytest.param(rpc("subscriptions/listen"), {}, 400, -32602, id="listening for nothing"),
    pytest.param(call("no-such-tool"), {}, 400, -32602, id="unknown tool"),
    pytest.param(rpc("tools/list", {"cursor": "x"}), {}, 400, -32602, id="unknown cursor"),
    pytest.param(rpc("resources/read", {"uri": "x://y"}), {}, 400, -32602, id="unknown resource"),
    pytest.param(rpc("prompts/get", {"name": "shout"}), {}, 400, -32602, id="unknown prompt"),
    pytest.param(rpc("prompts/get", {"name": "greet"}), {}, 400, -32602, id="argument missing"),
    pytest.param(call("ask", question="?"), {}, 400, -32021, id="client cannot elicit"),
]


@pytest.mark.parametrize(("body", "changes", "status", "code"), LADDER)
def test_each_error_has_its_code_and_its_http_status(echo, body, changes, status, code):
    """As in the reference implementation, with the request's id."""
    reply = modern(echo, body, **changes)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert reply.json()["id"] == 1


def test_a_version_that_is_not_served_is_answered_with_those_that_are(echo):
    """The client can then try again."""
    reply = modern(echo, rpc("tools/list", meta=OTHER), mcp_protocol_version="2099-01-01")
    data = reply.json()["error"]["data"]
    assert data == {"supported": [MODERN], "requested": "2099-01-01"}


def test_a_missing_capability_is_named(echo):
    """In the format of client capabilities."""
    data = modern(echo, call("ask", question="?")).json()["error"]["data"]
    assert data == {"requiredCapabilities": {"elicitation": {"form": {}}}}


@pytest.mark.parametrize("header", ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"])
def test_a_routing_header_that_comes_twice_is_refused(echo, header):
    """Even when both say the same."""
    body = call("echo", message="x")
    headers = list(headers_for(body).items())
    headers += [pair for pair in headers if pair[0] == header]
    reply = echo.post("/mcp", json=body, headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, -32020)


ENCODED = "=?base64?WsO8cmljaA==?="
MIRRORED = [
    ({"region": "west", "value": 7}, {"region": "west", "value": "7"}, 200),
    ({"region": "Zürich", "value": 7}, {"region": ENCODED, "value": "7.0"}, 200),
    ({"region": "west", "value": None}, {"region": "west"}, 200),
    ({"region": "west", "value": 7}, {"region": "west"}, 400),
    ({"region": "west", "value": 7}, {"value": "7"}, 400),
    ({"region": "west", "value": 7}, {"region": "east", "value": "7"}, 400),
    ({"region": "west", "value": 7}, {"region": "west", "value": "8"}, 400),
    ({"region": "west", "value": 7}, {"region": "west", "value": "7e0"}, 400),
    ({"region": "west"}, {"region": "west", "value": "7"}, 400),
    ({"region": "Zürich", "value": 7}, {"region": "=?base64?WsO8cmljaB==?=", "value": "7"}, 400),
    ({"region": "Zürich", "value": 7}, {"region": "=?base64?!?=", "value": "7"}, 400),
]


@pytest.mark.parametrize(("arguments", "mirrored", "status"), MIRRORED)
def test_parameter_headers_agree_with_the_arguments(echo, arguments, mirrored, status):
    """Present together and equal, or absent together; integers as numbers, texts canonically."""
    changes = {f"mcp_param_{name}": value for name, value in mirrored.items()}
    reply = modern(echo, call("tag", **arguments), **changes)
    assert reply.status_code == status
    if status == 400:
        assert reply.json()["error"]["code"] == -32020


def test_a_parameter_header_that_comes_twice_is_refused(echo):
    """Even when both say the same."""
    body = call("tag", region="west", value=7)
    extra = [("Mcp-Param-Region", "west"), ("Mcp-Param-Value", "7"), ("mcp-param-value", "7")]
    headers = [*headers_for(body).items(), *extra]
    reply = echo.post("/mcp", json=body, headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, -32020)


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_only_post_is_allowed(echo, method):
    """There are no sessions and no separate streams in this era."""
    headers = {"Accept": BOTH, "MCP-Protocol-Version": MODERN}
    reply = echo.request(method, "/mcp", headers=headers)
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")


def test_a_notification_is_accepted_and_dropped(echo):
    """202 without a body; at a version that is not served, -32022."""
    body = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert (modern(echo, body).status_code, modern(echo, body).content) == (202, b"")
    refused = modern(echo, body, mcp_protocol_version="2099-01-01")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32022)


def test_a_stray_session_id_is_ignored(echo):
    """Only the older era has sessions."""
    reply = modern(echo, rpc("tools/list"), mcp_session_id="gone")
    assert reply.status_code == 200


HTTP = [
    ({"accept": "application/json"}, 406),
    ({"accept": "text/event-stream"}, 406),
    ({"accept": "*/*"}, 200),
    ({"accept": "application/*;q=0.9, text/*"}, 200),
    ({"content_type": "text/plain"}, 400),
    ({"content_type": "application/json; charset=utf-8"}, 200),
    ({"host": "example.org"}, 403),
    ({"host": "localhost:1"}, 200),
    ({"origin": "http://example.org"}, 403),
    ({"origin": "http://localhost:3000"}, 200),
]


@pytest.mark.parametrize(("changes", "status"), HTTP)
def test_plain_http_is_checked_first(echo, changes, status):
    """Accept, content type, and the caller (against DNS rebinding)."""
    assert modern(echo, rpc("tools/list"), **changes).status_code == status


def test_a_body_of_more_than_four_mebibytes_is_refused(echo):
    """As in the reference implementation."""
    assert modern(echo, call("echo", message="x" * 4 * 1024 * 1024)).status_code == 413


def test_asking_takes_two_rounds(echo):
    """input_required with a question and a state, then the answer with that state."""
    meta = {**META, CAPABILITIES: {"elicitation": {"form": {}}}}
    body = call("ask", meta, question="colour?")
    asked = modern(echo, body).json()["result"]
    assert asked["resultType"] == "input_required"
    question = asked["inputRequests"]["answer"]
    assert question["method"] == "elicitation/create"
    assert question["params"]["message"] == "colour?"
    body["params"]["requestState"] = asked["requestState"]
    body["params"]["inputResponses"] = {
        "answer": {"action": "accept", "content": {"answer": "blue"}},
    }
    done = modern(echo, body).json()["result"]
    assert done["resultType"] == "complete"
    assert done["structuredContent"] == {"action": "accept", "answer": "blue"}
    body["params"]["inputResponses"] = {"answer": {"action": "decline"}}
    declined = modern(echo, body).json()["result"]
    assert declined["structuredContent"] == {"action": "decline", "answer": ""}


@pytest.mark.parametrize("state", ["forged", "", 7])
def test_a_state_of_another_call_is_refused(echo, state):
    """A client that leaks states between calls must notice."""
    meta = {**META, CAPABILITIES: {"elicitation": {}}}
    first = call("ask", meta, question="one?")
    leaked = modern(echo, first).json()["result"]["requestState"]
    for wrong in (state, leaked):
        body = call("ask", meta, question="two?")
        body["params"] |= {"requestState": wrong, "inputResponses": {}}
        reply = modern(echo, body)
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, -32602)


def test_progress_is_streamed_to_those_who_gave_a_token(echo):
    """One event per step, then the response, then the end of the stream."""
    reply = modern(echo, call("progress", {**META, "progressToken": "t"}, steps=2))
    assert reply.headers["content-type"] == "text/event-stream"
    events = [event.split("\n") for event in reply.text.strip().split("\n\n")]
    assert [event[0] for event in events] == ["event: message"] * 3
    assert '"progressToken":"t","progress":1,"total":2' in events[0][1]
    assert '"result":' in events[2][1]
    without = modern(echo, call("progress", steps=2))
    assert without.headers["content-type"] == "application/json"


def test_with_replies_sse_a_call_is_a_stream_of_one_event(start):
    """Errors stay plain JSON with their status."""
    with httpx.Client(base_url=start("echo", "--replies", "sse")) as client:
        reply = modern(client, call("echo", message="x"))
        missing = modern(client, rpc("ping"))
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.headers["transfer-encoding"] == "chunked"
    assert reply.text.startswith('event: message\ndata: {"jsonrpc":"2.0","id":1,"result":')
    assert reply.text.endswith("\n\n")
    assert missing.status_code == 404
