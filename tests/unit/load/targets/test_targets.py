"""Where calls go, before any of them is made."""

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from mcp_perf.client.channels.inprocess import Code, PythonClient
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.http.rest import RestClient
from mcp_perf.load.targets.clients import destination, remarks_of
from mcp_perf.load.targets.refusal import CONFIGURATION, UNREACHABLE, Refusal
from mcp_perf.load.targets.targets import ArmTarget, reach, unknown_tools, unprovided
from mcp_perf.scenario.loader import find, load, load_text
from mcp_perf.scenario.problems.problem import ScenarioError

SCENARIO = """
name: secure
title: A target with its own certificate
arms: {api: {http: "https://127.0.0.1:9", tls: {ca: own.pem}}}
journeys: {look: {steps: [{get: /}]}}
"""


def test_each_kind_of_client_reports_what_was_odd(serve):
    """A plain HTTP arm reports how replies were packed; a function cannot be odd."""
    body = gzip.compress(b"{}")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    client = RestClient(Endpoint.of(serve(head % len(body) + body).url))
    reply = client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    client.close()
    assert (reply.outcome, reply.body) == ("ok", b"{}")
    assert ["Content-Encoding: gzip" in one for one in remarks_of(client)] == [True]
    assert remarks_of(PythonClient(Code("x", print), None)) == []


@pytest.mark.process
def test_certificates_to_trust_lie_next_to_the_scenario(tmp_path, monkeypatch):
    """The file is found from any folder, as the loader says; only the connection fails here."""
    folder = tmp_path / "scenarios"
    folder.mkdir()
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-keyout", str(tmp_path / "key.pem")),
            *("-out", str(folder / "own.pem")),
        ],
        check=True,
        capture_output=True,
    )
    (folder / "secure.yaml").write_text(SCENARIO)
    monkeypatch.chdir(tmp_path)
    loaded = load(folder / "secure.yaml")
    with pytest.raises(Refusal, match="connection refused") as refusal:
        reach("api", loaded, "https://127.0.0.1:9", {})
    assert refusal.value.exit_code == UNREACHABLE


MCP = """
name: mine
title: A server of mine
arms: {mcp: {mcp: "http://127.0.0.1:9/mcp", timeout: 300ms, protocol: 2025-11-25}}
journeys: {look: {steps: [{call: bad}]}}
"""


def http(status: int, body: bytes, kind: str = "text/plain") -> bytes:
    """Encode a response."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def tried(server):
    """Try a server; return the message."""
    loaded = load_text(MCP, "mine.yaml", Path(), environ={})
    with pytest.raises(Refusal) as refused:
        reach("mcp", loaded, server.url, {})
    assert refused.value.exit_code == UNREACHABLE
    return refused.value.lines[0]


STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    b"event: endpoint\ndata: /messages/?session_id=1\n\n"
)
REFUSALS = {
    "an old transport": ((http(405, b"Method Not Allowed"), STREAM), "write sse:http://127.0.0.1"),
    "its host": (
        (http(403, b"Access is only allowed at localhost:8080"), http(405, b"")),
        "the server checks the Host or Origin header",
    ),
    "its host, by status": ((http(421, b"Misdirected"), http(405, b"")), "write `host: NAME`"),
    "its host, as Django has it": (
        (http(400, b"Invalid HTTP_HOST header: '127.0.0.1'."), http(405, b"")),
        "write `host: NAME`",
    ),
    "no credentials": (
        (http(401, b"Unauthorized"), http(405, b"")),
        "(the server needs credentials: write `headers:` or `auth:` for the arm, or --bearer-env)",
    ),
    "another path": ((http(404, b"Not Found"), http(404, b"")), "often ends with"),
    "hangs up": ((lambda peer, _request: peer.close(),), "initialize: "),
    "is silent": ((b"",), "does not answer within 0.3 s"),
}


@pytest.mark.parametrize(("script", "says"), REFUSALS.values(), ids=REFUSALS)
def test_a_server_that_is_there_is_never_called_unreachable(serve, script, says):
    """The sentence says that it is reachable, and what may help."""
    line = tried(serve(*script))
    assert line.startswith("mcp: http://127.0.0.1:")
    assert "is reachable, but" in line
    assert says in line


def answer(result):
    """Answer with a result."""

    def say(peer, request):
        number = json.loads(request.partition(b"\r\n\r\n")[2])["id"]
        body = json.dumps({"jsonrpc": "2.0", "id": number, "result": result}).encode()
        peer.sendall(http(200, body, "application/json"))

    return say


def test_a_server_is_started_in_its_folder_seen_from_that_of_the_scenario(tmp_path):
    """A relative folder is relative to the scenario's; an absolute one stays."""
    text = "name: t\ntitle: T\narms: {mcp: {mcp: {stdio: [a], cwd: CWD}}}\n"
    text += "journeys: {j: {steps: [{list: tools}]}}"
    for cwd, folder in (("../b", tmp_path / "../b"), ("/c", "/c"), (".", tmp_path)):
        loaded = load_text(text.replace("CWD", cwd), "t", tmp_path)
        arm = loaded.scenario.arms["mcp"]
        assert destination("mcp", arm, loaded, arm.address, None).cwd == str(folder)


def test_a_step_that_calls_an_odd_tool_is_refused_with_what_is_odd(serve):
    """The other tools of the list are fine."""
    good, odd = {"name": "good", "inputSchema": {}}, {"name": "bad", "inputSchema": None}
    server = serve(
        answer({"protocolVersion": "2025-11-25", "serverInfo": {"name": "shop", "version": "1.2"}}),
        http(202, b""),
        answer({"tools": [good, odd]}),
    )
    loaded = load_text(MCP, "mine.yaml", Path(), environ={})
    target = reach("mcp", loaded, server.url, {})
    assert list(target.tools) == ["good"]
    assert target.server == "shop 1.2"
    [problem] = unknown_tools(loaded, {"mcp": target})
    assert "the tool 'bad' cannot be called: its inputSchema is None, not an object" in problem


def test_what_a_replaced_system_would_have_brought_is_one_line():
    """It says where to write the values in a copy. Other missing values have their own lines."""
    targets = {"control": ArmTarget("control", "http", "http://a", Endpoint.of("http://a"), {})}
    loaded = load(find("twilio-tasks"))
    [line] = unprovided(loaded, targets, {"control": "http://a"})
    assert line.startswith(
        "--target control=http://a: the scenario gets ${account}, ${workspace}, "
    )
    assert line.endswith("Write them under arms.control.vars in a copy of the file")
    by_line = unprovided(loaded, targets, {})
    assert len(by_line) > 3
    assert "twilio_tasks.yaml:" in by_line[0]
    vars_ = "{account: a, workspace: w, from_number: '+1'}"
    text = loaded.text.replace("twilio/rest", f"twilio/rest, vars: {vars_}")
    mine = load_text(text, "mine.yaml", Path(), environ={})
    assert unprovided(mine, targets, {"control": "http://a"}) == []


def test_code_that_cannot_be_imported_is_refused_in_its_own_words():
    """It is refused before anything is called."""
    loaded = load_text(MCP, "mine.yaml", Path(), environ={})
    with pytest.raises(Refusal, match="nowhere cannot be imported"):
        reach("mcp", loaded, "python:nowhere", {})


@pytest.mark.parametrize("where", ["outside", "gone"])
def test_the_files_of_a_certificate_may_be_where_a_variable_says(tmp_path, where):
    """A private key does not belong in a repository. An unusable file is named."""
    (tmp_path / "outside").write_text("no key")
    environ = {"KEY": str(tmp_path / where)}
    text = SCENARIO.replace("ca: own.pem", 'cert: "${env:KEY}"')
    text = text.replace("title:", "env: [KEY]\ntitle:")
    if where == "gone":
        with pytest.raises(ScenarioError, match=r"the path in '\$\{env:KEY\}' is not a file"):
            load_text(text, "x", tmp_path / "scenarios", environ=environ)
        return
    loaded = load_text(text, "x", tmp_path / "scenarios", environ=environ)
    with pytest.raises(Refusal, match="outside cannot be used") as refused:
        reach("api", loaded, "https://127.0.0.1:9", {})
    assert refused.value.exit_code == CONFIGURATION


def test_a_target_out_of_reach_names_the_proxy_that_was_not_used(monkeypatch):
    """Other clients might reach it through that proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://p.test:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    loaded = load_text(MCP, "mine.yaml", Path(), environ={})
    with pytest.raises(Refusal, match="HTTP_PROXY is set but not used"):
        reach("mcp", loaded, "http://127.0.0.2:9/mcp", {})


def test_calls_use_the_proxy_and_the_host_of_the_arm(serve):
    """The requests that are sent show both."""
    server = serve(http(403, b""), http(403, b""), http(403, b""))
    text = MCP.replace(
        "timeout: 300ms", f"timeout: 300ms, proxy: {server.url.removesuffix('/mcp')}"
    )
    loaded = load_text(text, "mine.yaml", Path(), environ={})
    with pytest.raises(Refusal):
        reach("mcp", loaded, "http://10.1.2.3:8000/mcp", {})
    assert server.requests[0].startswith(b"POST http://10.1.2.3:8000/mcp HTTP/1.1\r\n")
